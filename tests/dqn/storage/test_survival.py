"""What a kill, a full disk or a careless hand does to a folder of results."""

import os
import re
import shutil

import pandas as pd
import pyarrow.parquet as pq
import pytest
from killed import before_each_call
from trainings import CONFIG, filled, pairs, read_seeds, result

from dqn.runtime.errors import RunError
from dqn.storage.results_dir import ResultsDir


@pytest.fixture
def path(tmp_path):
    return tmp_path / "outputs" / "run"


def test_a_last_line_cut_anywhere_comes_back_without_a_word(path, capsys):
    filled(path, result(seed=0), result(seed=1))
    whole = (path / "seeds.csv").read_bytes()
    last = whole[:-1].rfind(b"\n") + 1
    for cut in range(last + 1, len(whole), 7):
        (path / "seeds.csv").write_bytes(whole[:cut])
        with ResultsDir(path, CONFIG) as folder:
            assert folder.finished() == {(0, 0), (0, 1)}
            assert (path / "seeds.csv").read_bytes() == whole
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("0,0,CartPole-v0,0.001", "0,0,CartPole-v0,0.0o1", "line 2: column lr must be a num"),
        ("0,0,CartPole-v0,0.001", "0,0,CartPole-v0,nan", "line 2: column lr must be a num"),
        ("0,0,CartPole-v0,0.001", "0,0,CartPole-v0", "line 2: must have 38 cells, has 37"),
        ("0,1,CartPole", "x,1,CartPole", "line 3: column trial must be .* >= 0, is 'x'"),
        ("0,1,CartPole", "0,0,CartPole", "line 3: trial 0 seed 0 is there twice"),
        (",done,", ",dome,", "line 2: column status must be done, .* or failed, is 'dome'"),
        (",False,inf", ",maybe,inf", "line 2: column double must be True or .*'maybe'"),
        ("trial,seed,env,lr", "trial,seed,env,rate", "line 1: .* missing: lr; unknown: rate"),
        ("0,0,CartPole", '0,0,"CartPole', "line 2: "),
        ("0,0,CartPole", "0,0,Cart\xffPole", "line 2: "),
        ("\n0,1", "\n\n0,1", "line 3: must have 38 cells, has 0"),
    ],
)
def test_what_is_damaged_of_seeds_csv_is_restored_from_the_episodes(
    path, capsys, old, new, complaint
):
    filled(path, *(result(seed=seed) for seed in range(3)))
    whole = (path / "seeds.csv").read_bytes()
    damaged = (path / "seeds.csv").read_text().replace(old, new, 1).encode("latin-1")
    (path / "seeds.csv").write_bytes(damaged)
    with pytest.raises(RunError, match=f"seeds.csv, {complaint}"):
        read_seeds(path / "seeds.csv")
    assert (path / "seeds.csv").read_bytes() == damaged
    with ResultsDir(path, CONFIG) as folder:
        text = capsys.readouterr().err
        assert re.search(f"seeds.csv, {complaint}", text)
        assert text.count("\n") == 1
        (aside,) = path.glob("seeds.csv.damaged-*")
        assert aside.name in text
        assert aside.read_bytes() == damaged
        assert folder.finished() == {(0, s) for s in range(3)} == set(pairs(folder.episodes()))
        assert (path / "seeds.csv").read_bytes() == whole
    with ResultsDir(path, CONFIG):
        assert capsys.readouterr().err == ""


def test_two_damaged_files_of_one_second_are_both_kept(path, monkeypatch):
    monkeypatch.setattr("dqn.storage.quarantine.time.strftime", lambda form: "20261125-230000")
    filled(path, result())
    for text in ("one\n", "two\n"):
        (path / "seeds.csv").write_text(text)
        filled(path)
    asides = sorted(path.glob("seeds.csv.damaged-*"))
    assert [aside.read_text() for aside in asides] == ["one\n", "two\n"]


def test_columns_are_found_by_name_and_a_column_of_ones_own_is_set_aside(path, capsys):
    filled(path, result(seed=0), result(seed=1))
    whole = (path / "seeds.csv").read_bytes()
    frame = pd.read_csv(path / "seeds.csv", dtype=str, keep_default_na=False)
    frame = frame[sorted(frame.columns)].assign(note="mine")
    frame.to_csv(path / "seeds.csv", index=False)
    rows = read_seeds(path / "seeds.csv")
    assert [row["seed"] for row in rows] == [0, 1]
    with ResultsDir(path, CONFIG) as folder:
        assert folder.finished() == {(0, 0), (0, 1)}
    assert (path / "seeds.csv").read_bytes() == whole
    (aside,) = path.glob("seeds.csv.damaged-*")
    assert "mine" in aside.read_text()
    assert aside.name in capsys.readouterr().err


