"""Training of the landmark network: optic disc and fovea on the whole field of view."""
