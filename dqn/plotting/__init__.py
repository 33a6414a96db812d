"""Figures of a training, and one greedy episode as a GIF."""
