"""What Python gives by keyword comes back, through the words of a command line, as it was given."""

import math
from pathlib import Path

import numpy as np
import pytest

import dqn
from dqn.agents.networks.dueling import Dueling
from dqn.compose.compose import composed_words
from dqn.compose.keywords import folder_word, words_of
from dqn.config import Config, EnvConfig, components
from dqn.runtime.errors import UserError
from sweeps.search.space_words import words_of_space

OTHER = Config(
    env=EnvConfig("CartPole-v1", 77, 50.5, {"sutton_barto_reward": True, "a b": [1, "x,y"]}),
    lr=1e-5, gamma=0.1 + 0.2, optimizer="rmsprop", network="dueling", hidden=(3, 5),
    activation="tanh", batch_size=16, buffer_size=777, learning_starts=100, train_freq=3,
    target_update=7, tau=0.25, epsilon_start=0.9, epsilon_min=0.1, epsilon_decay=1e-3,
    epsilon_schedule="linear", exploration_steps=99, reward_scale=0.01, double=True,
    huber_delta=1.5, grad_clip=10.0, timeout_terminal=True, episodes=0, steps=500, seeds=3,
    first_seed=11, test_episodes=4, workers=2, ray_address="10.0.0.1:6379",
    tracking="mlflow",
)  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def composed(config=None, /, **keywords):
    with composed_words(words_of(keywords, config), many=False) as command:
        assert list(Path.cwd().iterdir()) == []
        return command.configs[0]


def test_every_key_of_a_configuration_comes_back():
    assert composed(OTHER) == OTHER
    default = Config().to_mapping()
    same = [name for name, value in OTHER.to_mapping().items() if value == default[name]]
    assert same == ["fleet", "name"]


def test_keywords_change_a_configuration_and_its_name_is_left_out():
    named = Config(lr=0.5, name="a")
    assert composed(named, gamma=0.5) == Config(lr=0.5, gamma=0.5)
    assert composed(named, name="b").name == "b"


@pytest.mark.parametrize(
    "name",
    ["a", "1e3", "007", "a=b", "null", "True", "it's", 'a "b"', "a, b", "x y", "[1]", "ü", "a\\b"],
)
def test_a_name_is_the_text_that_it_is(name):
    assert composed(name=name).name == name


@pytest.mark.parametrize(
    ("given", "held"),
    [
        ({"lr": np.float64(0.1)}, {"lr": 0.1}),
        ({"hidden": np.array([8, 4])}, {"hidden": (8, 4)}),
        ({"hidden": (8,)}, {"hidden": (8,)}),
        ({"hidden": range(1, 3)}, {"hidden": (1, 2)}),
        ({"double": np.True_}, {"double": True}),
        ({"huber_delta": math.inf}, {"huber_delta": math.inf}),
        ({"lr": 5e-324}, {"lr": 5e-324}),
        ({"episodes": 1e2}, {"episodes": 100}),
        ({"workers": "auto"}, {"workers": "auto"}),
        ({"preset": "scaled"}, {"reward_scale": 0.01}),
        ({"preset": "scaled", "reward_scale": 0.5}, {"reward_scale": 0.5}),
    ],
)
def test_a_value_is_taken_for_what_it_is(given, held):
    config = composed(**given)
    assert {name: getattr(config, name) for name in held} == held


ACROBOT = EnvConfig("Acrobot-v1", 500, -100.0)


@pytest.mark.parametrize(
    ("given", "env"),
    [
        ("acrobot", ACROBOT),
        (ACROBOT, ACROBOT),
        ("CartPole-v1", EnvConfig("CartPole-v1")),
        ("my_module:Mine-v0", EnvConfig("my_module:Mine-v0")),
        ({"id": "CartPole-v1", "max_episode_steps": 9}, EnvConfig("CartPole-v1", 9)),
        ({"max_episode_steps": 9}, EnvConfig("CartPole-v0", 9, 195.0)),
        (
            {"id": "A-v0", "kwargs": {"x": {"y": [1, None]}, "text": "1e3"}},
            EnvConfig("A-v0", kwargs={"x": {"y": [1, None]}, "text": "1e3"}),
        ),
    ],
)
def test_an_environment_is_an_option_an_id_or_a_mapping(given, env):
    assert composed(env=given).env == env


@pytest.mark.parametrize(
    ("keywords", "key", "said"),
    [
        ({"lrr": 1}, "lrr", "did you mean lr?"),
        ({"learning_rate": 1}, "learning_rate", "lr"),
        ({"lr": [1, 2]}, "lr", 'sweeps.grid({"lr": [1, 2]})'),
        ({"lr": np.array([1, 2])}, "lr", "sweeps.grid"),
        ({"lr": object()}, "lr", "must be a number > 0"),
        ({"env.kwargs.x": object()}, "env.kwargs.x", "must be a value that YAML has"),
        ({"hidden": 32}, "hidden", "non-empty list"),
        ({"env": "acrobt"}, "env", "env=acrobot"),
        ({"env": {"idd": 1}}, "env.idd", "did you mean env.id?"),
        ({"preset": "scald"}, "preset", "did you mean preset=scaled?"),
        ({"epsilon_min": 0.9, "epsilon_start": 0.5}, "epsilon_min", "at most epsilon_start=0.5"),
        ({"name": "a/b"}, "name", "a folder name without /"),
    ],
)
def test_what_is_wrong_is_refused_with_its_key_and_value(keywords, key, said):
    with pytest.raises(UserError) as refused:
        composed(**keywords)
    assert refused.value.key == key
    assert said in str(refused.value)


def test_a_preset_beside_a_configuration_is_refused():
    with pytest.raises(UserError, match="preset only applies to a call without a Config"):
        words_of({"preset": "scaled"}, Config())


def test_a_folder_may_begin_with_a_home_and_hold_blanks(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert folder_word("~/a b", "hydra.run.dir") == "hydra.run.dir='/home/me/a b'"
    assert folder_word(Path("/x/y"), "hydra.run.dir") == "hydra.run.dir=/x/y"
    with pytest.raises(UserError, match="folder must be a path, got 3"):
        folder_word(3, "hydra.run.dir")


def test_a_component_of_ones_own_is_named_by_its_path(monkeypatch):
    monkeypatch.setattr(components, "_paths", {"network": {}, "optimizer": {}})
    path = "dqn.agents.networks.dueling:Dueling"
    dqn.register(network={"other": path})
    for given in ("other", Dueling, path):
        assert words_of({"network": given}) == words_of({"network": path})
        space = {"network": ["mlp", given]}
        assert words_of_space(space, is_grid=True) == [f"network=choice(mlp,'{path}')"]
        assert composed(network=given).network == path
