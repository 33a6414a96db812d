"""A study's trials belong to configurations, whatever they are called: by its files and lines."""

import json
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from commands import here
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import TrialState
from sweep_commands import presets, table
from tabular import study_in, trials_in

from dqn.config import Config, EnvConfig
from dqn.storage.columns import differing_env
from dqn.storage.reader import read
from sweeps.__main__ import main
from sweeps.search.space import alternatives

STUDY = ["-m", "hydra/sweeper=optuna", "hydra/sweeper/sampler=random", "seeds=1", "episodes=3",
         "test_episodes=0", "workers=0", "hidden=[8]", "batch_size=8"]  # fmt: skip
LRS = "lr=choice(1e-3,1e-2)"
BEFORE = Path(__file__).parents[2] / "data" / "0.1.0-plus"


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch):
    monkeypatch.setattr("dqn.plotting.result_pictures.draw_best_trial", lambda folder, base: None)


def study(folder, *arguments):
    given = {argument.partition("=")[0] for argument in arguments}
    kept = [word for word in STUDY if word.partition("=")[0] not in given]
    words = [*kept, f"hydra.sweep.dir={folder}", *arguments]
    return here(*sorted(words, key=lambda word: not word.startswith("-")))


def trials(folder):
    return pd.read_csv(folder / "trials.csv").set_index("trial").sort_index()


def refused(capsys, folder, *arguments):
    capsys.readouterr()
    assert study(folder, *arguments) == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert not (folder / "seeds.csv").exists()
    return text


def test_each_configuration_is_trained_once_and_twenty_repeats_end_the_study(tmp_path, capsys):
    folder = tmp_path / "s"
    assert study(folder, LRS, "hydra.sweeper.n_trials=9") == 0
    assert "same_as in trials.csv" in capsys.readouterr().out
    once = table(folder)
    assert len(once) == once["lr"].nunique() == 2
    same = trials(folder)["same_as"]
    assert same.notna().sum() == 7
    assert [t.user_attrs.get("same_as") for t in trials_in(folder)] == [
        None if pd.isna(original) else original for original in same
    ]
    assert study_in(folder).best_trial.number == read(folder).ranked()[0]
    for _ in range(2):
        assert study(folder, LRS, "hydra.sweeper.n_trials=80") == 0
        text = capsys.readouterr().out
        assert f"ends with {len(trials_in(folder))} of 80 trials" in text.splitlines()[-1]
        assert "20 samples in a row" in text
        pd.testing.assert_frame_equal(table(folder), once)
    assert main(["validate", str(folder), "--top", "5", "--seeds", "2"]) == 0
    held = pd.read_csv(folder / "validation" / "seeds.csv")
    assert held["trial"].nunique() == 3  # two settings and the exercise


def test_the_space_in_other_words_and_another_order_is_the_same_study(tmp_path):
    texts = ("lr=choice(1e-3,1e-2)", "gamma=choice(0.9,0.95,0.99)")
    other = ("gamma=0.90,0.95,0.99", "lr=choice(0.01,0.001)")
    grid = "hydra/sweeper/sampler=grid"
    assert study(tmp_path / "a", *texts, grid) == 0
    assert study(tmp_path / "b", *texts, grid, "hydra.sweeper.n_trials=3") == 0
    assert study(tmp_path / "b", *other, grid, "hydra.sweeper.n_trials=100") == 0
    pd.testing.assert_frame_equal(table(tmp_path / "a"), table(tmp_path / "b"))
    recorded = yaml.safe_load((tmp_path / "b" / "sweep.yaml").read_text())["params"]
    assert list(recorded) == ["lr", "gamma"]


def test_a_folder_that_is_renamed_has_one_study(tmp_path, capsys):
    folder = tmp_path / "old"
    space = "lr=tag(log,interval(1e-4,1e-2))"
    assert study(folder, space, "hydra.sweeper.n_trials=2") == 0
    folder = folder.rename(tmp_path / "new")
    assert study(folder, space, "hydra.sweeper.n_trials=3") == 0
    assert [t.number for t in trials_in(folder)] == [0, 1, 2]
    (folder / "study.db").unlink()
    before = table(folder)
    assert study(folder, space, "hydra.sweeper.n_trials=3") == 0
    assert len(trials_in(folder)) == 3
    pd.testing.assert_frame_equal(table(folder), before)
    capsys.readouterr()
    shutil.copytree(folder, tmp_path / "copy")
    assert study(tmp_path / "copy", space, "hydra.sweeper.n_trials=4") == 0
    assert (len(trials_in(tmp_path / "copy")), len(trials_in(folder))) == (4, 3)


