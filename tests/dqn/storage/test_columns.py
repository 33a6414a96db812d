"""A line of seeds.csv is the configuration it was trained with, exactly."""

import dataclasses
import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trainings import CONFIG, filled, read_seeds, result

from dqn.config import Config, EnvConfig
from dqn.runtime.errors import UserError
from dqn.statistics.metrics import METRICS
from dqn.storage.columns import columns_of, config_of, hyperparameters
from dqn.storage.results_dir import ResultsDir
from dqn.storage.seeds import SeedsTable

REST = {
    "status": "done", "steps": 1, "episodes": 1, **dict.fromkeys(METRICS, 1.0), "best_return": None,
    "test_return": None, "solved_at": None, "collapse": 0.0, "seconds": 0.1,
}  # fmt: skip

finite = {"allow_nan": False, "allow_infinity": False}
positive = st.floats(0, exclude_min=True, **finite)
share = st.floats(0, 1)
count = st.integers(1, 2**20)
names = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=20)
names = names.filter(str.isprintable).map(str.strip).filter(bool)  # outer blanks are typos
texts = st.text(max_size=12) | st.sampled_from(["1", "1e5", "true", "null", "", "inf", "[a]", "~"])
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(
    plain, lambda x: st.lists(x, max_size=3) | st.dictionaries(texts, x), max_leaves=4
)


@st.composite
def configs(draw):
    env = EnvConfig(
        draw(names),
        draw(st.none() | count),
        draw(st.none() | st.floats(**finite)),
        draw(st.dictionaries(st.sampled_from(["gravity", "render", "x"]), values)),
    )
    low, high = sorted([draw(share), draw(share)])
    batch_size = draw(st.integers(1, 1000))
    return Config(
        env=env,
        lr=draw(positive),
        gamma=draw(share),
        hidden=draw(st.lists(count, min_size=1, max_size=4)),
        activation=draw(st.sampled_from(["relu", "tanh", "gelu"])),
        batch_size=batch_size,
        buffer_size=2 * batch_size + draw(count),
        train_freq=draw(count),
        tau=draw(st.floats(0, 1, exclude_min=True)),
        epsilon_start=high,
        epsilon_min=low,
        epsilon_decay=draw(share),
        epsilon_schedule=draw(st.sampled_from(["linear", "exponential"])),
        double=draw(st.booleans()),
        huber_delta=draw(positive | st.just(math.inf)),
        episodes=draw(count),
        steps=draw(st.integers(0, 2**20)),
        seeds=draw(st.integers(1, 9)),
        first_seed=draw(count),
        test_episodes=draw(st.integers(0, 9)),
    )


@settings(deadline=None, max_examples=60)
@given(configs())
def test_a_line_gives_its_configuration_back(tmp_path_factory, config):
    base = Config(
        seeds=config.seeds, first_seed=config.first_seed, test_episodes=config.test_episodes
    )
    path = tmp_path_factory.mktemp("columns") / "seeds.csv"
    cells = hyperparameters(config, ["env", "lr"])
    SeedsTable(path, cells, {(3, 7): {"trial": 3, "seed": 7, **cells, **REST}}).write()
    (row,) = read_seeds(path)
    assert config_of(row, base) == config


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), values, min_size=1))
def test_so_does_one_with_columns_for_single_arguments(kwargs):
    config = Config(env=EnvConfig("X", kwargs={**kwargs, "fixed": 1}))
    base = Config(env=EnvConfig("X", kwargs={"a": "other", "b": 1, "fixed": 1}))
    row = hyperparameters(config, [f"env.kwargs.{name}" for name in "abc"])
    assert config_of(row, base).env.kwargs == config.env.kwargs


def test_what_varies_of_the_environment_has_columns_after_env():
    def columns(*swept):
        names = list(hyperparameters(CONFIG, swept))
        return names[: names.index("lr")]

    assert columns() == columns("lr", "env.id", "preset") == ["env"]
    assert columns("env.solved_return", "env.max_episode_steps") == [
        "env", "env.max_episode_steps", "env.solved_return",
    ]  # fmt: skip
    everything = ["env", "env.max_episode_steps", "env.solved_return", "env.kwargs"]
    assert columns("env") == columns("env", "env.kwargs.gravity") == everything
    assert columns("env.kwargs.g", "env.kwargs.a") == ["env", "env.kwargs.a", "env.kwargs.g"]
    assert columns_of(hyperparameters(CONFIG))[:3] == ("trial", "seed", "env")


def test_a_folder_of_several_environments_names_them(tmp_path):
    kwargs = [{"gravity": 9.8}, {"gravity": 1, "wind": "north"}, {}]
    ids = [EnvConfig("CartPole-v1", None, 195.0 + i, own) for i, own in enumerate(kwargs)]
    configs = [dataclasses.replace(CONFIG, env=env) for env in ids]
    results = [result(trial, config=config) for trial, config in enumerate(configs)]
    filled(tmp_path, *results, sweep={"kind": "grid"}, swept=("env",))
    frame = pd.read_csv(tmp_path / "seeds.csv")
    assert frame["env.solved_return"].tolist() == [195.0, 196.0, 197.0]
    assert frame["env.max_episode_steps"].isna().all()
    assert frame["env.kwargs"].tolist() == ["{gravity: 9.8}", "{gravity: 1, wind: north}", "{}"]
    assert "env.solved_return" in pd.read_csv(tmp_path / "trials.csv")
    with ResultsDir(tmp_path, CONFIG, {"kind": "grid"}, swept=("env",)) as folder:
        assert [config_of(folder.row(trial, 0), CONFIG) for trial in range(3)] == configs
        pd.testing.assert_frame_equal(folder.rows(), frame)


def test_cells_that_are_no_configuration_are_refused():
    row = {**hyperparameters(CONFIG), "lr": -1.0}
    with pytest.raises(UserError, match="lr must be"):
        config_of(row, CONFIG)
