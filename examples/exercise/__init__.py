"""The course exercise that this project grew from: its questions, answered from trained results."""
