"""A folder that holds many trials: what it keeps of the sweep, and which trial is its best."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from killed import before_each_call
from trainings import CONFIG, filled, result

from dqn.config import Config
from dqn.runtime.errors import RunError, UserError
from dqn.storage import manifest
from dqn.storage.results_dir import ResultsDir
from dqn.terminal.tables import leaderboard

SWEEP = {
    "kind": "study", "n_trials": 10, "objective": "mean_return", "space": {"lr": [1e-4, 1e-2]},
}  # fmt: skip


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sweeps" / "a"


def sweep(path, record=SWEEP, config=CONFIG, **named) -> ResultsDir:
    return ResultsDir(path, config, record, growable_keys=("n_trials", "racing.last"), **named)


def add_trial(folder, number, mean, seeds=range(3), **changes):
    for seed in seeds:
        folder.add(result(number, seed, returns=[mean - 1, mean + 1], **changes))


def test_the_record_is_kept_and_the_identity_made_once(path):
    with sweep(path) as folder:
        identity = folder.identity
    kept = yaml.safe_load((path / "sweep.yaml").read_text())
    assert kept == {"identity": identity, **SWEEP}
    assert identity is not None
    assert len(bytes.fromhex(identity)) == 16
    with sweep(path) as folder:
        assert folder.identity == identity
    with sweep(path.with_name("b")) as folder:
        assert folder.identity != identity
    with ResultsDir(path.with_name("run"), CONFIG) as folder:
        assert folder.identity is None
    assert not (path.with_name("run") / "sweep.yaml").exists()


def test_what_grows_may_be_raised_and_the_higher_stays(path):
    nested = {**SWEEP, "racing": {"first": 3, "last": 10}}
    sweep(path, nested).close()
    sweep(path, {**nested, "n_trials": 50, "racing": {"first": 3, "last": 20}}).close()
    sweep(path, {**nested, "n_trials": 20}).close()
    kept = yaml.safe_load((path / "sweep.yaml").read_text())
    assert (kept["n_trials"], kept["racing"]) == (50, {"first": 3, "last": 20})
    assert kept["identity"]


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"objective": "test_return"}, "objective was mean_return and is now test_return"),
        ({"space": {"lr": [1e-4, 1e-3]}}, "space.lr was [0.0001, 0.01] and is now [0.0001, 0.001]"),
        ({"space": {}}, "space.lr was [0.0001, 0.01] and is now null"),
        ({"seed": 1}, "seed was null and is now 1"),
        ({"n_trials": "ten"}, "n_trials was 10 and is now ten"),
    ],
)
def test_another_sweep_is_refused_with_the_difference_and_the_remedy(path, change, shown):
    sweep(path).close()
    before = (path / "sweep.yaml").read_bytes()
    with pytest.raises(UserError) as refused:
        sweep(path, {**SWEEP, **change})
    assert f"sweep.yaml: a folder of results holds one sweep, but {shown}; " in str(refused.value)
    assert "name=NAME, or go back to what it was" in str(refused.value)
    assert (path / "sweep.yaml").read_bytes() == before
    sweep(path).close()


def test_of_a_long_list_the_entry_that_differs_is_shown(path):
    jobs = [{"lr": 10.0**-n, "gamma": 0.9} for n in range(50)]
    other = [*jobs[:30], {"lr": 0.5, "gamma": 0.9}, *jobs[31:]]
    sweep(path, {"jobs": jobs}).close()
    with pytest.raises(UserError, match=r"but jobs\[30\]\.lr was 1e-30 and is now 0\.5; choose"):
        sweep(path, {"jobs": other})
    with pytest.raises(UserError, match=r"but jobs was \[.*\.\.\. and is now \[.*\.\.\.; choose"):
        sweep(path, {"jobs": jobs[:-1]})


def test_nothing_is_written_where_either_file_is_refused(path):
    sweep(path).close()
    before = {file.name: file.read_bytes() for file in path.glob("*.yaml")}
    with pytest.raises(UserError, match=r"lr was 0.001 and is now 0.5"):
        sweep(path, {**SWEEP, "n_trials": 99}, dataclasses.replace(CONFIG, lr=0.5))
    with pytest.raises(UserError, match="objective was"):
        sweep(path, {**SWEEP, "objective": "x"}, dataclasses.replace(CONFIG, seeds=99))
    assert {file.name: file.read_bytes() for file in path.glob("*.yaml")} == before


def test_a_run_is_no_sweep_and_a_sweep_no_run(path, tmp_path):
    sweep(path).close()
    with pytest.raises(UserError, match=r"must hold a run, holds a sweep; .*name=NAME"):
        ResultsDir(path, CONFIG)
    filled(tmp_path / "run")
    with pytest.raises(UserError, match=r"must hold a sweep, holds a run; .*name=NAME"):
        sweep(tmp_path / "run")
    assert not (tmp_path / "run" / "sweep.yaml").exists()


def test_a_name_is_nobodys_result(path):
    sweep(path, config=dataclasses.replace(CONFIG, name="old")).close()
    sweep(path, config=dataclasses.replace(CONFIG, name="new")).close()
    with pytest.raises(UserError, match=r"test_episodes was 20 and is now 1; .* test_episodes=20"):
        sweep(path, config=dataclasses.replace(CONFIG, test_episodes=1))


@pytest.mark.parametrize("text", ["kind: [", "- 1\n", "kind: study\n", "\xff"])
def test_a_damaged_sweep_yaml_is_refused_by_its_name(path, text):
    sweep(path).close()
    (path / "sweep.yaml").write_text(text, encoding="latin-1")
    with pytest.raises(RunError, match=r"sweep\.yaml: must .*; restore it, or choose [^\n]*$"):
        sweep(path)


def test_a_sweep_that_cannot_be_written_is_told_its_own_key():
    with pytest.raises(UserError, match=r"hydra\.sweep\.dir=FOLDER"):
        sweep(Path("/proc/nowhere/sweep"))


def test_a_failed_seed_is_a_row_that_earned_nothing_and_fails_its_trial(path):
    nothing = {
        "status": "failed", "steps": 0, "returns": (), "test_returns": np.empty(0), "weights": [],
    }  # fmt: skip
    with sweep(path) as folder:
        folder.add(result(0, 0))
        folder.add(result(0, 1, status="pruned"))
        folder.add(result(0, 2, **nothing))
        row = folder.row(0, 2)
        assert [row[name] for name in ("status", "steps", "episodes")] == ["failed", 0, 0]
        assert row["mean_return"] is row["collapse"] is None
        assert folder.rows_of(0) == [folder.row(0, seed) for seed in range(3)]
        assert folder.rows_of(9) == []
        (trial,) = folder.trials().to_dict("records")
        assert (trial["status"], trial["seeds_done"]) == ("failed", 1)
        assert np.isnan(trial["mean_return"])  # one of three is more than a quarter
        with pytest.raises(KeyError):
            folder.row(9, 9)
        folder.add(result(1, 0, **nothing))
        assert folder.best(1) is None
    with sweep(path) as folder:
        assert folder.finished() == {(0, 0)}  # the others are trained again
        assert len(folder.rows()) == 4
        assert len(folder.episodes()) == 6


def test_the_best_trial_is_the_first_of_those_that_are_whole(path):
    with sweep(path) as folder:
        assert folder.best_trials() == {}
        add_trial(folder, 0, 300.0, status="pruned")
        assert list(folder.best_trials().values()) == [0]
        add_trial(folder, 1, 200.0, seeds=[0])
        assert list(folder.best_trials().values()) == [0]
        add_trial(folder, 2, 100.0)
        assert list(folder.best_trials().values()) == [2]
        add_trial(folder, 3, 120.0, status="diverged")
        assert list(folder.best_trials().values()) == [3]
        add_trial(folder, 1, 200.0, seeds=[1, 2])
        add_trial(folder, 4, 200.0)
        assert list(folder.best_trials().values()) == [1]
        assert folder.trials()["trial"].tolist() == [1, 4, 3, 2, 0]
    assert pd.read_csv(path / "trials.csv")["trial"].tolist() == [1, 4, 3, 2, 0]


def test_the_objective_decides_and_the_earliest_solved_is_best(path):
    with sweep(path, objective="solved_at") as folder:
        for number, first in enumerate((30, 10, 20, 40)):
            for seed in range(3):
                returns = np.repeat([0.0, 200.0], [first, 50 - first])
                folder.add(result(number, seed, returns=returns))
        add_trial(folder, 4, 150.0)  # of two episodes: never solved
        assert folder.trials()["trial"].tolist() == [1, 2, 0, 3, 4]
    with sweep(path, objective="mean_return") as folder:
        assert list(folder.best_trials().values()) == [1]
    with sweep(path, objective="test_return") as folder:
        assert list(folder.best_trials().values()) == [0]


def test_networks_are_those_of_unfinished_trials_and_of_the_best_that_is_over(path):
    def kept():
        return sorted(int(file.name.split("-")[1]) for file in path.glob(".weights-*"))

    with sweep(path) as folder:
        for number, mean in enumerate((20.0, 10.0, 30.0, 5.0)):
            add_trial(folder, number, mean)
        assert kept() == [0, 1, 2, 3]
        for number, left in ((0, [0, 1, 2, 3]), (1, [0, 2, 3]), (1, [0, 2, 3]), (2, [2, 3])):
            folder.close_trial(number)
            assert kept() == left
        folder.close_trial(7)  # of no rows at all
        best = folder.best()
        assert best is not None
        assert (best.trial, best.seed) == (2, 2)
        assert folder.best(1) is None
    with sweep(path) as folder:
        for number in range(4):
            folder.close_trial(number)
        assert kept() == [2]


def work_to_be_killed(path):
    with sweep(path) as folder:
        run_trials(folder)


def run_trials(folder):
    """As a driver does it, at first and after a kill; the middle trial is the worst."""
    config = dataclasses.replace(CONFIG, seeds=2)
    for number, mean in enumerate((20.0, 10.0, 30.0)):
        for seed in range(2):
            if (number, seed) not in folder.finished():
                folder.add(result(number, seed, returns=[mean + seed], config=config))
        folder.close_trial(number)


def test_a_kill_at_any_moment_leaves_the_network_of_the_best_trial_on_disk(tmp_path):
    kills = before_each_call(__file__, tmp_path)
    assert kills >= 6 * 9
    with sweep(tmp_path / "whole") as folder:
        run_trials(folder)
    names = ("seeds.csv", "trials.csv", "config.yaml")
    whole = [(tmp_path / "whole" / name).read_bytes() for name in names]
    for calls in range(1, kills + 1):
        path = tmp_path / str(calls)
        with sweep(path) as folder:
            best, best_trials = folder.best(), list(folder.best_trials().values())
            assert best_trials == ([best.trial] if best else [])
            if best is not None:
                assert best.seed == max(row["seed"] for row in folder.rows_of(best.trial))
            run_trials(folder)
            assert [file.name for file in path.glob(".weights-*")] == [".weights-2-1.npz"]
        assert [(path / name).read_bytes() for name in names] == whole


def test_adding_costs_the_same_in_a_large_table(path):
    """Counted, not timed: bytes written for a training, with 5 before it and with 104."""
    written = []
    with sweep(path) as folder:
        for number in range(105):
            if number in (5, 104):
                sizes = {p: p.stat().st_size for p in path.rglob("*") if p.is_file()}
            folder.add(result(number, 0, config=CONFIG, weights=[]))
            if number in (5, 104):
                changed = [p for p in (path / "episodes.parquet").iterdir() if p in sizes]
                written.append((path / "seeds.csv").stat().st_size - sizes[path / "seeds.csv"])
                assert len(changed) == 1
    assert abs(written[1] - written[0]) < 20


def trials_frame(path, means=(20.0, 10.0, 30.0), **sweep_options):
    with sweep(path, **sweep_options) as folder:
        for number, mean in enumerate(means):
            lr = 10.0 ** -(number % 5)
            config = dataclasses.replace(CONFIG, lr=lr, episodes=100 + number, hidden=(32, 16))
            add_trial(folder, number, mean, config=config)
        return folder.trials()


KNOBS = ["lr", "gamma", "epsilon_decay", "train_freq", "target_update", "reward_scale"]


def test_a_leaderboard_says_what_was_swept_and_how_it_did(path):
    board = leaderboard(trials_frame(path), ["lr", "episodes", "hidden", "preset"])
    lines = board.splitlines()
    words = ["trial", "lr", "episodes", "hidden", "status", "seeds", "mean", "return"]
    assert lines[0].split()[: len(words)] == words
    assert lines[2].split()[:8] == ["1", "2", "0.01", "102", "32x16", "done", "3", "30.0"]
    assert [line.split()[1] for line in lines[2:]] == ["2", "0", "1"]
    assert "more" not in board


def test_a_leaderboard_stops_somewhere_and_says_so(path):
    board = leaderboard(trials_frame(path, means=range(2, 16)), ["lr"], top=10)
    assert len(board.splitlines()) == 13
    assert board.endswith("and 4 more trials in trials.csv")


def test_a_leaderboard_leaves_out_what_does_not_fit_and_never_a_swept_key(path):
    frame = trials_frame(path)
    keys = [name for name in Config().hyperparameters() if name != "env"]
    few, many = leaderboard(frame, KNOBS), leaderboard(frame, keys)
    assert max(map(len, few.splitlines())) <= 120
    assert "collapse" in few
    assert "collapse" not in many
    assert {part for key in keys for part in key.split("_")} <= {
        word.removesuffix("_") for line in many.splitlines()[:3] for word in line.split()
    }


def test_a_leaderboard_shows_its_objective_once(path):
    frame = trials_frame(path, objective="test_return")
    head = leaderboard(frame, ["lr"], "test_return").splitlines()[0]
    assert " ".join(head.split()) == "trial lr status seeds test 95 % interval collapse solved at"


def test_differences_are_of_plain_values():
    old, new = {"a": {"b": 1, "c": [1, 2]}, "d": None}, {"a": {"b": 2, "c": [1, 2]}, "e": False}
    assert list(manifest.differences(old, new)) == [("a.b", 1, 2), ("e", None, False)]
