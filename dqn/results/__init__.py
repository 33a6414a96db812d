"""What is left on disk: the folder of results, figures, the recorded episode; and statistics."""
