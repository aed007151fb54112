"""Plain programs of other frameworks that do the same work."""
