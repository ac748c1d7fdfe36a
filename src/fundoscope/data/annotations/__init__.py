"""Boxes and outlines in every format: :mod:`annotation` in the middle, a module a format around."""
