"""The wording of each shape of error, here and nowhere else; what else an error carries."""

import pickle

import pytest

from dqn.config import Config
from dqn.runtime.errors import RunError, UserError, missing_package, must_be, only_for, unknown_key


def test_what_must_hold_then_what_was_given_then_what_to_write():
    error = must_be("lr", "> 0", -1, example="lr=0.001")
    assert str(error) == "lr must be > 0, got -1 (for example lr=0.001)"
    assert (error.key, error.value, error.exit_status) == ("lr", -1, 2)
    error = must_be("seeds", "at most 100", 101, "write fewer")
    assert str(error) == "seeds must be at most 100, got 101; write fewer"
    error = must_be("lr", "a number > 0", "null", value=None)
    assert (str(error), error.value) == ("lr must be a number > 0, got null", None)


def test_an_unknown_key():
    error = unknown_key("lrr", "lrr=0.1", "did you mean lr?", 0.1)
    assert str(error) == "unknown key lrr (in lrr=0.1); did you mean lr?"
    assert (error.key, error.value) == ("lrr", 0.1)


def test_a_key_that_does_not_apply():
    error = only_for("hydra/sweeper", "sweeps", "add -m", "optuna")
    assert str(error) == "hydra/sweeper only applies to sweeps: add -m"
    assert (error.key, error.value) == ("hydra/sweeper", "optuna")


def test_a_package_that_is_missing():
    error = missing_package("fleet=ray", "Ray", "ray>=2.50")
    assert str(error) == "fleet=ray needs Ray: pip install 'ray>=2.50'"
    assert (error.key, error.value) == ("fleet", "ray")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"lr": -1}, "lr must be > 0, got -1 (for example lr=0.001)"),
        ({"lr": "x"}, "lr must be a number > 0, got 'x' (for example lr=0.001)"),
        ({"lr": float("inf")}, "lr must be a finite number > 0, got inf (for example lr=0.001)"),
        ({"tau": 2}, "tau must be in (0, 1], got 2 (for example tau=1.0)"),
        ({"seeds": 1.5}, "seeds must be a whole number >= 1, got 1.5 (for example seeds=5)"),
        ({"activation": "rellu"}, "activation must be relu, tanh, elu, silu or gelu, got 'rellu'; "
         "did you mean activation=relu?"),
        ({"double": 1}, "double must be true or false, got 1 (for example double=false)"),
    ],
)  # fmt: skip
def test_a_value_of_a_key(settings, text):
    with pytest.raises(UserError) as caught:
        Config(**settings)
    assert str(caught.value) == text


def test_more_text_keeps_key_and_value():
    error = must_be("lr", "> 0", -1).followed_by(" (in mine.yaml)")
    assert str(error) == "lr must be > 0, got -1 (in mine.yaml)"
    assert (error.key, error.value) == ("lr", -1)


def test_an_error_survives_a_pipe():
    error = pickle.loads(pickle.dumps(must_be("lr", "> 0", -1)))
    assert (str(error), error.key, error.value) == ("lr must be > 0, got -1", "lr", -1)
    assert RunError("full").exit_status == 1
