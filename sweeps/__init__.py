"""What to run, and what it says: studies over many configurations of `dqn`."""
