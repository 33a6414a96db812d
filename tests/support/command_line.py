"""The command line in this process: what a user types, reads and gets."""

import os
import sys
import types
from pathlib import Path

import pytest

from dqn import run, session
from dqn.training.scheduler import Timing

CHECKOUT = Path(__file__).resolve().parents[2]


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(CHECKOUT)}


class Line:
    """A command line in an empty folder, as a user types and reads it; training is recorded."""

    def __init__(self, monkeypatch, capfd):
        self._monkeypatch, self._capfd = monkeypatch, capfd
        self.trained = []
        self.outcome = lambda config: 0
        monkeypatch.setattr(session, "train", self._train)
        monkeypatch.setattr(session, "sweep", self._sweep)

    def _train(self, config, folder):
        self.trained.append((config, folder))
        return self.outcome(config)

    def _sweep(self, base, folder, about, make_source, say):
        folder.mkdir(parents=True, exist_ok=True)
        source = make_source(types.SimpleNamespace(path=folder))
        assert about.swept == tuple(about.record["params"])
        while (trial := source.next()) is not None:
            self.trained.append((trial.config, folder))
        return self.outcome(base), Timing()

    def __call__(self, *arguments):
        self._monkeypatch.setattr(sys, "argv", ["dqn-run", *arguments])
        status = run.main()
        self.out, self.err = self.read()
        return status

    def read(self):
        """What was printed since the last look, to standard output and to standard error."""
        return self._capfd.readouterr()

    @property
    def config(self):
        (config, _), *others = self.trained
        assert others == []
        return config

    @property
    def folders(self):
        return [folder for _, folder in self.trained]


@pytest.fixture
def line(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    return Line(monkeypatch, capfd)


def exit_status(line, *arguments):
    """Of a command that ends the process itself, as a sweep does unless all went well."""
    with pytest.raises(SystemExit) as ended:
        line(*arguments)
    return ended.value.code


def assert_refused(line, folder, typed, parts):
    """One line says what is wrong, `KEY ; PART; PART` of it are given; nothing is trained or left.

    `typed` are the arguments, parted by single blanks.
    """
    assert line(*typed.split(" ")) == 2
    key, _, others = parts.partition(" ; ")
    assert line.err.endswith("\n")
    assert len(line.err.splitlines()) == 1
    assert [part for part in (key, *others.split("; ")) if part not in line.err] == []
    assert line.out == ""
    assert line.trained == []
    assert list(folder.iterdir()) == []
