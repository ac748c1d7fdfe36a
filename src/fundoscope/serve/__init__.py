"""The service: photographs in over HTTP, readings and their pages out."""
