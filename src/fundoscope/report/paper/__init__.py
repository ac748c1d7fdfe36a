"""The report of a patient on paper: photographs, grades and the next step, as PDF and HTML."""
