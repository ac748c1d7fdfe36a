"""The networks that can be trained, their starting weights, normalisation and augmentation."""
