"""Measurements on data and on activations: NumPy arrays in, numbers out."""
