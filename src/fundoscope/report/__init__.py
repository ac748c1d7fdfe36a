"""A reading for people: as a picture and in words."""
