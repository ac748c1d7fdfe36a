"""Records: the predictions of an evaluation without names, from which its figures are computed."""
