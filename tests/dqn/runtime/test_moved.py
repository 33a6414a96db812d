"""Old paths of modules, and commands that moved, say in one line where they went."""

import importlib
import importlib.util
import sys

import pytest
from commands import python

from dqn.runtime.moved import moved_modules

NAMED_IN_THE_DOCS = {
    "dqn.execution.session": "dqn.session",
    "dqn.results.reading": "dqn.storage.reader",
    "dqn.results.stats": "dqn.statistics.metrics",
    "dqn.results.comparison": "dqn.statistics.comparison",
    "dqn.execution.engine": "dqn.training.engine",
    "dqn.execution.jobs": "dqn.training.jobs",
    "dqn.algorithm.agent": "dqn.agents.keras.agent",
    "dqn.errors": "dqn.runtime.errors",
}
PACKAGES = ("dqn.algorithm", "dqn.execution", "dqn.results", "sweeps.reporting")


@pytest.fixture(autouse=True)
def forget_packages():
    yield
    for name in PACKAGES:
        sys.modules.pop(name, None)


@pytest.mark.parametrize(("old", "new"), NAMED_IN_THE_DOCS.items())
def test_a_path_that_the_documentation_named_says_where_it_went(old, new):
    with pytest.raises(ImportError) as refused:
        importlib.import_module(old)
    assert str(refused.value) == f"{old} is now {new}"
    assert refused.value.name == old


def test_every_old_path_is_gone_and_every_new_one_is_there():
    assert len(moved_modules()) > 130
    for old, new in moved_modules().items():
        with pytest.raises(ImportError, match=r" is now "):
            importlib.import_module(old)
        assert importlib.util.find_spec(new), new


def test_from_an_old_package_and_as_its_attribute():
    with pytest.raises(ImportError, match=r"^dqn\.execution\.session is now dqn\.session$"):
        from dqn.execution import session  # noqa: F401
    import dqn.results

    with pytest.raises(ImportError, match=r"is now dqn\.statistics\.metrics$"):
        _ = dqn.results.stats
    with pytest.raises(AttributeError, match=r"dqn\.results is now dqn\.storage"):
        _ = dqn.results.nothing


@pytest.mark.parametrize("name", ["dqn.nothing", "dqn.execution.nothing", "sweeps.nothing"])
def test_what_never_was_there_is_not_found_as_ever(name):
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(name)


@pytest.mark.parametrize(
    ("command", "now"),
    [
        ("dqn.bench", "python -m benchmarks"),
        ("sweeps course", "a notebook, examples/exercise.ipynb"),
    ],
)
def test_a_command_that_moved_says_what_to_type_now(command, now):
    done = python("-m", *command.split(), timeout=60)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"{command.split()[-1]} is now {now}" in line
