"""Importing TensorFlow without the lines it prints before its own settings take effect."""

import importlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def import_tensorflow() -> None:
    """Import TensorFlow with standard error set aside; what it said is shown if the import fails.

    On a machine without a GPU it says so twice, whatever TF_CPP_MIN_LOG_LEVEL is: the lines come
    from C++ before that is read. Standard error is put aside as a file descriptor for that reason.
    """
    if "tensorflow" in sys.modules:
        return
    sys.stderr.flush()
    with _without_keras(), tempfile.TemporaryFile() as aside:
        kept = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            importlib.import_module("tensorflow")
        except Exception:
            os.dup2(kept, 2)
            aside.seek(0)
            sys.stderr.write(aside.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    # It takes the programs of different shapes for one function that is compiled again and again.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextmanager
def _without_keras() -> Iterator[None]:
    """Keep TensorFlow from ending in an import of Keras: half a second that lanes do without.

    It goes on if it cannot have Keras; whoever imports Keras later has it as ever.
    """
    modules: dict[str, Any] = sys.modules
    wanted = "keras.src.optimizers"
    if wanted in modules:
        yield
        return
    modules[wanted] = None
    try:
        yield
    finally:
        del modules[wanted]
