"""Trained networks as ONNX graphs, and their quantisation."""
