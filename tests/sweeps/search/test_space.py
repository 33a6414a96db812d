"""Hydra's sweeps as Optuna's distributions, and samples back as the very same values."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from tabular import PARSER, compose, refused, row_of, space_of

from dqn.compose.arguments import grammar_text
from dqn.config import Config, EnvConfig
from dqn.runtime.errors import UserError
from dqn.storage.columns import hyperparameters
from sweeps.search.space import overrides_of, params_of_row, points_of, written
from sweeps.search.space_parser import recorded, search_space


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
    config = compose({"lr": lr, "gamma": gamma, "hidden": "[8,4]"})
    assert (config.lr.hex(), config.gamma.hex()) == (lr.hex(), gamma.hex())
    assert tuple(config.hidden) == (8, 4)


def test_a_row_tells_its_sample():
    space = space_of(
        "lr=interval(1e-4,1e-2)", "hidden=choice([8],[4,4])", "double=choice(false,true)"
    )
    params = {"lr": 0.0031, "hidden": "[4,4]", "double": True}
    row = row_of(0, 0, compose(params), 1.0)
    row["hidden"] = "4x4"
    assert params_of_row(row, space, compose) == params
    assert params_of_row({**row, "lr": 0.5}, space, compose) is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("lrr=interval(0.1,1)", "lrr … did you mean"),
        ("lr=interval(1e-2,1e-4)", "lr must … low < high … write the lower end first"),
        ("lr=interval(1e-3,1e-3)", "lr must … low < high … write the lower end first"),
        ("gamma=tag(log,interval(0,0.9))", "from > 0 with log … raise its lower end"),
        ("lr=interval(-1,0.1)", "lr must … got -1 … (in lr=interval(-1,0.1))"),
        ("train_freq=range(9,1)", "not empty … got train_freq=range(9,1) … range(1,17)"),
        ("train_freq=range(1,4,0.5)", "whole numbers … range(1,17)"),
        ("hidden=interval(1,9)", "must be a choice … hidden=choice(A,B)"),
        ("preset=interval(1,9)", "must be a choice … preset=choice(A,B)"),
        ("lr=choice(0.1,0.1)", "different values … got 0.1 twice … leave one out"),
        ("seeds=choice(1,2)", "one for the whole study … write one value"),
        ("lr=tag(big,interval(0.1,1))", "nothing but log … tag(log,interval(low,high))"),
        ("lr=0.1", "a study must have a parameter to search, got none (for example"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_one_line(text, parts):
    refused(lambda: space_of(text), parts)


def test_an_empty_choice_is_refused():
    refused(lambda: space_of(params={"lr": []}), "lr")


def test_the_plus_of_a_name_is_no_part_of_it():
    for text in ("+env.kwargs.x=1,2", "++env.kwargs.x=1,2", "env.kwargs.x=1,2"):
        assert [*spanned(text)] == ["env.kwargs.x"]
    assert [*spanned(params={"+env.kwargs.x": "1,2", "++lr": "0.1,0.2"})] == ["env.kwargs.x", "lr"]
    assert overrides_of({"env.kwargs.x": 2, "lr": 0.1}) == ["++env.kwargs.x=2", "lr=0.1"]


def composed(values):
    """Presets by hand: `preset` sets lr, an argument of the environment is one."""
    lr = {"fast": 0.1, "slow": 0.01, "slower": 0.01}.get(values.get("preset"), 0.001)
    kwargs = {
        k[11:]: yaml.safe_load(v) if isinstance(v, str) else v
        for k, v in values.items()
        if k.startswith("env.kwargs.")
    }
    return Config(lr=lr, gamma=float(values.get("gamma", 0.99)), env=EnvConfig(kwargs=kwargs))


def spanned(*texts, params=None):
    return search_space(PARSER.parse_overrides(list(texts)), params or {}, composed, PARSER)


@pytest.mark.parametrize(
    ("texts", "params"),
    [
        (("preset=choice(fast,slow)", "gamma=0.9,0.99"), {"preset": "slow", "gamma": 0.9}),
        (("preset=choice(slow,slower)", "gamma=0.9,0.99"), None),  # either may have been it
        (("env.kwargs.x=choice(1,2)", "preset=choice(fast,slow)"),
         {"env.kwargs.x": 2, "preset": "fast"}),
        (("env.kwargs.x=choice(true,false)",), {"env.kwargs.x": True}),
        (("env.kwargs.x=choice([1,2],[3])",), {"env.kwargs.x": "[1,2]"}),
        (("env.kwargs.x=interval(0.5,2)",), {"env.kwargs.x": 1.25}),
    ],
)  # fmt: skip
def test_a_row_tells_the_group_and_the_environments_argument_it_was_made_with(texts, params):
    space = spanned(*texts)
    sampled = params or {"preset": "slow", "gamma": 0.9}
    row = hyperparameters(composed(sampled), [n for n in sampled if n.startswith("env.")])
    assert params_of_row(row, space, composed) == params
    assert {type(v) for v in (params or {}).values()} == {
        type(v) for v in (params_of_row(row, space, composed) or {}).values()
    }


LOG = "tag(log,interval(0.0001,0.01))"


@pytest.mark.parametrize(
    ("texts", "params", "same"),
    [
        (("gamma=.9,.99", "lr=tag(log,interval(1e-4,1e-2))"),
         {"lr": LOG, "gamma": "choice(0.9,0.99)"}, True),
        (("lr=0.01,0.001",), {"lr": "choice(0.001,0.01)"}, True),
        (("train_freq=range(1,9)",), {"train_freq": "interval(1,8)"}, True),
        (("env.kwargs.x=1,2",), {"+env.kwargs.x": "choice(1,2)"}, True),
        (("lr=0.01,0.001",), {"lr": "choice(0.001,0.02)"}, False),
        (("env.kwargs.x=0,1",), {"env.kwargs.x": "choice(true,false)"}, False),
        (("lr=interval(1e-4,1e-2)",), {"lr": LOG}, False),
        (("lr=0.01,0.001", "gamma=0.9,0.99"), {"lr": "choice(0.01,0.001)"}, False),
        (("lr=0.01,0.001",), {"lr": "choice(0.01,0.001)", "gamma": "choice(0.9,0.99)"}, False),
    ],
)  # fmt: skip
def test_the_space_on_record_is_kept_where_it_means_the_same(texts, params, same):
    space = spanned(*texts)
    found = recorded(space, params, lambda name, text: spanned(params={name: text})[name])
    assert (found.params == params) == same
    if same:
        assert [*found.params] == [*params]
        assert [*found.space] == [name.lstrip("+") for name in params]
        assert [*found.sampled_as.values()] == [*params]
    assert {*found.space} == {*space}


LONG = "a" * 70 + "/b c"


@pytest.mark.parametrize(
    "values",
    [
        [LONG, "b"], [f"[{LONG}", "b"], [[LONG, "x"], ["y"]], ["true", "a", "1e3", ".5", "null"],
        [{"a": 1}, {"a": 2, "b": [LONG, {"c d": None}]}], [None, 100], [True, "true"],
        ["a,b", "a=b", "it's", "a\\b", " a", "${oc.env:HOME}"],
    ],
    ids=str,
)  # fmt: skip
def test_what_is_chosen_is_the_very_value(values):
    """Of any length, and text stays text: from the command line, params and sweep.yaml."""
    text = ",".join(map(grammar_text, values))
    given = [text, *([] if None in values else [f"choice({text})"])]
    given += [] if f"[{LONG}" in values else [values]  # in params such text is read as a list
    for params in given:
        distribution = distribution_of(params)
        for one in (distribution, distribution_of(written(distribution))):
            texts = [overrides_of({"env.kwargs.x": value}) for value in points_of(one)]
            taken = [PARSER.parse_overrides(text)[0].value() for text in texts]
            assert [*map(repr, taken)] == [*map(repr, values)], params


def distribution_of(params):
    name = "env.kwargs.x"
    return search_space([], {name: params}, lambda texts: None, PARSER)[name]  # pyright: ignore


def test_a_name_that_the_grammar_cannot_say_is_one_line():
    for name in ("1", "true", "it's", ""):
        with pytest.raises(UserError, match="must need no quotes"):
            grammar_text({name: 1})
