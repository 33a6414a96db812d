"""How fast DQN is here: `python -m dqn.bench`."""
