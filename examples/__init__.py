"""What can be done with this project, as programs to read and to run from a checkout."""
