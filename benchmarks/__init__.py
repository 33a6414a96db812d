"""How fast DQN is here: `python -m benchmarks`."""
