"""Masks: pictures of the pixels of a class."""
