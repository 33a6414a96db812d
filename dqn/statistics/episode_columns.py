"""What is recorded of an episode: agreed between those who train and those who only read."""

EPISODE_COLUMNS = ("step", "return", "length", "epsilon", "loss", "q")
"""Columns of a record, float32 each; step and length are counts, carried as their bits."""
