"""Keras, for who needs it: lanes do without, and its import takes half a second."""

from dqn.runtime.tensorflow import import_keras

keras = import_keras()
