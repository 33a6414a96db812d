"""What Python gives as a space or as values of a grid, in the words of a command line."""

import numpy as np
import optuna
import pytest
from tabular import PARSER, compose

import sweeps
from dqn.runtime.errors import UserError
from sweeps.search.space import written
from sweeps.search.space_parser import search_space
from sweeps.search.space_words import words_of_space


@pytest.mark.parametrize(
    ("space", "distribution"),
    [
        ({"lr": sweeps.log(1e-4, 1e-2)}, "tag(log,interval(0.0001,0.01))"),
        ({"lr": sweeps.log(np.float64(1e-4), np.float32(0.5))}, "tag(log,interval(0.0001,0.5))"),
        ({"gamma": sweeps.uniform(0, 1)}, "interval(0.0,1.0)"),
        ({"train_freq": sweeps.uniform(1, 9)}, "range(1,10)"),
        ({"train_freq": range(1, 9)}, "range(1,9)"),
        ({"train_freq": range(1, 9, 2)}, "range(1,9,2)"),
        ({"lr": [1e-4, 1e-3]}, "choice(0.0001,0.001)"),
        ({"lr": np.array([0.25, 0.5])}, "choice(0.25,0.5)"),
        ({"hidden": [[32, 32], (64,)]}, "choice([32,32],[64])"),
        ({"double": [True, False]}, "choice(true,false)"),
        ({"optimizer": ("adam", "rmsprop")}, "choice(adam,rmsprop)"),
        ({"env.max_episode_steps": [100, None]}, "100,null"),
        ({"env": {"kwargs": {"x": [1, 2]}}}, "choice(1,2)"),
        ({"lr": "tag(log,interval(1e-4,1e-2))"}, "tag(log,interval(0.0001,0.01))"),
        ({"lr": "1e-4,1e-3"}, "choice(0.0001,0.001)"),
        (
            {"lr": optuna.distributions.FloatDistribution(0.1, 0.5)},
            "interval(0.1,0.5)",
        ),
    ],
)
def test_a_space_is_searched_as_it_was_given(space, distribution):
    words = words_of_space(space, is_grid=False)
    found = search_space(PARSER.parse_overrides(words), {}, compose, PARSER)
    assert [written(one) for one in found.values()] == [distribution]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"train_freq": range(1, 4)}, ["train_freq=choice(1,2,3)"]),
        ({"lr": [1e-3], "gamma": 0.9}, ["lr=choice(0.001)", "gamma=0.9"]),
        ({"env": ["cartpole", "acrobot"]}, ["env=choice(cartpole,acrobot)"]),
        ({"env": {"kwargs": {"text": ["1e3", "a,b"]}}}, ["++env.kwargs.text=choice('1e3','a,b')"]),
        ({"optimizer": "adam"}, ["optimizer=adam"]),
        ({}, []),
    ],
)
def test_the_values_of_a_grid_are_choices_and_one_value_is_none(values, words):
    assert words_of_space(values, is_grid=True) == words


@pytest.mark.parametrize(
    ("space", "is_grid", "said"),
    [
        ({"hidden": [32, 64]}, False, r"a list of lists of widths"),
        ({"lr": []}, False, "at least one value"),
        ({"lr": [0.1, -1]}, True, r"lr must be"),
        ({"lr": [0.1, "x"]}, False, r"lr must be"),
        ({"lr": [object()]}, True, r"lr must be a number"),
        ({"lrr": [1]}, True, "did you mean lr"),
        ({"lr": sweeps.log(1e-4, 1e-2)}, True, r"search it with sweeps.tune\(\{\"lr\": sweeps.log"),
        ([1, 2], True, "a mapping of keys to values"),
    ],
)
def test_what_is_no_space_is_refused(space, is_grid, said):
    with pytest.raises(UserError, match=said):
        search_space(PARSER.parse_overrides(words_of_space(space, is_grid)), {}, compose, PARSER)


@pytest.mark.parametrize("ends", [(0, 1), (1e-2, 1e-4), (-1, 1), (1, 1), ("a", 1), (1, np.inf)])
def test_ends_of_an_interval_are_checked_when_it_is_made(ends):
    with pytest.raises(UserError, match=r"sweeps\.log must be"):
        sweeps.log(*ends)


def test_a_pair_of_numbers_may_be_an_interval_or_two_values():
    with pytest.raises(UserError, match=r"lr must be an interval or a list, got \(0.0001, 0.01\)"):
        words_of_space({"lr": (1e-4, 1e-2)}, is_grid=False)
    assert words_of_space({"lr": (1e-4, 1e-2)}, is_grid=True)
    assert words_of_space({"lr": (1e-4, 1e-3, 1e-2)}, is_grid=False)
