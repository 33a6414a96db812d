"""DQN itself: plain tensors and Keras models; no Config, no files. Loads TensorFlow."""

from dqn.runtime.compile_cache import nothing_collected
from dqn.runtime.tensorflow import import_tensorflow

with nothing_collected():  # looking for garbage takes a quarter of the import's time
    import_tensorflow()
