"""Checks of a picture file's structure, before a decoder allocates anything for it.

A file of a hundred bytes may state a size of gigabytes, and a small one may ask for hours of work.
These modules read only what the format states (sizes, counts, lengths), bounded themselves, and
refuse what no photograph needs. The bounds are in :mod:`fundoscope.limits`.
"""
