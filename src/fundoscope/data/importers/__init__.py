"""Public sets as label tables and annotations: one module a source, each with ``read(folder)``."""
