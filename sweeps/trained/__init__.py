"""What a grid or a study came to, as an object: its tables, figures, best trial and validation."""
