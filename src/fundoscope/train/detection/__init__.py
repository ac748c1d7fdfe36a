"""Training lesion detectors: their data, their heads, the run and the export."""
