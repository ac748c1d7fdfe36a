"""Finding lesions and landmarks with a bundle's network."""
