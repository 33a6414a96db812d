"""DQN itself: plain tensors and Keras models; no Config, no files. Loads TensorFlow."""

import gc

from dqn.runtime.tensorflow import import_tensorflow

_collects = gc.isenabled()
gc.disable()  # nothing made here is garbage: to look for it takes a quarter of the import's time
try:
    import_tensorflow()
    gc.freeze()  # nor is there any need to look later, while programs are traced
finally:
    if _collects:
        gc.enable()
