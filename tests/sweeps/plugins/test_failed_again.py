"""A training that failed is tried again, and its second line takes the place of the first."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from killed import before_each_call
from trainings import CONFIG, pairs, read_seeds, result

from dqn.runtime.errors import RunError
from dqn.storage.results_dir import ResultsDir

SWEEP = {"kind": "grid"}
BASE = dataclasses.replace(CONFIG, seeds=3)
NOTHING = {"returns": (), "test_returns": np.empty(0), "weights": [], "steps": 0}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "grid"


def failed(trial, seed):
    return result(trial, seed, status="failed", **NOTHING)


def first_try(path):
    """Trial 1 fails with its second seed, and its third is given up in its course."""
    with ResultsDir(path, BASE, SWEEP) as folder:
        folder.add(*(result(0, seed) for seed in range(3)))
        folder.add(result(1, 0))
        folder.add(failed(1, 1))
        folder.add(result(1, 2, status="pruned", returns=[1.0], test_returns=np.empty(0)))


def second_try(path):
    with ResultsDir(path, BASE, SWEEP) as folder:
        for seed in range(3):
            if (1, seed) not in folder.finished():
                folder.add(result(1, seed, returns=[40.0, 50.0 + seed]))


def test_it_counts_as_unfinished_and_shows_as_failed_until_then(path):
    first_try(path)
    with ResultsDir(path, BASE, SWEEP) as folder:
        assert folder.finished() == {(0, 0), (0, 1), (0, 2), (1, 0)}
        assert folder.row(1, 1)["status"] == "failed"
        assert set(folder.trials()["status"]) == {"done", "failed"}
        assert len(folder.rows_of(1)) == 3


def test_its_second_try_is_the_only_one_everywhere(path, capsys):
    first_try(path)
    second_try(path)
    assert capsys.readouterr().err == ""
    rows = {(row["trial"], row["seed"]): row for row in read_seeds(path / "seeds.csv")}
    assert len(rows) == 6
    assert {row["status"] for row in rows.values()} == {"done"}
    frame = pd.read_parquet(path / "episodes.parquet")
    counts = frame.groupby(["trial", "seed"]).size().to_dict()
    assert counts == {key: row["episodes"] for key, row in rows.items()}
    assert pd.read_csv(path / "trials.csv")["status"].tolist() == ["done", "done"]
    with ResultsDir(path, BASE, SWEEP) as folder:
        assert list(folder.best_trials().values()) == [1]
        best = folder.best()
        assert best is not None
        assert (best.trial, best.seed) == (1, 2)
        with pytest.raises(RunError, match="trial 1 seed 1 is in"):
            folder.add(result(1, 1))


def test_it_may_fail_again(path):
    first_try(path)
    with ResultsDir(path, BASE, SWEEP) as folder:
        folder.add(failed(1, 1), failed(1, 2))
        assert folder.finished() == {(0, 0), (0, 1), (0, 2), (1, 0)}
    with ResultsDir(path, BASE, SWEEP) as folder:
        assert [row["status"] for row in folder.rows_of(1)] == ["done", "failed", "failed"]
        assert (1, 2) not in pairs(folder.episodes())
    second_try(path)
    assert len(read_seeds(path / "seeds.csv")) == 6


def test_so_it_is_where_the_first_try_is_in_an_earlier_part(path, monkeypatch):
    monkeypatch.setattr("dqn.storage.episodes.PART_ROWS", 3)
    first_try(path)
    second_try(path)
    frame = pd.read_parquet(path / "episodes.parquet")
    assert frame[frame["trial"] == 1].groupby("seed")["return"].sum().to_dict() == {
        0: 60.0, 1: 91.0, 2: 92.0
    }  # fmt: skip
    with ResultsDir(path, BASE, SWEEP) as folder:
        assert len(folder.finished()) == 6


def work_to_be_killed(path):
    second_try(path)


def prepare(path):
    first_try(path)


def test_a_kill_while_it_is_tried_again_loses_nothing_and_leaves_no_half(tmp_path, capsys):
    first_try(tmp_path / "whole")
    second_try(tmp_path / "whole")
    kills = before_each_call(__file__, tmp_path, prepared=True)
    assert kills >= 2 * 9
    for calls in range(1, kills + 1):
        path = tmp_path / str(calls)
        rows = {(row["trial"], row["seed"]) for row in read_seeds(path / "seeds.csv")}
        assert {(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)} <= rows
        second_try(path)
        assert capsys.readouterr().err == ""
        whole = tmp_path / "whole"
        assert lines(path) == lines(whole)
        assert (path / "trials.csv").read_bytes() == (whole / "trials.csv").read_bytes()
        pd.testing.assert_frame_equal(episodes(path), episodes(whole))
        assert [p.name for p in path.glob(".weights-1-*")] == [".weights-1-2.npz"]


def lines(path):
    return sorted((path / "seeds.csv").read_text().splitlines())


def episodes(path):
    frame = pd.read_parquet(path / "episodes.parquet")
    return frame.sort_values(["trial", "seed", "episode"], ignore_index=True)
