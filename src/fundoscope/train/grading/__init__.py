"""Training a grader: pictures, loss, calibration, export and reproduction."""
