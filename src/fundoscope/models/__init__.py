"""Bundles, which hold the models, and the runtime that runs them."""
