"""Importing TensorFlow and Keras as this program needs them, whatever a machine is set up for."""

import contextlib
import importlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, cast

from dqn.runtime.errors import must_be
from dqn.runtime.notices import notice

GPU_SWITCH = "DQN_GPU"  # 1: TensorFlow may use the GPUs that it sees


def import_tensorflow() -> None:
    """Import TensorFlow with standard error set aside; it is shown if the import fails.

    On a machine without a GPU TensorFlow says so twice, whatever TF_CPP_MIN_LOG_LEVEL is: the lines
    come from C++ before that is read. So standard error is put aside as a file descriptor.
    """
    if "tensorflow" in sys.modules:
        return
    # It would read keras.json, for the old Keras inside it, and end in an import of the new one,
    # which lanes do without: half a second. Whoever imports Keras later gets it as usual.
    modules, keras = cast(dict[str, Any], sys.modules), "keras.src.optimizers"
    no_keras = set_for_now(modules, keras, modules.get(keras))
    with no_keras, set_for_now(os.environ, "KERAS_HOME", os.devnull), _stderr_aside():
        importlib.import_module("tensorflow")
        leave_gpus()
    # It takes the programs of different shapes for one function that is compiled again and again.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def import_keras() -> Any:
    """Keras on TensorFlow, whatever KERAS_BACKEND and keras.json say; the module.

    Numbers are float32 unless this process chooses others itself: float16 of a keras.json that some
    other program once needed would change every network.
    Raises `UserError` where this process has imported it on another backend already.
    """
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"
        try:
            importlib.import_module("keras")
        except (ValueError, AttributeError, TypeError, OSError) as error:
            # Of a keras.json that it cannot read, or that asks for what it does not know.
            for name in [name for name in sys.modules if f"{name}.".startswith("keras.")]:
                del sys.modules[name]  # what was imported in part
            with set_for_now(os.environ, "KERAS_HOME", os.devnull):
                importlib.import_module("keras")
            line = " ".join(str(error).split())
            notice(f"keras.json is ignored, as Keras cannot use it: {line}")
        sys.modules["keras"].config.set_floatx("float32")
    keras: Any = sys.modules["keras"]
    if (backend := keras.config.backend()) != "tensorflow":
        got = f"{backend}, with which this process imported it before"
        advice = "import dqn first, or set KERAS_BACKEND=tensorflow"
        raise must_be("the backend of Keras", "tensorflow", got, advice, value=backend)
    return keras


def leave_gpus() -> None:
    """Hide GPUs from TensorFlow unless they are asked for: each process would take all of one.

    Where they are, it takes what it needs and no more, so that several workers can share one. To be
    called once TensorFlow is imported; a process that has used it keeps what it has.
    """
    config = sys.modules["tensorflow"].config
    with contextlib.suppress(RuntimeError):  # it runs already: its user has decided this
        if os.environ.get(GPU_SWITCH, "0") in ("", "0"):
            config.set_visible_devices([], "GPU")
        else:
            for gpu in config.list_physical_devices("GPU"):
                config.experimental.set_memory_growth(gpu, True)


@contextmanager
def set_for_now(mapping: MutableMapping[str, Any], name: str, value: Any) -> Iterator[None]:
    """Have a name be `value`, in `os.environ` or the like, then again what it was before."""
    before = {name: mapping[name]} if name in mapping else {}
    mapping[name] = value
    try:
        yield
    finally:
        mapping.pop(name, None)
        mapping.update(before)


@contextmanager
def _stderr_aside() -> Iterator[None]:
    """Standard error set aside, as a file descriptor; it is shown if something fails."""
    if sys.stderr is not None:
        sys.stderr.flush()
    with contextlib.ExitStack() as opened:
        try:
            aside = opened.enter_context(tempfile.TemporaryFile())
            kept = os.dup(2)
        except OSError:  # nowhere to put it, or no standard error
            yield
            return
        opened.callback(os.close, kept)
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except Exception:
            os.dup2(kept, 2)
            aside.seek(0)
            os.write(2, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
