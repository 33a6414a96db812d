"""What a tracker hears, and that none ever stops, slows or changes a training."""

import re
import sys
import threading
import time

import numpy as np
import pytest
from scripted import EPISODES, CutError, FakePool, Scripted, Silent, drive, table, trials
from scripted import returns_of as returns
from tracked import Remembering, track

from dqn.tracking import TRACKERS, background
from dqn.tracking.background import BackgroundTracker
from dqn.tracking.tracker import TrackedTraining
from dqn.training.jobs import EpisodeBatch

EVERY = [(trial, seed) for trial in range(5) for seed in range(3)]


@pytest.fixture(autouse=True)
def tracker(monkeypatch):
    """The class that `tracking=wandb` names in these tests, fresh."""
    fresh = type("Fresh", (Remembering,), {})
    monkeypatch.setitem(TRACKERS, "wandb", fresh)
    return fresh


def test_every_training_is_a_run_with_its_episodes_in_order_and_its_row(tmp_path, tracker):
    stopped, notices, _ = track(tmp_path, Scripted(trials()), FakePool(order=3))
    made = tracker.made
    assert (stopped, made.is_closed, notices) == (False, True, ["Remembering: in memory"])
    assert sorted(made.begun) == sorted(made.rows) == EVERY
    for key in EVERY:
        assert made.runs[key] == returns(*key).tolist()
    rows = {(row.trial, row.seed): row for row in table(tmp_path).itertuples()}
    for key, row in made.rows.items():
        assert (row["mean_return"], row["status"]) == (rows[key].mean_return, "done")
        assert row["lr"] == pytest.approx(rows[key].lr)


def test_the_same_is_on_disk_with_a_tracker_and_without(tmp_path):
    drive(tmp_path / "without", Scripted(trials()), FakePool())
    track(tmp_path / "with", Scripted(trials()), FakePool())
    assert (tmp_path / "without" / "trials.csv").read_bytes() == (
        tmp_path / "with" / "trials.csv"
    ).read_bytes()
    assert table(tmp_path / "without").equals(table(tmp_path / "with"))


def test_without_a_tracker_nothing_is_said_or_kept(tmp_path, tracker):
    _, notices, cost = track(tmp_path, Scripted(trials()), FakePool(), name=None)
    assert (notices, cost) == ([], "")
    assert not hasattr(tracker, "made")
    assert not (tmp_path / ".tracking").exists()


def test_a_training_that_restarts_gets_its_run_anew(tmp_path, tracker):
    track(tmp_path, Scripted(trials()), FakePool(lost=(3,)))
    made = tracker.made
    assert len(made.begun) > len(EVERY)
    assert all(made.runs[key] == returns(*key).tolist() for key in EVERY)


def test_pruned_trainings_have_their_rows_too(tmp_path, tracker):
    bar = float(returns(2, 1).mean())
    track(tmp_path, Scripted(trials(), rungs=(0.5,), bar=bar), FakePool())
    found = {key: row["status"] for key, row in tracker.made.rows.items()}
    assert found == {(r.trial, r.seed): r.status for r in table(tmp_path).itertuples()}
    assert {"done", "pruned"} == set(found.values())


def test_a_resumed_command_tracks_what_it_trains(tmp_path, tracker):
    with pytest.raises(CutError):
        track(tmp_path, Scripted(trials()), FakePool(cut=6))
    first = tracker.made
    assert first.is_closed
    before = set(first.rows)
    assert 0 < len(before) < len(EVERY)
    assert before == {(r.trial, r.seed) for r in table(tmp_path).itertuples()}
    track(tmp_path, Scripted(trials()), FakePool())
    second = tracker.made
    assert set(second.begun) == set(EVERY) - before
    assert second.folder.id == first.folder.id  # so a run is found again
    training = TrackedTraining(1, 2, {})
    assert second.folder.id_of(training) == first.folder.id_of(training)


@pytest.mark.parametrize("place", ["import", "start", "log", "finish", "close"])
def test_a_tracker_that_fails_costs_one_line(tmp_path, tracker, place):
    tracker.fails_at = place
    stopped, notices, _ = track(tmp_path, Scripted(trials()), FakePool())
    assert not stopped
    assert len(table(tmp_path)) == len(EVERY)
    assert tracker.made.is_closed == (place not in ("import", "close"))
    (line,) = [line for line in notices if "in memory" not in line]
    assert line == (
        "tracking=wandb failed (no route); training goes on without it; "
        f"python -m sweeps export {tmp_path} --to wandb sends all of it later"
    )


def test_a_tracker_that_ends_its_thread_ends_nothing_else(tmp_path, tracker):
    tracker.fails_at, tracker.error = "log", SystemExit(3)
    assert not track(tmp_path, Scripted(trials()), FakePool())[0]
    assert len(table(tmp_path)) == len(EVERY)


