"""Training of graders and detectors, and their export as bundles. Needs the extra ``train``."""
