"""Fitting the grade that lesions alone tell."""
