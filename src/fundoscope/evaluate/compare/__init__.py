"""Compare two bundles that were evaluated on the same photographs."""
