"""Hydra's sweeps as Optuna's distributions, and samples back as the very same values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from tabular import compose, row_of, space_of

from dqn.errors import UserError
from sweeps.space import overrides_of, params_of_row


@pytest.mark.parametrize(
    ("text", "distribution"),
    [
        ("lr=interval(1e-4,1e-2)", FloatDistribution(1e-4, 1e-2)),
        ("lr=tag(log,interval(1e-4,1e-2))", FloatDistribution(1e-4, 1e-2, log=True)),
        ("train_freq=int(interval(1,9))", IntDistribution(1, 9)),
        ("train_freq=interval(1,9)", IntDistribution(1, 9)),
        ("train_freq=range(1,9)", IntDistribution(1, 8)),
        ("train_freq=range(1,10,2)", IntDistribution(1, 9, step=2)),
        ("target_update=tag(log,interval(1,1000))", IntDistribution(1, 1000, log=True)),
        ("lr=1e-4,1e-3", CategoricalDistribution([1e-4, 1e-3])),
        ("double=choice(false,true)", CategoricalDistribution([False, True])),
        ("hidden=choice([8],[32,32])", CategoricalDistribution(["[8]", "[32,32]"])),
    ],
)
def test_a_sweep_is_a_distribution(text, distribution):
    key = text.partition("=")[0]
    assert space_of(text) == {key: distribution}
    assert space_of(params={key: text.partition("=")[2]}) == {key: distribution}


def test_a_list_in_params_is_a_choice():
    space = space_of(params={"hidden": [[8], [16, 16]], "lr": [1e-4, 1e-3]})
    assert space["hidden"] == CategoricalDistribution(["[8]", "[16,16]"])
    assert space["lr"] == CategoricalDistribution([1e-4, 1e-3])


def test_a_command_line_wins_over_params():
    params = {"lr": "interval(1e-4,1e-2)", "gamma": "interval(0.9,0.99)"}
    assert space_of("lr=interval(1e-3,1e-2)", "gamma=0.9", params=params) == {
        "lr": FloatDistribution(1e-3, 1e-2)
    }


@given(lr=st.floats(1e-12, 1.0), gamma=st.floats(0.0, 1.0, exclude_max=True))
def test_a_sample_is_read_back_bit_by_bit(lr, gamma):
    config = compose(overrides_of({"lr": lr, "gamma": gamma, "hidden": "[8,4]"}))
    assert (config.lr.hex(), config.gamma.hex()) == (lr.hex(), gamma.hex())
    assert tuple(config.hidden) == (8, 4)


def test_a_row_tells_its_sample():
    space = space_of(
        "lr=interval(1e-4,1e-2)", "hidden=choice([8],[4,4])", "double=choice(false,true)"
    )
    params = {"lr": 0.0031, "hidden": "[4,4]", "double": True}
    row = row_of(0, 0, compose(overrides_of(params)), 1.0)
    row["hidden"] = "4x4"
    assert params_of_row(row, space) == params
    assert params_of_row({**row, "lr": 0.5}, space) is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("lrr=interval(0.1,1)", ("lrr", "did you mean")),
        ("lr=interval(1e-2,1e-4)", ("lr must", "low < high", "write the lower end first")),
        ("lr=interval(1e-3,1e-3)", ("lr must", "low < high", "write the lower end first")),
        ("gamma=tag(log,interval(0,0.9))", ("from > 0 with log", "raise its lower end")),
        ("lr=interval(-1,0.1)", ("lr must", "met -1", "(in lr=interval(-1,0.1))")),
        ("train_freq=range(9,1)", ("not empty", "met train_freq=range(9,1)", "range(1,17)")),
        ("train_freq=range(1,4,0.5)", ("whole numbers", "range(1,17)")),
        ("hidden=interval(1,9)", ("must be a choice", "hidden=choice(A,B)")),
        ("lr=choice(0.1,0.1)", ("different values", "met 0.1 twice", "leave one out")),
        ("seeds=choice(1,2)", ("one for the whole study", "write one value")),
        ("lr=tag(big,interval(0.1,1))", ("the tag log alone", "tag(log,interval(low,high))")),
    ],
)
def test_what_cannot_be_searched_is_refused_in_one_line(text, parts):
    with pytest.raises(UserError) as caught:
        space_of(text)
    line = str(caught.value)
    assert "\n" not in line
    assert all(part in line for part in parts), line


def test_a_study_without_a_parameter_is_refused():
    with pytest.raises(UserError, match="must have a parameter to search, met none; write"):
        space_of("lr=0.1")


def test_an_empty_choice_is_refused():
    with pytest.raises(UserError, match=r"^lr"):
        space_of(params={"lr": []})
