"""A report's frames, from trainings whose numbers are known by hand."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from studies import record, sampled, write
from trainings import CONFIG, filled, result

from dqn.config import Config
from dqn.storage.reader import read
from dqn.storage.results_dir import ResultsDir
from sweeps.analysis.frames import effects, of_pair, of_regions, report_frames
from sweeps.analysis.hyperparameters import Hyperparameter, hyperparameters_of, regions
from sweeps.analysis.importance import importance
from sweeps.analysis.learning_curves import by_value, of_trial, read_curves

BASE = Config(seeds=3, episodes=30)
LEVELS = {0.01: 20.0, 0.1: 40.0, 1.0: 30.0}  # mean_return of seed 0, by lr


def grid(path, gammas=(0.9, 0.99), status=lambda lr, gamma, seed: "done"):
    params = {"lr": [f"{lr}" for lr in LEVELS], "gamma": [f"{gamma}" for gamma in gammas]}
    number = 0
    with ResultsDir(
        path, CONFIG, {"kind": "grid", "seeds": 3, "params": params}, swept=params
    ) as folder:
        for lr, level in LEVELS.items():
            for gamma in gammas:
                config = dataclasses.replace(CONFIG, lr=lr, gamma=gamma)
                for seed in range(3):
                    ended = status(lr, gamma, seed)
                    returns = [level + seed] * (12 if ended == "done" else 1)
                    tests = [1.0] if ended == "done" else []
                    folder.add(result(number, seed, returns=returns, config=config, status=ended,
                                      test_returns=np.array(tests)))  # fmt: skip
                number += 1
    return path


def tables(path, metric="mean_return"):
    return report_frames(read(path), metric)


def hyperparameter(made, name):
    return next(one for one in made.hyperparameters if one.name == name)


def test_a_grid_by_hand(tmp_path):
    made = tables(grid(tmp_path / "a"))
    assert made.design == "grid"
    assert [(k.name, k.levels, k.log) for k in made.hyperparameters] == [
        ("lr", (0.01, 0.1, 1.0), True), ("gamma", (0.9, 0.99), False),
    ]  # fmt: skip
    frame = of_regions(made, hyperparameter(made, "lr"))
    assert frame["region"].tolist() == ["0.01", "0.1", "1"]
    # Two trials of 20 21 22: without the lowest and the highest, 20 21 21 22.
    assert frame["value"].tolist() == [21.0, 41.0, 31.0]
    assert (frame["low"] < frame["value"]).all()
    assert (frame["high"] > frame["value"]).all()
    assert frame["trials"].tolist() == [2, 2, 2]
    assert frame["trainings"].tolist() == [6, 6, 6]
    of_gamma = of_regions(made, hyperparameter(made, "gamma"))
    moved = effects({"lr": frame, "gamma": of_gamma})
    assert moved["hyperparameter"].tolist() == ["lr", "gamma"]
    assert moved["effect"].tolist() == [20.0, 0.0]


def test_pruned_trials_are_in_no_interval_and_diverged_ones_count_as_worst(tmp_path):
    def status(lr, gamma, seed):
        return {(0.1, 0.9): "pruned", (1.0, 0.9): "diverged", (1.0, 0.99): "diverged"}.get(
            (lr, gamma), "done"
        )

    made = tables(grid(tmp_path / "a", status=status), "test_return")
    frame = of_regions(made, hyperparameter(made, "lr")).set_index("region")
    assert frame.loc["0.1", ["trials", "trainings"]].tolist() == [1, 3]
    assert frame.loc["1", "value"] == -np.inf
    assert frame["diverged"].tolist() == [0.0, 0.0, 1.0]
    assert effects({"lr": frame.reset_index()})["effect"].tolist() == [np.inf]


def test_one_at_a_time_looks_only_where_the_knob_moves_alone(tmp_path):
    points = [BASE, *(dataclasses.replace(BASE, lr=lr) for lr in (1e-4, 1e-2)),
              *(dataclasses.replace(BASE, train_freq=n) for n in (1, 8))]  # fmt: skip
    sweep = record(
        {"lr": "choice(0.0001,0.001,0.01)", "train_freq": "choice(1,4,8)"},
        sampler={"_target_": "sweeps.search.samplers.OneAtATime"}, n_trials=5,
    )  # fmt: skip
    made = tables(write(tmp_path / "a", points, sweep, base=BASE))
    frame = of_regions(made, hyperparameter(made, "train_freq"))
    assert frame["trials"].tolist() == [1, 1, 1]
    assert frame["value"].is_monotonic_decreasing
    assert importance(made)[0] is None
    assert "does not apply" in importance(made)[1]


def test_a_sampled_study_has_its_intervals_over_trials(tmp_path):
    made = tables(write(tmp_path / "a", sampled(30, BASE), record(), base=BASE))
    assert [(k.name, bool(k.levels), k.log) for k in made.hyperparameters] == [
        ("lr", False, True), ("gamma", False, False), ("hidden", True, False),
        ("train_freq", True, False),
    ]  # fmt: skip
    frame = of_regions(made, hyperparameter(made, "lr"))
    assert frame["trials"].tolist() == [6] * 5
    assert (frame["from"] <= frame["place"]).all()
    assert (frame["place"] <= frame["to"]).all()
    values = made.trials.set_index("trial")
    inside = values[values["lr"].between(*frame.loc[0, ["from", "to"]])]["value"]
    assert frame.loc[0, "value"] == pytest.approx(inside.sort_values().iloc[1:5].mean())
    cells = of_pair(made, hyperparameter(made, "lr"), hyperparameter(made, "hidden"))
    assert cells["trials"].sum() == 30
    assert set(cells["y_region"]) == {"32x32", "64x64"}


def test_importance_finds_what_decides_and_what_does_nothing(tmp_path):
    base = Config(seeds=1, episodes=12)
    made = tables(write(tmp_path / "a", sampled(120, base), record(seeds=1), base=base, seeds=1,
                        level=lambda c: 150 - 80 * abs(math.log10(c.lr) + 3)))  # fmt: skip
    ranking, text = importance(made)
    assert ranking["hyperparameter"][0] == "lr"
    assert ranking["share"].sum() == pytest.approx(1.0)
    clear = ranking[ranking["share"] > ranking["chance"]]
    assert clear["hyperparameter"].tolist() == ["lr"]
    assert "best 12 of 120 trials" in text


def test_importance_says_why_there_is_none(tmp_path):
    base = Config(seeds=1, episodes=12)
    few = tables(write(tmp_path / "a", sampled(12, base), record(), base=base, seeds=1))
    assert importance(few)[0] is None
    assert importance(few)[1].startswith("PED-ANOVA needs 20 trials, here are 12.")
    path = write(tmp_path / "b", sampled(30, base), record(), base=base, seeds=1)
    flat = tables(path, "solved_at")
    assert importance(flat)[0] is None
    assert "same value" in importance(flat)[1]


def test_regions_of_numbers_hold_equally_many_and_never_split_equal_values():
    values = pd.Series([1.0] * 20 + list(np.linspace(2, 9, 20)))
    number, found = regions(Hyperparameter("a", "a", (), True, False), values)
    assert (number[:20] == number[0]).all()
    assert sorted(set(number)) == list(range(len(found)))
    for n, region in enumerate(found):
        inside = values[number == n]
        assert (region.low, region.high) == (inside.min(), inside.max())


@pytest.mark.parametrize(
    ("params", "values", "expected"),
    [
        ({"lr": "tag(log,interval(0.0001,0.01))"}, [1e-4, 1e-3], True),
        ({"lr": "interval(0.0001,0.01)"}, [1e-4, 1e-2], False),
        ({"lr": ["1e-4", "1e-2"]}, [1e-4, 1e-2], True),
        ({"lr": "choice(0.001,0.002)"}, [1e-3, 2e-3], False),
    ],
)
def test_an_axis_is_logarithmic_where_it_was_sampled_so_or_levels_are_far_apart(
    tmp_path, params, values, expected
):
    configs = [dataclasses.replace(CONFIG, lr=lr) for lr in values]
    path = write(tmp_path / "a", configs, record(params), base=CONFIG, episodes=12)
    assert [one.log for one in hyperparameters_of(read(path))] == [expected]


def test_levels_that_are_no_numbers_have_an_order(tmp_path):
    values = [((64, 64), math.inf, True), ((64,), 1.0, False), ((8, 8), 2.0, True)]
    configs = [
        dataclasses.replace(CONFIG, hidden=hidden, huber_delta=delta, double=double)
        for hidden, delta, double in values
    ]
    levels = {
        k.name: k.levels
        for k in hyperparameters_of(read(write(tmp_path / "a", configs, record({}))))
    }
    assert levels == {
        "hidden": ("8x8", "64", "64x64"), "double": (False, True),
        "huber_delta": (1.0, 2.0, math.inf),
    }  # fmt: skip


def test_curves_by_hand(tmp_path):
    rise = np.arange(1.0, 21.0)
    filled(tmp_path / "a", *(result(0, seed, returns=rise + seed) for seed in range(3)))
    made = tables(tmp_path / "a")
    curves = read_curves(made)
    frame = of_trial(curves, 0)
    assert frame["place"].tolist() == list(range(10, 21))
    assert frame["value"].tolist() == [5.5 + n + 1.0 for n in range(11)]  # seed 1 is in the middle
    assert (frame["low"].iloc[0], frame["high"].iloc[0]) == (5.5, 7.5)


def test_curves_by_value_are_those_of_the_trials_there(tmp_path):
    made = tables(grid(tmp_path / "a"))
    frame = by_value(read_curves(made), made, hyperparameter(made, "lr"))
    last = frame.groupby("region", sort=False)["value"].last()
    assert last.to_dict() == {"0.01": 21.0, "0.1": 41.0, "1": 31.0}


def test_curves_of_a_budget_of_steps_are_over_steps(tmp_path):
    base = Config(seeds=2, episodes=0, steps=500)
    filled(tmp_path / "a", *(
        result(0, seed, returns=[25.0 * (seed + 1)] * (20 // (seed + 1)), config=base)
        for seed in range(2)), config=base)  # fmt: skip
    curves = read_curves(tables(tmp_path / "a"))
    assert curves.unit == "step"
    assert curves.places[-1] == 500.0
    assert of_trial(curves, 0)["value"].iloc[-1] == 37.5


def test_a_seed_that_diverged_counts_as_the_lowest_in_the_curves_of_a_report_too(tmp_path):
    seeds = [result(0, seed, returns=[10.0 + seed] * 20) for seed in range(4)]
    lost = result(0, 4, returns=[99.0] * 12, status="diverged")
    filled(tmp_path / "a", *seeds, lost)
    frame = of_trial(read_curves(tables(tmp_path / "a")), 0).set_index("place")
    assert frame["value"].to_dict() == {n: 12.0 if n <= 12 else 11.0 for n in range(10, 21)}
    assert np.isfinite(frame).all(axis=None)
    filled(tmp_path / "b", *seeds[:2], *(dataclasses.replace(lost, seed=s) for s in (2, 3)))
    frame = of_trial(read_curves(tables(tmp_path / "b")), 0)
    assert frame["place"].tolist() == [10, 11, 12]  # half of the seeds: the curve has an end