def test_a_file_saved_by_a_spreadsheet_still_reads(path):
    filled(path, result(seed=0), result(seed=1))
    text = (path / "seeds.csv").read_text()
    (path / "seeds.csv").write_text(text.replace("\n", "\r\n"))
    filled(path, result(seed=2))
    with ResultsDir(path, CONFIG) as folder:
        assert folder.finished() == {(0, 0), (0, 1), (0, 2)}


def test_a_line_removed_by_hand_is_back_and_the_way_to_train_it_again_is_said(path, capsys):
    filled(path, *(result(seed=seed) for seed in range(3)))
    whole = (path / "seeds.csv").read_text()
    lines = whole.splitlines(keepends=True)
    for left in (lines[:3], [lines[0], lines[2]]):
        (path / "seeds.csv").write_text("".join(left))
        with ResultsDir(path, CONFIG) as folder:
            assert folder.finished() == {(0, seed) for seed in range(3)}
        assert (path / "seeds.csv").read_text() == whole
        text = capsys.readouterr().err
        seed = 2 if left == lines[:3] else 0
        assert text.count("\n") == 1
        assert f"python -m sweeps forget {path} --trial 0 --seed {seed}\n" in text
    assert not list(path.glob("*.damaged-*"))


def test_a_part_whose_episodes_are_not_all_there_is_trained_again(path, capsys):
    filled(path, result(seed=0), result(seed=1))
    (part,) = (path / "episodes.parquet").iterdir()
    pq.write_table(pq.read_table(part).slice(1), part)
    damaged = part.read_bytes()
    with ResultsDir(path, CONFIG) as folder:
        text = capsys.readouterr().err
        assert "part-00000.parquet: trial 0 seed 0 must have 3 episodes, has 2" in text
        assert "2 trainings are trained again" in text
        assert text.count("\n") == 1
        (aside,) = path.glob("part-00000.parquet.damaged-*")
        assert aside.name in text
        assert aside.read_bytes() == damaged
        assert folder.finished() == set() == set(pairs(folder.episodes()))
        folder.add(result(seed=0))
    assert pairs(pd.read_parquet(path / "episodes.parquet")) == [(0, 0)]
    assert pd.read_csv(path / "seeds.csv")["seed"].tolist() == [0]


@pytest.mark.parametrize("damaged", [0, 1, 2])
def test_a_part_that_is_not_parquet_costs_the_seeds_it_held(path, capsys, monkeypatch, damaged):
    monkeypatch.setattr("dqn.storage.episodes.PART_ROWS", 3)
    filled(path, *(result(seed=seed) for seed in range(3)))
    part = path / "episodes.parquet" / f"part-{damaged:05d}.parquet"
    part.write_bytes(b"PAR1 but no more")
    left = {(0, seed) for seed in range(3)} - {(0, damaged)}
    with ResultsDir(path, CONFIG) as folder:
        assert "cannot be read as Parquet" in capsys.readouterr().err
        (aside,) = path.glob("part-*.damaged-*")
        assert aside.read_bytes() == b"PAR1 but no more"
        assert folder.finished() == left == set(pairs(folder.episodes()))
        assert set(pairs(pd.read_csv(path / "seeds.csv"))) == left
        folder.add(result(seed=damaged))
        assert folder.finished() == set(pairs(folder.episodes())) == {(0, s) for s in range(3)}
    filled(path)
    assert capsys.readouterr().err == ""


def test_episodes_that_are_gone_altogether_are_trained_again(path, capsys):
    filled(path, result())
    shutil.rmtree(path / "episodes.parquet")
    (path / "episodes.parquet").write_text("a file")
    with ResultsDir(path, CONFIG) as folder:
        assert folder.finished() == set()
    assert "set aside" in capsys.readouterr().err


def test_a_damaged_trials_csv_is_written_anew(path):
    filled(path, result())
    whole = (path / "trials.csv").read_bytes()
    (path / "trials.csv").write_bytes(b"\xff nonsense")
    filled(path)
    assert (path / "trials.csv").read_bytes() == whole


