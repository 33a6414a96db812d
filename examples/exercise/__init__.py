"""The exercise that this project grew from: its questions, and what trained results say."""
