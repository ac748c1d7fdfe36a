"""Evaluate graders against the labels of photographs."""
