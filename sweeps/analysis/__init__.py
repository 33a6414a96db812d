"""What results say: candidates side by side, curves, importance, validation on new seeds."""
