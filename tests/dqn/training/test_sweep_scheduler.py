"""The scheduler between a source that is scripted, a pool that trains nothing and a real folder."""

import contextlib
import io
import re
from threading import Event

import pandas as pd
import pytest
from rich.console import Console
from scripted import (
    BASE,
    CONFIGS,
    EPISODES,
    STAGED,
    CutError,
    FakePool,
    Scripted,
    Silent,
    drive,
    opened,
    returns_of,
    statuses,
    table,
    trials,
)

from dqn.runtime.errors import RunError
from dqn.storage.results_dir import ResultsDir
from dqn.terminal import console
from dqn.terminal.progress import SweepProgress
from dqn.training.jobs import Finished
from dqn.training.scheduler import Scheduler
from dqn.training.trial_source import FixedTrials


def test_every_training_of_a_grid_is_a_row(tmp_path):
    pool = FakePool()
    assert drive(tmp_path, FixedTrials(trials()), pool) is False
    frame = table(tmp_path)
    assert len(frame) == 15
    assert (frame.status == "done").all()
    for row in frame.itertuples():
        assert row.mean_return == returns_of(row.trial, row.seed).mean()
        assert row.lr == CONFIGS[row.trial].lr
    assert len(pool.trained) == 15
    assert pd.read_csv(tmp_path / "trials.csv").trial.tolist() == [4, 3, 2, 1, 0]


@pytest.mark.parametrize("lanes", [1, 3, 16])
@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_a_grid_does_not_depend_on_lanes_chunks_or_the_order_of_reports(tmp_path, lanes, chunk):
    drive(tmp_path / "one", FixedTrials(trials()), FakePool())
    drive(tmp_path / "other", FixedTrials(trials()), FakePool(lanes, chunk, order=lanes + chunk))
    pd.testing.assert_frame_equal(table(tmp_path / "one"), table(tmp_path / "other"))


def test_no_more_trials_begin_than_there_is_room_for(tmp_path):
    most = [0]

    class Counting(FakePool):
        def advance(self, new, cancelled):
            most[0] = max(most[0], len(new) + len(self._jobs))
            return super().advance(new, cancelled)

    drive(tmp_path, FixedTrials(trials()), Counting(lanes=4))
    assert 6 <= most[0] <= 6 + 2  # a trial begins with all its seeds or not at all


def test_pruning_at_rungs(tmp_path):
    source = Scripted(trials(), rungs=(0.25, 0.5), bar=150.0)
    pool = FakePool(lanes=3, chunk=1)
    drive(tmp_path, source, pool)
    # up to the rungs are 3 and 5 of 9 episodes: means of 1 and 2 beside 100 trial + 10 seed
    assert source.asked[0] == (0, 0, {0: 1.0, 1: 11.0, 2: 21.0})
    assert [rung for number, rung, _ in source.asked if number == 3] == [0, 1]
    assert [means for number, _, means in source.asked if number == 3][1] == {
        0: 302.0,
        1: 312.0,
        2: 322.0,
    }
    assert [rung for number, rung, _ in source.asked if number == 1] == [0]
    assert statuses(tmp_path) == {
        **dict.fromkeys((0, 1), ["pruned"] * 3),
        **dict.fromkeys((2, 3, 4), ["done"] * 3),
    }
    frame = table(tmp_path)
    assert set(frame[frame.trial == 0].episodes) == {3}  # what they had earned is kept
    assert sorted(source.ended) == [0, 1, 2, 3, 4]


def test_rungs_of_a_trial_that_ends_within_a_chunk_are_reported_and_end_its_stages(tmp_path):
    source = Scripted(trials([0]), rungs=(0.25, 0.5), bar=250.0, stages=dict.fromkeys(STAGED, (1,)))
    drive(tmp_path, source, FakePool(chunk=EPISODES))
    asked = sorted((number, rung) for number, rung, _ in source.asked)
    assert asked == [(0, 0), (1, 0), (2, 0), (3, 0), (3, 1), (4, 0), (4, 1)]
    counts = {number: len(rows) for number, rows in statuses(tmp_path).items()}
    assert counts == {0: 1, 1: 1, 2: 1, 3: 2, 4: 2}
    assert (table(tmp_path).status == "done").all()


def test_pruning_after_a_seed(tmp_path):
    source = Scripted(trials(), seed_bar=150.0)
    drive(tmp_path, source, FakePool(lanes=1))
    assert statuses(tmp_path)[0] == ["done", "pruned", "pruned"]
    assert statuses(tmp_path)[2] == ["done"] * 3


