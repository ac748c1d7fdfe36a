"""What a person sees: a picture of a reading, and its words."""