def test_damaged_weights_are_removed_and_the_next_best_takes_their_place(path):
    filled(path, result(trial=0), result(trial=1))
    best = path / ".weights-1-0.npz"
    with ResultsDir(path, CONFIG) as folder:
        folder.close_trial(5)
        assert {p.name for p in path.glob(".weights-*")} == {".weights-0-0.npz", best.name}
    best.write_bytes(best.read_bytes()[:-100])
    with ResultsDir(path, CONFIG) as folder:
        assert not best.exists()
        kept = folder.best()
        assert kept is not None
        assert (kept.trial, kept.seed) == (0, 0)
    (path / ".weights-0-0.npz").write_bytes(b"")
    with ResultsDir(path, CONFIG) as folder:
        assert folder.best() is None


@pytest.mark.parametrize(("full", "left"), [("episodes.parquet", 1), ("seeds.csv", 2)])
def test_a_full_disk_costs_no_training_but_the_one_being_written(path, monkeypatch, full, left):
    with ResultsDir(path, CONFIG) as folder:
        folder.add(result(seed=0))
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", _no_space_in(path / full))
            with pytest.raises(RunError, match=r"writing failed .No space left"):
                folder.add(result(seed=1))
        before = pairs(folder.rows())
    with ResultsDir(path, CONFIG) as folder:
        assert pairs(folder.episodes()) == pairs(folder.rows()) == before
        assert len(before) == left


def test_ctrl_c_between_two_files_shows_no_half_finished_seed(path, monkeypatch):
    with ResultsDir(path, CONFIG) as folder:
        folder.add(result(seed=0))
        with monkeypatch.context() as patch:
            patch.setattr("dqn.storage.seeds.SeedsTable.append", _interrupted)
            with pytest.raises(KeyboardInterrupt):
                folder.add(result(seed=1))
        assert pairs(folder.episodes()) == pairs(folder.rows()) == [(0, 0), (0, 1)]
    with ResultsDir(path, CONFIG) as folder:
        assert pairs(folder.episodes()) == pairs(folder.rows()) == [(0, 0), (0, 1)]
        best = folder.best()
        assert best is not None
        assert best.seed == 1


def _interrupted(*arguments, **named):
    raise KeyboardInterrupt


def _no_space_in(path):
    fsync = os.fsync

    def full(descriptor):
        if str(path) in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    return full


def work_to_be_killed(path):
    folder = ResultsDir(path, CONFIG)
    for seed in range(2):
        folder.add(result(seed=seed, returns=[10.0 + seed, 20.0]))
        with path.with_suffix(".acknowledged").open("a") as file:
            file.write("x")


def test_a_kill_at_any_moment_loses_no_finished_seed_and_leaves_no_half_file(tmp_path, capsys):
    """Killed before each call that changes the disk, one process after another."""
    whole = tmp_path / "whole"
    filled(whole, *(result(seed=seed, returns=[10.0 + seed, 20.0]) for seed in range(2)))
    kills = before_each_call(__file__, tmp_path)
    assert kills >= 2 * 9
    for calls in range(1, kills + 1):
        acknowledged = tmp_path / f"{calls}.acknowledged"
        count = len(acknowledged.read_text()) if acknowledged.exists() else 0
        check_after_kill(tmp_path / str(calls), count, whole)
    assert capsys.readouterr().err == ""


def check_after_kill(path, acknowledged, whole):
    seeds = path / "seeds.csv"
    on_disk = set(pairs(pd.read_csv(seeds))) if seeds.exists() else set()
    with ResultsDir(path, CONFIG) as folder:
        finished = folder.finished()
        assert acknowledged <= len(finished) <= acknowledged + 1
        assert on_disk <= finished == set(pairs(folder.rows())) == set(pairs(folder.episodes()))
        best = folder.best()
        assert (best.seed if best else None) == max((seed for _, seed in finished), default=None)
        assert not list(path.rglob(".tmp-*"))
        for seed in range(2):
            if (0, seed) not in finished:
                folder.add(result(seed=seed, returns=[10.0 + seed, 20.0]))
    for name in ("seeds.csv", "trials.csv", "config.yaml"):
        assert (path / name).read_bytes() == (whole / name).read_bytes()
    expected = pd.read_parquet(whole / "episodes.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(path / "episodes.parquet"), expected)
