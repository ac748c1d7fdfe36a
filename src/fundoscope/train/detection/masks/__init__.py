"""The ``mask`` head: a segmentation network."""
