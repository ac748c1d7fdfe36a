"""The ``boxes`` head: a Faster R-CNN."""
