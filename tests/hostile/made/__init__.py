"""Generators of files that are made to do harm. Nothing of them is stored in the repository."""
