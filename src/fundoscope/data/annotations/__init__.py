"""Boxes, outlines and masks of lesions, read from and written to every format.

:mod:`annotation` defines the classes, each folder is one format, :mod:`formats` lists them.
"""
