"""DQN itself: plain tensors and Keras models; no Config, no files. Loads TensorFlow."""

from dqn.quiet import import_tensorflow

import_tensorflow()
