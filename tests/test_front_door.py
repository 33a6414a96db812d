"""The names that users import: which there are, an example of each, and that they are light."""

import doctest
import re
import warnings
from pathlib import Path

import pytest
from commands import python

import dqn
import sweeps
from dqn.compose.help_page import CONF, default_groups
from dqn.compose.keywords import Keywords
from dqn.config.config import KEYS
from sweeps.api import StudyKeywords

NAMES = {
    dqn: [
        "Config", "DQNAgent", "ReplayBuffer", "Run", "RunError", "UserError", "create_model",
        "load", "record_episode", "register", "train",
    ],
    sweeps: ["Sweep", "compare", "grid", "log", "tune", "uniform"],
}  # fmt: skip
IN_ORDER = [
    dqn.train, dqn.load, dqn.Run, dqn.Config, dqn.UserError, dqn.RunError, dqn.DQNAgent,
    dqn.ReplayBuffer, dqn.create_model, dqn.record_episode, dqn.register, sweeps.grid, sweeps.Sweep,
    sweeps.compare, sweeps.tune, sweeps.log, sweeps.uniform,
]  # fmt: skip
HEAVY = ("numpy", "pandas", "tensorflow", "keras", "hydra", "omegaconf", "optuna", "matplotlib",
         "gymnasium", "rich", "pyarrow", "scipy", "yaml", "IPython")  # fmt: skip


@pytest.mark.parametrize("package", NAMES, ids=lambda package: package.__name__)
def test_exactly_these_names_are_exported(package):
    assert sorted(package.__all__) == sorted(NAMES[package])
    assert sorted(package._HOMES) == sorted(NAMES[package])
    assert set(NAMES[package]) <= set(dir(package))
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = package.trian


@pytest.mark.timeout(900)  # several trainings, on a machine that may be busy
def test_each_has_an_example_that_prints_what_it_says(tmp_path, monkeypatch):
    assert [one.__name__ for one in IN_ORDER] == [one.__name__ for one in dict.fromkeys(IN_ORDER)]
    assert {one.__name__ for one in IN_ORDER} == {
        name for names in NAMES.values() for name in names
    }
    monkeypatch.chdir(tmp_path)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    said = []
    ran = doctest.DocTestRunner(optionflags=flags)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)  # Keras's
        for one in IN_ORDER:
            example = doctest.DocTestParser().get_doctest(one.__doc__, {}, one.__name__, None, None)
            assert example.examples, one
            ran.run(example, out=said.append)
    assert ran.failures == 0, "".join(said)


def test_importing_them_imports_nothing_heavy():
    code = f"import sys, dqn, sweeps; print([name for name in {HEAVY} if name in sys.modules])"
    done = python("-c", code)
    assert done.stdout == "[]\n", done.stderr


def test_a_space_is_written_without_anything_heavy():
    code = f"import sys, sweeps; sweeps.log(1e-4, 1e-2); print(set({HEAVY}) & set(sys.modules))"
    assert python("-c", code).stdout == "set()\n"


def test_editors_know_every_key():
    keys = {name for name in KEYS if "." not in name} - {"name"}
    assert set(Keywords.__annotations__) == keys | {*default_groups()} | {"sweep"}
    text = (CONF / "hydra" / "sweeper" / "optuna.yaml").read_text()
    settings = {*re.findall(r"^(\w+):", text, re.MULTILINE)}
    settings -= {"_target_", "_recursive_", "defaults", "params", "n_trials"}
    assert {*StudyKeywords.__annotations__} - {*Keywords.__annotations__} == settings


def test_the_package_says_that_it_is_typed():
    for package in NAMES:
        assert (Path(package.__file__).parent / "py.typed").exists()
