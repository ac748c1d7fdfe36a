"""Exchange of classifiers with Keras."""
