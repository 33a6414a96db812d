"""The checks that need no running: style, types, and imports that go one way."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1]
CHECKS = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "pyright": ["pyright", "--pythonpath", sys.executable],
    "import-linter": ["lint-imports", "--no-cache"],
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_house_is_in_order(check):
    name, *arguments = CHECKS[check]
    program = shutil.which(name, path=str(Path(sys.executable).parent))
    assert program, f"{name} is not installed: pip install -e '.[test]'"
    done = subprocess.run([program, *arguments], cwd=HOUSE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_is_too_long_to_be_read_at_once():
    files = [
        path
        for room in ("dqn", "sweeps", "hydra_plugins", "benchmarks", "examples")
        for path in HOUSE.glob(f"{room}/**/*.py")
    ]
    assert len(files) > 100
    for path in files:
        assert len(path.read_text().splitlines()) <= 300, path


def test_the_lock_has_exact_versions_and_no_addresses():
    lines = (HOUSE / "requirements.lock").read_text().splitlines()
    assert len(lines) > 50
    for line in lines:
        assert re.fullmatch(r"[\w.-]+(\[\w+\])?==[\w.+!]+( ; .+)?", line), line


def test_ci_runs_the_commands_of_the_readme():
    commands = re.findall(r"^python3 -m venv.*$", (HOUSE / "README.md").read_text(), re.M)
    assert len(commands) == 2
    assert "python -m dqn.run" in commands[0]
    assert "pytest" in commands[1]
    assert "grep '^python3 -m venv' README.md" in (HOUSE / ".ci/run").read_text()
