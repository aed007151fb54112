"""Where the offline text comes from, for the keys of cells that learn it."""

from kit.data.docs import versions as docs_sources

__all__ = ["docs_sources"]
