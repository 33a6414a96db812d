"""`sweeps.grid`, `tune` and `compare`: what the command line does, as objects."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from commands import assert_silent, here
from trainings import CONFIG, result

import dqn
import sweeps
from dqn.runtime.errors import UserError
from dqn.storage.results_dir import ResultsDir
from sweeps.__main__ import main

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras's
    pytest.mark.timeout(900),  # the first waits for five trainings, on a machine that may be busy
]
SMALL = {"hidden": [8, 4], "episodes": 5, "test_episodes": 2, "seeds": 2, "workers": 0}
WORDS = ["hidden=[8,4]", "episodes=5", "test_episodes=2", "seeds=2", "workers=0"]
QUIET = {**SMALL, "progress": False}
SPACE = {"lr": sweeps.log(1e-4, 1e-2), "train_freq": range(1, 5)}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a run, and a grid of each front door."""
    folder = tmp_path_factory.mktemp("front doors")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        dqn.train(lr=1e-3, name="run", **QUIET)
        sweeps.grid({"lr": [1e-3, 1e-2]}, name="python", **QUIET)
        assert here("-m", "lr=0.001,0.01", "name=shell", *WORDS) == 0
    return folder


@pytest.fixture(scope="module")
def studies(place):
    """The same with a study of each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        options = {"seed": 3, "objective": "test_return", "aggregate": "mean"}
        sweeps.tune(SPACE, trials=3, sampler="random", name="tuned", **options, **QUIET)
        words = [
            "hydra/sweeper=optuna", "hydra/sweeper/sampler=random", "hydra.sweeper.n_trials=3",
            "hydra.sweeper.seed=3", "hydra.sweeper.objective=test_return",
            "hydra.sweeper.aggregate=mean", "lr=tag(log,interval(1e-4,1e-2))",
            "train_freq=range(1,5)", "name=searched",
        ]  # fmt: skip
        assert here("-m", *words, *WORDS) == 0


@pytest.fixture(autouse=True)
def inside(place, monkeypatch):
    monkeypatch.chdir(place)
    yield
    plt.close("all")


@pytest.mark.parametrize(("ours", "theirs"), [("python", "shell"), ("tuned", "searched")])
def test_a_sweep_is_the_command_lines(studies, ours, theirs):
    one, other = (dqn.load(f"outputs/sweeps/{name}") for name in (ours, theirs))
    without = {"columns": "seconds"}
    pd.testing.assert_frame_equal(one.seeds.drop(**without), other.seeds.drop(**without))
    pd.testing.assert_frame_equal(one.trials, other.trials)
    pd.testing.assert_frame_equal(one.episodes, other.episodes)
    records = [dict(each.results.sweep, identity="") for each in (one, other)]
    assert records[0] == records[1]
    listed = [{path.name for path in each.path.iterdir()} for each in (one, other)]
    assert listed[0] == listed[1] - {"multirun.yaml"}


def test_tables_are_those_of_the_files(studies):
    sweep = dqn.load("outputs/sweeps/tuned")
    for frame, name in ((sweep.trials, "trials.csv"), (sweep.seeds, "seeds.csv")):
        kept = pd.read_csv(sweep.path / name)
        assert frame.columns.tolist() == kept.columns.tolist()
        pd.testing.assert_frame_equal(frame, kept, check_dtype=False)
    assert sweep.best.trial == sweep.trials["trial"].iloc[0]
    assert sweep.kind == "study"
    assert sweep.objective == "test_return"


def test_the_same_call_resumes_and_more_trials_go_on(studies, capfd):
    before = dqn.load("outputs/sweeps/tuned").seeds
    options = {"seed": 3, "objective": "test_return", "aggregate": "mean"}
    again = sweeps.tune(SPACE, trials=4, sampler="random", name="tuned", **options, **QUIET)
    assert len(again.trials) == 4
    kept = again.seeds[again.seeds["trial"] < 3].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, before)  # `seconds`, too
    assert_silent(capfd.readouterr())
    with pytest.raises(UserError, match="a folder of results holds one sweep"):
        sweeps.tune({"lr": [0.1, 0.2]}, trials=4, name="tuned", **QUIET)


def test_a_validation_is_validation_csv_and_a_report_is_written(capfd):
    sweep = dqn.load("outputs/sweeps/python")
    found = sweep.validate(top=1, seeds=2, workers=0, progress=False)
    kept = pd.read_csv(sweep.path / "validation.csv")
    pd.testing.assert_frame_equal(found, kept[found.columns], check_dtype=False)
    assert found["trial"].isna().tolist() == [False, True]
    assert sweep.report(progress=False).read_text().startswith("<!doctype html>")
    assert_silent(capfd.readouterr())
    for wrong in ({"top": 0}, {"seeds": 1}, {"seeds": 2.5}):
        with pytest.raises(UserError, match="must be a whole number"):
            sweep.validate(**wrong)


def test_a_comparison_says_what_the_command_says(capsys):
    grid = dqn.load("outputs/sweeps/python")
    table = sweeps.compare(grid.trial(0), "outputs/sweeps/python:1", dqn.load("outputs/runs/run"))
    paths = [f"outputs/sweeps/python:{n}" for n in (0, 1)]
    assert main(["compare", *paths, "outputs/runs/run", "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert table.index.tolist() == [one["name"] for one in plain["candidates"]]
    assert table["lr"].tolist() == plain["differ"]["lr"] == [0.001, 0.01, 0.001]
    for one in plain["candidates"]:
        for column in ("mean_return", "test_return_low", "steps"):
            assert table.loc[one["name"], column] == one[column]
    for one in plain["against_first"]:
        assert table.loc[one["name"], "improvement"] == one["improvement"]
        assert table.loc[one["name"], "p_value"] == one["p_value"]
    assert np.isnan(table["improvement"].iloc[0])
    assert table.plot.curves().get_title(loc="left").startswith("Returns")
    assert len(table.plot.profiles().get_lines()) == 3
    assert type(table[["lr"]]) is pd.DataFrame
    assert table.plot.bar(y="steps") is not None


def test_what_does_not_compare_is_refused_in_words_of_python():
    other = dqn.train(name="other", **{**QUIET, "episodes": 6, "seeds": 1})
    with pytest.raises(UserError, match="add anyway=True"):
        sweeps.compare("outputs/runs/run", other)
    assert len(sweeps.compare("outputs/runs/run", other, anyway=True)) == 2
    for what in ((), (3,), ("nowhere",)):
        with pytest.raises(UserError):
            sweeps.compare(*what)
    with pytest.raises(UserError, match="metric must be one of"):
        sweeps.compare("outputs/runs/run", metric="lr")


def test_figures_of_a_sweep_are_drawn_in_axes():
    sweep = dqn.load("outputs/sweeps/python")
    own = plt.figure().subplots()
    assert sweep.plot.curves(own, top=1) is own
    assert len(sweep.plot.profiles().get_lines()) == 2
    assert sweep.plot.importance().get_yticklabels()[0].get_text() == "lr"
    assert sweep.plot.influence("lr").get_xlabel() == "lr"
    with pytest.raises(UserError, match="key must be one that was varied: lr, got gamma"):
        sweep.plot.influence("gamma")


def test_importance_is_a_table_that_says_how_it_was_found(studies):
    found = dqn.load("outputs/sweeps/tuned").importance()
    assert set(found["hyperparameter"]) == {"lr", "train_freq"}
    assert "PED-ANOVA needs 20 trials" in found.attrs["method"]


def test_what_people_see_of_it():
    sweep = dqn.load("outputs/sweeps/python")
    assert repr(sweep).startswith(
        "Sweep(outputs/sweeps/python: grid, 2 trials, CartPole-v0, 2 seed"
    )
    text = sweep._repr_html_()
    assert text.count("<tr>") == 3
    assert "<th>lr</th>" in text


def test_a_sweep_of_another_kind_is_led_to_its_function():
    with pytest.raises(UserError, match=r"sweeps\.grid only applies to grids"):
        sweeps.grid(sweep="influence", **QUIET)
    with pytest.raises(UserError, match=r"sweeps\.tune only applies to studies"):
        sweeps.tune(sweep="lr", **QUIET)
    with pytest.raises(UserError, match="at least one key"):
        sweeps.tune({}, **QUIET)
    with pytest.raises(UserError, match=r"unknown key lrr"):
        sweeps.tune({"lrr": [1, 2]}, **QUIET)
    with pytest.raises(UserError, match=r"did you mean sampler=tpe\?"):
        sweeps.tune(SPACE, sampler="tpee", **QUIET)
    with pytest.raises(UserError, match=r"^trials must be >= 1, got 0") as refused:
        sweeps.tune(SPACE, trials=0, **QUIET)
    assert (refused.value.key, refused.value.value) == ("trials", 0)
    with pytest.raises(UserError, match=r"^racing must be a race that ends with seeds=2"):
        sweeps.tune(SPACE, racing=[1, 3], **QUIET)


def test_a_sweep_can_be_read_before_anything_has_ended(tmp_path):
    record = {"kind": "grid", "seeds": 2, "params": {"lr": ["0.1", "0.2"]}}
    with ResultsDir(tmp_path / "grid", CONFIG, record, swept=("lr",)) as folder:
        sweep = dqn.load(tmp_path / "grid")
        assert (len(sweep.trials), len(sweep.seeds), len(sweep.episodes)) == (0, 0, 0)
        assert "0 trials" in repr(sweep)
        assert "0 trials" in sweep._repr_html_()
        for ask in (lambda: sweep.best, lambda: sweep.trial(0), sweep.importance,
                    sweep.plot.curves, sweep.plot.importance):  # fmt: skip
            with pytest.raises(UserError, match="no training has ended yet"):
                ask()
        folder.add(result(1, 0))
        assert sweep.trials["trial"].tolist() == [1]
        assert sweep.best.trial == 1
        assert "1 trial" in repr(sweep)


def test_a_sweep_of_two_tasks_has_no_best_trial():
    options = {"env": ["cartpole", "cartpole_v1"]}
    sweep = sweeps.grid(options, name="tasks", **{**QUIET, "seeds": 1})
    assert sweep.trials["env"].tolist() == ["CartPole-v0", "CartPole-v1"]
    with pytest.raises(UserError, match=r"take one with \.trial\(n\)"):
        _ = sweep.best
    assert sweep.trial(1).config.env.id == "CartPole-v1"
