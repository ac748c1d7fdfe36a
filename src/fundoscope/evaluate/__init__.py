"""How good a grader or a detector is on labelled photographs, and which of two is better."""
