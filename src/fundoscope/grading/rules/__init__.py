"""Published rules: the grade that the lesions of a photograph support.

A rule set is data with its source (:mod:`fundoscope.grading.rulesets`). Rules are three-valued:
met, not met, or cannot tell. What they give is a lower bound, as seen on one photograph.
"""
