"""Fitting the judge of a grader: whether a picture is a retina, gradable, and familiar."""
