"""What holds of the checkout as a whole: the length of files, and what is declared and locked."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

HOUSE = Path(__file__).parents[1]
PACKAGES = ("dqn", "sweeps", "hydra_plugins")
PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def test_no_file_is_too_long_to_be_read_at_once():
    files = [
        path
        for room in (*PACKAGES, "benchmarks", "examples")
        for path in HOUSE.glob(f"{room}/**/*.py")
    ]
    assert len(files) > 100
    for path in files:
        assert len(path.read_text().splitlines()) <= 300, path


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-lowest.lock"])
def test_a_lock_has_exact_versions_and_no_addresses(lock):
    lines = (HOUSE / lock).read_text().splitlines()
    assert len(lines) > 50
    for line in lines:
        assert re.fullmatch(r"[\w.-]+(\[\w+\])?==[\w.+!]+( ; .+)?", line), line


def test_the_lowest_lock_has_the_floor_of_each_range():
    lines = (HOUSE / "requirements-lowest.lock").read_text().splitlines()
    locked = {name: Version(version) for name, version in (line.split("==") for line in lines)}
    for text in chain(PROJECT["dependencies"], EXTRAS["test"]):
        wanted = Requirement(text)
        (floor,) = (one.version for one in wanted.specifier if one.operator == ">=")
        assert locked[canonicalize_name(wanted.name)] == Version(floor), text


def test_what_is_imported_is_declared():
    users = chain(*(wanted for extra, wanted in EXTRAS.items() if extra not in ("lint", "test")))
    wanted = map(Requirement, chain(PROJECT["dependencies"], users))
    declared = {canonicalize_name(one.name) for one in wanted}
    homes = packages_distributions()
    for path in chain(*(HOUSE.glob(f"{package}/**/*.py") for package in PACKAGES)):
        for name in imported(path) - {*sys.stdlib_module_names, *PACKAGES}:
            from_ = {canonicalize_name(home) for home in homes.get(name, ())}
            assert declared & from_, (path, name)


def imported(path):
    """The top-level modules that a file imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module and not n.level]
    return {name.partition(".")[0] for name in names}


def test_ci_runs_the_commands_of_the_readme():
    commands = re.findall(r"^python3 -m venv.*$", (HOUSE / "README.md").read_text(), re.M)
    assert len(commands) == 2
    assert "python -m dqn.run" in commands[0]
    assert "pytest" in commands[1]
    script = (HOUSE / ".ci/run").read_text()
    assert "grep '^python3 -m venv' README.md" in script
    linters = [line.split()[0] for line in script.splitlines() if line.startswith("  .venv/bin/")]
    assert {"ruff", "pyright", "lint-imports"} <= {Path(program).name for program in linters}
