"""A Transformer is a list of blocks, and every paper is an edit of that list."""

from kit import registration

__version__ = "0.1.0"

registration.register_with_keras()
