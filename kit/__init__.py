"""A Transformer is a list of blocks, and every paper is an edit of that list."""

from kit.registration import register_with_keras

__version__ = "0.1.0"

register_with_keras()