def test_seeds_in_stages(tmp_path):
    stages = {(1, 1): (1, 2), (3, 1): (1, 2), (3, 3): (3,)}
    source = Scripted(trials(seeds=[0]), stages=stages)
    drive(tmp_path, source, FakePool())
    assert {number: len(rows) for number, rows in statuses(tmp_path).items()} == {
        0: 1,
        1: 3,
        2: 1,
        3: 4,
        4: 1,
    }
    assert source.ended[3] == [(seed, "done") for seed in range(4)]


@pytest.mark.parametrize("cut", range(1, 9))
def test_rungs_after_a_resume_count_what_earlier_sessions_earned(tmp_path, cut):
    def source():
        return Scripted(trials([0], 1), rungs=(0.5,), stages={(0, 1): (1,)}, bar=-1.0)

    with pytest.raises(CutError):
        drive(tmp_path, source(), FakePool(lanes=1, chunk=2, cut=cut))
    again = source()
    drive(tmp_path, again, FakePool(lanes=1, chunk=2))
    assert statuses(tmp_path) == {0: ["done", "done"]}
    (number, rung, means) = again.asked[-1]
    expected = {0: 2.0} if cut < 5 else {0: 2.0, 1: 12.0}
    assert (number, rung, means) == (0, 0, expected)


@pytest.mark.parametrize("lost", [[1], [2, 3], [4, 5, 7]])
def test_lost_trainings_begin_anew_with_the_same_rungs_and_rows(tmp_path, lost):
    def source():
        return Scripted(trials(), rungs=(0.5,), bar=150.0)

    calm, troubled, view = source(), source(), Silent()
    drive(tmp_path / "calm", calm, FakePool(lanes=3))
    drive(tmp_path / "troubled", troubled, FakePool(lanes=3, lost=lost), view)
    assert sorted(calm.asked) == sorted(troubled.asked)
    pd.testing.assert_frame_equal(table(tmp_path / "calm"), table(tmp_path / "troubled"))
    assert view.notices == ["a worker was lost"] * len(lost)


def test_a_failed_trial_is_told_once_and_the_others_go_on(tmp_path):
    view, source = Silent(), Scripted(trials())
    assert drive(tmp_path, source, FakePool(failing={2}), view) is False
    assert statuses(tmp_path)[2] == ["failed", "failed", "pruned"]  # the third was not tried
    assert {number for number, s in statuses(tmp_path).items() if s == ["done"] * 3} == {0, 1, 3, 4}
    assert view.notices == ["trial 2 failed: too large"]
    assert sorted(status for _, status in source.ended[2]) == ["failed", "failed", "pruned"]


def test_the_seeds_of_a_failed_trial_that_are_under_way_are_not_gone_on_with(tmp_path):
    class FailsOnce(FakePool):
        def advance(self, new, cancelled):
            update = super().advance(new, cancelled)
            if self.calls == 1:
                job = self._jobs.pop((0, 0))
                update.finished.append(Finished.failed(job, "lost"))
            return update

    drive(tmp_path, FixedTrials(trials()), FailsOnce(lanes=6))
    assert statuses(tmp_path)[0] == ["failed", "pruned", "pruned"]
    assert statuses(tmp_path)[1] == ["done"] * 3


def test_the_only_trial_there_is_cannot_fail_quietly(tmp_path):
    with pytest.raises(RunError, match="too large"):
        drive(tmp_path, FixedTrials(trials(count=1)), FakePool(failing={0}))


@pytest.mark.parametrize("end", ["over", "unfinished"])
def test_a_wish_to_stop_is_heard_whatever_has_just_ended(tmp_path, end):
    asked, view = Event(), Silent()
    view.when_over = lambda progress: asked.set()
    seeds, lanes = ((0,), 1) if end == "over" else ((0, 1, 2), 4)

    class Narrow(FakePool):
        @property
        def free_slots(self):
            return (1 if end == "over" else 4) - len(self._jobs)

    assert drive(tmp_path, FixedTrials(trials(seeds)), Narrow(lanes), view, asked) is True
    assert 0 < len(statuses(tmp_path)) < 5
    assert drive(tmp_path, FixedTrials(trials(seeds)), FakePool()) is False
    assert sum(len(rows) for rows in statuses(tmp_path).values()) == 5 * len(seeds)


def test_a_wish_to_stop_that_comes_with_the_very_end_stops_nothing(tmp_path):
    asked, view = Event(), Silent()
    view.when_over = lambda progress: asked.set() if progress.number == 4 else None
    assert drive(tmp_path, FixedTrials(trials()), FakePool(lanes=1), view, asked) is False


SOURCES = {
    "grid": lambda: Scripted(trials()),
    "rungs": lambda: Scripted(trials(), rungs=(0.25, 0.5), bar=150.0),
    "seeds": lambda: Scripted(trials(), seed_bar=150.0),
    "stages": lambda: Scripted(
        trials([0]), rungs=(0.5,), stages={(1, 1): (1, 2), (3, 1): (1, 2), (3, 3): (3,)}
    ),
}


