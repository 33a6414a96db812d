"""What holds for every test: TensorFlow set up as a run sets it up, and pytest's streams left open.

What Hydra has made of logging is undone after each test: its handlers write to that test's streams.

absl, TensorFlow's logger, closes the stream it was made with when Hydra sets logging up anew in the
same process; were that pytest's own, every later test would fail. It never closes `__stderr__`.
Hypothesis tries the same cases each time, and times nothing, as the machine may be busy. `pytest -m
fuzz` runs each of its tests, and those marked so, from a fresh seed; its first lines say which.
"""

import logging
import secrets
import sys

import pytest
from absl import logging as absl_logging
from command_line import line  # noqa: F401
from hypothesis import settings
from own_module import own_module  # noqa: F401

from dqn.runtime import compile_cache

compile_cache.prepare()
absl_logging.get_absl_handler().python_handler.setStream(sys.__stderr__)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("fresh", deadline=None, derandomize=False, database=None)
settings.load_profile("repeatable")


def pytest_addoption(parser):
    parser.addoption(
        "--fuzz", type=int, default=2, metavar="TIMES",
        help="with -m fuzz: how many times what the fast suite tries is tried",
    )  # fmt: skip


@pytest.hookimpl(tryfirst=True)  # before Hypothesis takes its seed
def pytest_configure(config):
    if config.option.markexpr != "fuzz":
        return
    settings.load_profile("fresh")
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = secrets.randbits(32)  # workers of xdist have it from here


def pytest_report_header(config):
    if config.option.markexpr == "fuzz":
        return f"these again: pytest -m fuzz --hypothesis-seed={config.option.hypothesis_seed}"
    return None


def pytest_collection_modifyitems(config, items):
    if config.option.markexpr == "fuzz":
        for item in items:
            if hasattr(getattr(item, "obj", None), "hypothesis"):  # it has `@given`
                item.add_marker("fuzz")


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