def test_an_argument_of_the_environment_is_a_hyperparameter(tmp_path):
    folder, swept = tmp_path / "s", "+env.kwargs.sutton_barto_reward=true,false"
    asked = ("env=cartpole_v1", "hydra/sweeper/sampler=grid", swept)
    assert study(folder, *asked) == 0
    frame, column = table(folder), "env.kwargs.sutton_barto_reward"
    assert sorted(frame[column]) == [False, True]
    results = read(folder)
    kwargs = [results.config(n).env.kwargs for n in sorted(results.rows)]
    assert [one["sutton_barto_reward"] for one in kwargs] == frame[column].tolist()
    assert [*yaml.safe_load((folder / "sweep.yaml").read_text())["params"]] == [column]
    assert {*trials_in(folder)[0].params} == {column}
    assert study(folder, *(word.replace(swept, swept.lstrip("+")) for word in asked)) == 0
    pd.testing.assert_frame_equal(table(folder), frame)
    for trial in ("0", "1"):
        assert main(["reproduce", str(folder), "--trial", trial, "--seed", "0"]) == 0


def test_a_study_over_presets_goes_on_from_its_rows_alone(tmp_path):
    fast = "lr: 0.01\nenv:\n  kwargs:\n    sutton_barto_reward: true"
    folder, flag = tmp_path / "s", presets(tmp_path, fast=fast, slow="lr: 0.002")
    asked = (
        flag,
        "preset=fast,slow",
        "gamma=choice(0.9,0.99)",
        "hydra/sweeper/sampler=grid",
        "env=cartpole_v1",
    )
    assert study(folder, *asked, "hydra.sweeper.n_trials=3") == 0
    (folder / "study.db").unlink()
    assert study(folder, *asked) == 0
    frame = table(folder)
    assert len(frame) == len({*zip(frame["lr"], frame["gamma"], strict=True)}) == 4
    known = [t.params for t in trials_in(folder)]
    assert {(one["preset"], one["gamma"]) for one in known} == {
        (preset, gamma) for preset in ("fast", "slow") for gamma in (0.9, 0.99)
    }
    for (_, row), params in zip(frame.iterrows(), known, strict=True):
        assert row["lr"] == {"fast": 0.01, "slow": 0.002}[params["preset"]]
    results = read(folder)
    assert [results.config(n).env.kwargs for n in range(4)] == [
        {"sutton_barto_reward": True} if params["preset"] == "fast" else {} for params in known
    ]


@pytest.mark.parametrize(
    ("line", "key"), [("seeds: 3", "seeds"), ("first_seed: 7", "first_seed"),
                      ("test_episodes: 5", "test_episodes"), ("name: theirs", "name")]
)  # fmt: skip
def test_a_preset_that_sets_what_is_one_for_all_trials_is_refused(
    tmp_path, capsys, monkeypatch, line, key
):
    space = presets(tmp_path, few=line, many="lr: 0.01"), "preset=few,many"
    monkeypatch.setattr(sys.modules[__name__], "STUDY", [w for w in STUDY if w[:4] != key[:4]])
    text = refused(capsys, tmp_path / "s", *space)
    assert text.startswith(f"{key} must be the same for all trials, got {key}={line.split()[1]}")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["hydra/sweeper/sampler=tpe"], "the sampler TPESampler"),
        (["seeds=3", "hydra.sweeper.racing=[1,3]"], "hydra.sweeper.racing"),
        (["hydra/sweeper/pruner=median"], "the pruner MedianPruner"),
    ],
)
def test_returns_of_two_tasks_are_not_compared(tmp_path, capsys, arguments, what):
    text = refused(capsys, tmp_path / "s", "env=choice(cartpole,acrobot)", LRS, *arguments)
    assert f"must be of one task for {what}" in text
    assert "got CartPole-v0, Acrobot-v1; write hydra/sweeper/sampler=random or grid" in text


def test_a_study_of_two_tasks_that_compares_nothing_is_trained(tmp_path, capsys):
    folder = tmp_path / "s"
    tasks = "env=choice(cartpole,cartpole_v1)"
    assert study(folder, tasks, "hydra/sweeper/sampler=grid") == 0
    assert sorted(table(folder)["env"]) == ["CartPole-v0", "CartPole-v1"]
    capsys.readouterr()
    assert main(["validate", str(folder), "--seeds", "2"]) == 2
    assert "trials must be of one task to be validated" in capsys.readouterr().err


FLAKY = """
from pathlib import Path
import gymnasium as gym
from gymnasium.envs.classic_control import CartPoleEnv

class Flaky(CartPoleEnv):
    def __init__(self, gravity_of_mars=False, **kwargs):
        super().__init__(**kwargs)
        self.broken, self.steps = gravity_of_mars, 0

    def step(self, action):
        self.steps += 1  # the first ones are looked at before anything is trained
        if self.broken and self.steps > 20 and Path({flag!r}).exists():
            raise OSError("the port is taken")
        observation, reward, *rest = super().step(action)
        return observation, reward + 10 * self.broken, *rest

gym.register("Flaky-v0", Flaky, max_episode_steps=30)
"""


