"""What has been trained, as an object: its tables, figures, networks and one episode."""
