"""Two configurations are one where their trainings are the same, however they were written."""

import dataclasses

import pytest

from dqn.config import Config, EnvConfig
from dqn.config.config import choices_of, fields_of
from dqn.storage.identity import identity_of

OTHER = {
    "env": EnvConfig("Acrobot-v1"), "lr": 0.5, "gamma": 0.5, "hidden": (8,), "activation": "tanh",
    "batch_size": 8, "buffer_size": 999, "learning_starts": 7, "train_freq": 3,
    "target_update": 7, "tau": 0.5, "epsilon_start": 0.9, "epsilon_min": 0.01,
    "epsilon_decay": 0.3, "epsilon_schedule": "linear", "exploration_steps": 9,
    "reward_scale": 0.3, "double": True, "huber_delta": 1.0, "grad_clip": 1.0,
    "timeout_terminal": True, "episodes": 3, "steps": 9, "test_episodes": 2,
}  # fmt: skip
FREE = {
    "seeds": 9,
    "first_seed": 4,
    "workers": 3,
    "fleet": "ray",
    "ray_address": "a:1",
    "tracking": "tensorboard",
    "name": "b",
}


COMPONENTS = ("optimizer", "network")


def with_kwargs(**kwargs):
    return Config(env=EnvConfig("CartPole-v1", kwargs=kwargs))


def test_every_key_is_either_part_of_it_or_free():
    assert {*OTHER, *FREE, *COMPONENTS} == {
        *fields_of("lane"),
        *fields_of("shape"),
        *fields_of("run"),
    }


@pytest.mark.parametrize("key", OTHER)
def test_a_key_that_can_change_a_result_makes_another_configuration(key):
    changed = dataclasses.replace(Config(), **{key: OTHER[key]})
    assert identity_of(changed) != identity_of(Config())


@pytest.mark.parametrize("key", COMPONENTS)
def test_each_choice_of_a_component_makes_another_configuration(key):
    changed = [dataclasses.replace(Config(), **{key: name}) for name in choices_of(key)]
    assert len({identity_of(config) for config in changed}) == len(changed)


@pytest.mark.parametrize("key", FREE)
def test_where_and_with_which_seeds_it_is_trained_does_not(key):
    assert identity_of(dataclasses.replace(Config(), **{key: FREE[key]})) == identity_of(Config())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 10}, {"a": 10.0}),
        ({"a": [1, {"c": 0.5, "d": 1}]}, {"a": [1.0, {"d": 1, "c": 0.5}]}),
    ],
)
def test_it_counts_what_a_value_is_and_not_how_it_was_written(one, other):
    assert identity_of(with_kwargs(**one)) == identity_of(with_kwargs(**other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"a": "1"}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({}, {"a": 0}),
    ],
)
def test_other_values_are_others(one, other):
    assert identity_of(with_kwargs(**one)) != identity_of(with_kwargs(**other))
