"""What the service keeps: photographs by their hash, readings, reviews, tokens and an audit log."""