LANES = {"grid": 3, "rungs": 3, "seeds": 1, "stages": 3}  # 1: else all seeds end at once


def resumed(path, kind, cut):
    """Whether a session was cut at its call `cut`; another one then went on."""
    first = FakePool(LANES[kind], order=cut, cut=cut)
    try:
        drive(path, SOURCES[kind](), first)
        return False
    except CutError:
        pass
    finished = {(row.trial, row.seed) for row in table(path).itertuples()} if first.calls else set()
    pool = FakePool(LANES[kind], order=cut + 1)
    drive(path, SOURCES[kind](), pool)
    assert finished.isdisjoint(pool.trained)
    return True


@pytest.mark.parametrize("kind", SOURCES)
def test_a_cut_at_any_call_and_a_resume_give_the_same_table(tmp_path, kind):
    drive(tmp_path / "whole", SOURCES[kind](), FakePool(LANES[kind]))
    cut = 0
    while resumed(tmp_path / str(cut), kind, cut):
        same(kind, tmp_path / "whole", tmp_path / str(cut))
        cut += 1
    assert cut > 8


@pytest.mark.parametrize("kind", SOURCES)
def test_a_cut_after_any_row_and_a_resume_give_the_same_table(tmp_path, kind, monkeypatch):
    drive(tmp_path / "whole", SOURCES[kind](), FakePool(LANES[kind]))
    add = ResultsDir.add
    left = [0]

    def cut_after(folder, *results):
        add(folder, *results[: left[0]])
        left[0] -= len(results)
        if left[0] <= 0:
            left[0] = 10**6
            raise CutError

    monkeypatch.setattr(ResultsDir, "add", cut_after)
    for row in range(1, len(table(tmp_path / "whole")) + 1):
        left[0] = row
        with pytest.raises(CutError):
            drive(tmp_path / str(row), SOURCES[kind](), FakePool(LANES[kind]))
        source = SOURCES[kind]()
        assert drive(tmp_path / str(row), source, FakePool(LANES[kind])) is False
        assert sorted(source.ended) == [0, 1, 2, 3, 4]  # also of those that were whole
        same(kind, tmp_path / "whole", tmp_path / str(row))


def same(kind, whole, other):
    """Equal but for how far seeds had come when they were pruned, and which of them were."""
    one, two = table(whole), table(other)
    assert one[["trial", "seed"]].equals(two[["trial", "seed"]])
    if kind in ("rungs", "seeds"):
        pruned = [set(f[f.status == "pruned"].trial) for f in (one, two)]
        assert pruned == [{0, 1}] * 2
        one, two = (f[~f.trial.isin(pruned[0])] for f in (one, two))
    pd.testing.assert_frame_equal(one, two)


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("cut", [0, 4, 9])
def test_what_is_shown_of_a_sweep_is_never_more_than_all(tmp_path, kind, cut, monkeypatch):
    monkeypatch.setattr(console, "_PAUSE", -1.0)  # a line at every report
    text = ""
    for pool in (FakePool(3, lost=[3], cut=cut), FakePool(3, lost=[2])):
        screen = Console(file=io.StringIO(), width=200)
        source = SOURCES[kind]()
        with (
            opened(tmp_path) as folder,
            SweepProgress(folder, source.total, BASE, screen) as view,
        ):
            with contextlib.suppress(CutError):
                Scheduler(source, folder, pool, view).run(Event())
            assert view.counts.over + view.counts.running <= 5
        text = screen.file.getvalue()
        shares = [float(share) for share in re.findall(r"([-\d.]+) %", text)]
        assert all(0 <= share <= 100 for share in shares), text
        assert re.findall(r"-\d+:\d+ left", text) == []
    assert view.counts.running == 0
    assert view.counts.over == 5
    assert view._share() == 1.0
    assert view.counts.pruned == (2 if kind == "rungs" else view.counts.pruned)


def test_steps_saved_are_against_those_of_seeds_that_were_not_pruned(tmp_path):
    source = Scripted(list(reversed(trials())), rungs=(0.25,), bar=150.0)
    console = Console(file=io.StringIO(), width=200)
    with opened(tmp_path) as folder, SweepProgress(folder, 5, BASE, console) as view:
        Scheduler(source, folder, FakePool(lanes=3, chunk=1), view).run(Event())
        text = view._summary()
    # 9 whole seeds of 9 steps, then 6 that were pruned after 3: 36 of 135 steps
    assert view.steps == 9 * 9 + 6 * 3
    assert f"{100 * 36 / 135:.0f} % of steps saved" in text