def test_a_failed_trial_is_tried_again_and_then_a_success_everywhere(tmp_path, monkeypatch, capsys):
    flag = tmp_path / "flag"
    flag.touch()
    (tmp_path / "flaky_env.py").write_text(FLAKY.format(flag=str(flag)))
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "s"
    asked = ("env=gymnasium", "env.id=flaky_env:Flaky-v0", "hydra/sweeper/sampler=grid", "seeds=2",
             "+env.kwargs.gravity_of_mars=true,false", "lr=choice(1e-3)")  # fmt: skip
    for _ in range(2):
        assert study(folder, *asked) == 1
        assert "the port is taken" in capsys.readouterr().err
        states = [t.state for t in trials_in(folder)]
        assert sorted(state.name for state in states) == ["COMPLETE", "FAIL"]
        assert sorted(trials(folder)["status"]) == ["done", "failed"]
        assert study_in(folder).best_trial.number == read(folder).ranked()[0]
    flag.unlink()
    assert study(folder, *asked) == 0
    assert {*table(folder)["status"]} == {"done"}
    assert len(table(folder)) == 4
    assert {*trials(folder)["status"]} == {"done"}
    assert {t.state for t in trials_in(folder)} == {TrialState.COMPLETE}
    best = study_in(folder).best_trial
    assert best.params["env.kwargs.gravity_of_mars"] is True
    assert best.number == read(folder).ranked()[0] == states.index(TrialState.FAIL)
    sys.modules.pop("flaky_env")


def test_the_exercise_among_the_best_is_validated_once(tmp_path, capsys):
    """What is trained of it as a trial is the baseline as well, and the other way round."""
    folder = tmp_path / "s"
    assert study(folder, "hidden=choice([64,64],[8])", "batch_size=32", "lr=1e-3",
                 "hydra/sweeper/sampler=grid") == 0  # fmt: skip
    capsys.readouterr()
    assert main(["validate", str(folder), "--top", "2", "--seeds", "2", "--json"]) == 0
    text = json.loads(capsys.readouterr().out)
    held = pd.read_csv(folder / "validation" / "seeds.csv")
    assert held["trial"].nunique() == 2
    results = read(folder)
    (own,) = [n for n in results.rows if results.config(n).hidden == (64, 64)]
    found = {one["trial"]: one["held_out"] for one in text["findings"]}
    assert found[own] == found[None]
    assert len(found) == 3
    shutil.rmtree(folder / "validation")
    assert main(["validate", str(folder), "--top", "1", "--seeds", "2"]) == 0
    assert main(["validate", str(folder), "--top", "2", "--seeds", "3"]) == 0
    again = pd.read_csv(folder / "validation" / "seeds.csv")
    assert again["trial"].nunique() == 2
    assert len(again) == 6


def test_a_validation_of_other_configurations_is_refused(tmp_path, capsys):
    folder, other = tmp_path / "s", tmp_path / "t"
    assert study(folder, "lr=choice(1e-3,1e-2)", "hydra/sweeper/sampler=grid") == 0
    assert study(other, "lr=choice(3e-3,4e-2)", "hydra/sweeper/sampler=grid") == 0
    assert main(["validate", str(folder), "--seeds", "2"]) == 0
    shutil.copytree(folder / "validation", other / "validation")
    capsys.readouterr()
    assert main(["validate", str(other), "--seeds", "2"]) == 2
    text = capsys.readouterr().err
    assert "trained with another lr than the study's has; move it away" in text


def test_a_study_of_before_whose_parameter_has_a_plus_goes_on(tmp_path, capsys):
    """0.1.0 had no column for it; study.db knows what each trial was sampled as."""
    folder = shutil.copytree(BEFORE, tmp_path / "s")
    asked = ("env=cartpole_v1", "hydra/sweeper/sampler=grid", "double=choice(true,false)",
             "+env.kwargs.sutton_barto_reward=true,false")  # fmt: skip
    before = pd.read_csv(folder / "seeds.csv").set_index("trial")
    assert study(folder, *asked) == 0
    after = pd.read_csv(folder / "seeds.csv").set_index("trial")
    pd.testing.assert_frame_equal(after.loc[:2, before.columns], before)  # seconds included
    column = "env.kwargs.sutton_barto_reward"
    assert after[column].tolist() == [False, False, True, True]
    assert after["double"].tolist() == [True, False, False, True]
    assert [t.params for t in trials_in(folder)] == [
        {column: bool(one), "double": bool(other)}
        for one, other in zip(after[column], after["double"], strict=True)
    ]
    assert not list(folder.glob("study.db.damaged*"))
    results = read(folder)
    rewards = [results.config(n).env.kwargs["sutton_barto_reward"] for n in range(4)]
    assert rewards == after[column].tolist()
    assert main(["reproduce", str(folder), "--trial", "3", "--seed", "0"]) == 0


def test_an_option_that_needs_another_parameter_has_its_columns_too():
    space = {
        "preset": CategoricalDistribution(["exercise", "big"]),
        "buffer_size": IntDistribution(100, 200),
    }

    def compose(sets):
        big = sets.get("preset") == "big"
        kwargs = {"sutton_barto_reward": True} if big else {}
        return Config(
            env=EnvConfig("CartPole-v1", kwargs=kwargs), batch_size=64 if big else 32,
            buffer_size=int(sets.get("buffer_size", 100)),
        )  # fmt: skip

    found = alternatives(space, compose)
    assert differing_env([config for _, config in found]) == ("env.kwargs.sutton_barto_reward",)
