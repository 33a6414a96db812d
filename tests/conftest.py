"""What holds for every test: TensorFlow set up as a run sets it up, and pytest's streams left open.

What Hydra has made of logging is undone after each test: its handlers write to that test's streams.

absl, TensorFlow's logger, closes the stream it was made with when Hydra sets logging up anew in the
same process; were that pytest's own, every later test would fail. It never closes `__stderr__`.
Hypothesis tries the same cases each time, others with `--hypothesis-profile=default`; it times
nothing, as the machine may be busy.
"""

import logging
import sys

import pytest
from absl import logging as absl_logging
from command_line import line  # noqa: F401
from hypothesis import settings

from dqn.runtime import compile_cache

compile_cache.prepare()
absl_logging.get_absl_handler().python_handler.setStream(sys.__stderr__)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def logging_as_before():
    loggers = [logging.getLogger(name) for name in (None, "hydra")]
    before = [(one, one.level, one.handlers[:]) for one in loggers]
    disabled = logging.root.manager.disable
    yield
    for one, level, handlers in before:
        one.setLevel(level)
        one.handlers[:] = handlers
    logging.disable(disabled)
