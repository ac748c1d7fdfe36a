"""One page from one or several evaluations: what a reviewer, a clinic or a journal asks for."""
