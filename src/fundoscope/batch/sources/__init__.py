"""Where a list of photographs can come from, beside folders and tables."""
