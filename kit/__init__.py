"""A Transformer is a list of blocks, and every paper is an edit of that list."""

__version__ = "0.1.0"
