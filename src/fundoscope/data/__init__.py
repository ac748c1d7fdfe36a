"""Label tables and annotations: read, check, split, sort, import and convert."""
