"""Packs: what a training needs, in files for another machine."""
