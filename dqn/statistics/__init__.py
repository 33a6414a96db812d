"""What samples of trainings say, as pure NumPy, and how numbers are shown."""
