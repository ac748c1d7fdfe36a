"""Grading a photograph with a bundle's network."""