@pytest.mark.parametrize("name", ["mlflow", "tensorboard"])
def test_a_library_that_is_missing_costs_one_line(tmp_path, monkeypatch, name):
    for module in [name, "tensorboard.compat.proto"]:
        monkeypatch.setitem(sys.modules, module, None)
    stopped, notices, cost = track(tmp_path, Scripted(trials()), FakePool(), name=name)
    assert not stopped
    assert len(table(tmp_path)) == len(EVERY)
    tracker = TRACKERS[name]
    needs = f"needs {tracker.title}: pip install {tracker.package}"
    assert notices == [f"tracking={name} {needs}; training goes on without it"]
    assert cost == ""


@pytest.mark.parametrize("place", ["import", "log", "close"])
def test_a_tracker_that_hangs_is_left_behind(tmp_path, tracker, monkeypatch, place):
    tracker.hangs_at = place
    monkeypatch.setattr(background, "PATIENCE", 0.2)
    stopped, notices, _ = track(tmp_path, Scripted(trials()), FakePool())
    assert not stopped
    assert len(table(tmp_path)) == len(EVERY)
    assert notices[-1] == (
        "Remembering has not ended: the rest is left out; "
        f"python -m sweeps export {tmp_path} --to wandb sends all of it later"
    )
    tracker.made.awake.set()


def test_ctrl_c_does_not_wait_for_a_tracker(tmp_path, tracker, monkeypatch):
    tracker.hangs_at = "close"
    monkeypatch.setattr(background, "PATIENCE", 9_000.0)
    monkeypatch.setattr(background, "_SHOWN_AFTER", 0.0)

    class Impatient(Silent):
        def notice(self, text):
            super().notice(text)
            if text.startswith("waiting"):
                raise KeyboardInterrupt

    _, notices, _ = track(tmp_path, Scripted(trials()), FakePool(), view=Impatient())
    assert not tracker.made.is_closed
    assert [line.split(" ")[0] for line in notices[-2:]] == ["waiting", "Remembering"]
    assert re.search(r"waiting up to 9000 s for Remembering, 0 episodes left", notices[-2])
    tracker.made.awake.set()


def test_a_second_ctrl_c_ends_the_command_at_once(tmp_path, tracker, monkeypatch):
    tracker.hangs_at = "close"
    monkeypatch.setattr(background, "PATIENCE", 9_000.0)

    class Interrupted(FakePool):
        def advance(self, new, cancelled):
            if self.calls == 5:
                raise KeyboardInterrupt
            return super().advance(new, cancelled)

    with pytest.raises(KeyboardInterrupt):
        track(tmp_path, Scripted(trials()), Interrupted())
    assert tracker.made.begun
    assert not tracker.made.is_closed
    tracker.made.awake.set()


def test_what_waits_is_bounded_and_final_rows_are_kept(tmp_path, tracker, monkeypatch):
    monkeypatch.setattr(background, "MOST_WAITING", 10)
    held = threading.Event()

    class Slow(tracker):
        def log(self, training, episodes):
            held.wait(60)
            super().log(training, episodes)

    monkeypatch.setitem(TRACKERS, "wandb", Slow)
    view = Silent()
    view.when_over = lambda progress: held.set() if progress.number == 4 else None
    _, notices, _ = track(tmp_path, Scripted(trials()), FakePool(), view=view)
    gaps = [line for line in notices if "slower than training" in line]
    assert gaps == [
        "Remembering is slower than training: curves get gaps; "
        f"python -m sweeps export {tmp_path} --to wandb sends all of it later"
    ]
    assert sorted(Slow.made.rows) == EVERY
    assert sum(map(len, Slow.made.runs.values())) < len(EVERY) * EPISODES


def test_a_seed_that_failed_without_a_row_is_said_to_have_failed(tmp_path, tracker):
    with pytest.raises(Exception, match="too large"):
        track(tmp_path, Scripted(trials(count=1)), FakePool(failing=(0,)))
    assert {key: row["status"] for key, row in tracker.made.rows.items()} == {
        (0, seed): "failed" for seed in range(3)
    }


def test_what_it_costs_is_measured(tmp_path, tracker):
    _, _, cost = track(tmp_path, Scripted(trials()), FakePool())
    number = len(EVERY) * EPISODES
    pattern = (
        rf"tracking: {number} episodes in Remembering, (\d+) µs each, (\d+\.\d) % of the time; "
        r"\d+\.\d s to start"
    )
    assert re.fullmatch(pattern, cost), cost

    class Slow(tracker):
        def log(self, training, episodes):
            time.sleep(0.05)

    TRACKERS["wandb"] = Slow  # undone by the fixture
    slow = BackgroundTracker("wandb", tmp_path, print)
    row = np.ones(4)
    slow.log(TrackedTraining(0, 0, {}), EpisodeBatch((0, 0), row, row, row, row, row, row))
    slow.close()
    micros, share = re.search(r"4 episodes in .* ([\d,]+) µs each, ([\d.]+) %", slow.cost).groups()
    assert int(micros.replace(",", "")) >= 0.05 / 4 * 1e6
    assert 0 < float(share) <= 100
