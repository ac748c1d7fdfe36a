"""Evaluate detectors against the annotated lesions of photographs."""
