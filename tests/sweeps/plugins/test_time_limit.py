"""`hydra.sweeper.timeout`: a study stops by a clock, and no result depends on when it did."""

import itertools
from threading import Event

import pandas as pd
import pytest
from command_line import assert_refused
from commands import here
from scripted import FakePool, Scripted, Silent, opened, statuses, trials
from scripted import table as rows_of
from sweep_commands import table

from dqn.config import Config
from dqn.runtime.exit_codes import TIME_IS_UP
from dqn.storage.manifest import read_sweep
from dqn.training import time_limit
from dqn.training.scheduler import Scheduler
from dqn.training.time_limit import TimeLimit
from sweeps.plugins import study
from sweeps.search.settings import Validate

STUDY = ["-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=6", "hydra.sweeper.parallel=2",
         "seeds=4", "hydra.sweeper.racing=[2,4]", "episodes=30", "test_episodes=1", "train_freq=2",
         "hidden=[8]", "batch_size=8", "workers=0", "lr=tag(log,interval(1e-4,1e-2))"]  # fmt: skip


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by a second whenever it is read."""
    seconds = itertools.count()
    monkeypatch.setattr(time_limit, "clock", lambda: float(next(seconds)))


def test_a_limit_is_over_once_its_seconds_have_passed(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time_limit, "clock", lambda: now[0])
    limit, none = TimeLimit(10), TimeLimit()
    assert not limit.is_over
    now[0] = 109.9
    assert not limit.is_over
    now[0] = 110.0
    assert limit.is_over
    now[0] = 1e12
    assert not none.is_over


@pytest.mark.usefixtures("clock")
def test_what_is_finished_is_kept_and_no_training_begins_afterwards(tmp_path):
    with opened(tmp_path / "whole") as folder:
        assert not Scheduler(Scripted(trials()), folder, FakePool(), Silent()).run(Event())
    pools = []
    for _ in range(20):
        pools.append(FakePool())
        with opened(tmp_path / "cut") as folder:
            scheduler = Scheduler(Scripted(trials()), folder, pools[-1], Silent())
            if not scheduler.run(Event(), TimeLimit(7)):
                break
        assert pools[-1].calls == 6
        assert {status for of in statuses(tmp_path / "cut").values() for status in of} == {"done"}
    assert len(pools) > 2
    pd.testing.assert_frame_equal(rows_of(tmp_path / "cut"), rows_of(tmp_path / "whole"))


@pytest.mark.usefixtures("clock")
def test_a_study_that_its_limit_stops_again_and_again_is_the_one_that_was_not(tmp_path, capfd):
    calm, cut = tmp_path / "calm", tmp_path / "cut"
    assert here(*STUDY, f"hydra.sweep.dir={calm}") == 0
    capfd.readouterr()
    said, limit = [], 4
    for times in range(30):
        # Another one each time: it is no part of what the study is.
        words = [f"hydra.sweep.dir={cut}", f"hydra.sweeper.timeout={limit + times % 2}"]
        assert here(*STUDY, *words) == 0
        said.append(capfd.readouterr())
        if "time is up" not in said[-1].out:
            break
        limit += not (cut / "seeds.csv").read_text().count("\n") > times + 1
    assert len(said) > 2
    assert all("of 6 trials saved" in text.out for text in said[:-1])
    assert all("to resume: " in text.out for text in said[:-1])
    assert "hydra.sweeper.timeout=" in said[0].out.partition("to resume: ")[2]
    assert "to resume" not in said[-1].out
    pd.testing.assert_frame_equal(table(cut), table(calm))
    assert (cut / "trials.csv").read_text() == (calm / "trials.csv").read_text()
    one, other = (read_sweep(path / "sweep.yaml") for path in (calm, cut))
    assert one | {"identity": None} == other | {"identity": None}
    assert "timeout" not in one


@pytest.mark.usefixtures("clock")
def test_a_limit_in_which_nothing_ends_says_so(tmp_path, capfd):
    assert here(*STUDY, f"hydra.sweep.dir={tmp_path / 's'}", "hydra.sweeper.timeout=1") == 0
    text = capfd.readouterr().out
    assert "time is up: 0 of 6 trials saved" in text
    assert "a longer one gets further" in text


def test_a_validation_is_stopped_by_what_is_left_of_the_limit(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(time_limit, "clock", lambda: now[0])
    given = []

    def validate_trials(path, top, seeds, on, limit):
        given.append(limit)
        now[0] = 60.0

    monkeypatch.setattr(study, "validate_trials", validate_trials)
    limit = TimeLimit(60)
    assert study._validated(None, Validate(top=3, seeds=20), Config(), limit) == TIME_IS_UP
    assert given == [limit]
    assert capsys.readouterr().out == "\nvalidation\n"


@pytest.mark.parametrize("given", ["2h", "0", "-1", "inf", "nan", "true", "[60]"])
def test_what_is_no_number_of_seconds_is_refused(line, tmp_path, given):
    typed = f"-m hydra/sweeper=optuna lr=interval(1e-4,1e-2) hydra.sweeper.timeout={given}"
    assert_refused(line, tmp_path, typed, "hydra.sweeper.timeout ; > 0")
