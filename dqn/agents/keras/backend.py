"""Keras, for who needs it: lanes do without, and its import takes half a second."""

from collections.abc import Iterator
from contextlib import contextmanager

from dqn.runtime.tensorflow import import_keras

keras = import_keras()


@contextmanager
def single_precision() -> Iterator[None]:
    """Models made meanwhile are float32, as lanes are, whatever this process has chosen."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)
