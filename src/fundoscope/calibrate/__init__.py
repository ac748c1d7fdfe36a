"""Fitting a grader's probabilities and its operating point to labelled photographs."""
