"""Changes of the store's schema, run by `synthprobe.history.database` when a store is opened."""
