"""Public sets as label tables: one module a source."""
