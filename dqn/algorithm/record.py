"""What is recorded of an episode; without TensorFlow, as whoever reads records need not load it."""

RECORD = ("step", "return", "length", "epsilon", "loss", "q")
"""Columns of a record, float32 each; step and length are counts, carried as their bits."""
