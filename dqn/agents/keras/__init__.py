"""DQN for one seed with any Keras model: the exercise's own classes, the oracle of the lanes."""
