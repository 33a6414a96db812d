"""A study: Optuna, its storage, samplers and pruners, and the space it searches."""
