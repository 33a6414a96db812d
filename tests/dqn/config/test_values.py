"""A value is taken for what it plainly is, wherever it comes from, or refused in one line."""

import datetime
import enum
import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from tabular import PARSER

from dqn.compose.arguments import normalize
from dqn.compose.overrides import jobs_of, sweep_texts
from dqn.config import Config, EnvConfig
from dqn.runtime.errors import UserError
from dqn.storage import manifest, safe_yaml
from dqn.storage.identity import identity_of


class Word(enum.StrEnum):
    TANH = "tanh"


class Count(enum.IntEnum):
    FOUR = 4


class Strange:
    """Raises whatever is asked of it."""

    __hash__ = None  # pyright: ignore

    def __eq__(self, other):
        raise RuntimeError

    def __repr__(self):
        raise RuntimeError


ENDLESS: list = []
ENDLESS.append(ENDLESS)

TAKEN = [
    ("train_freq", np.int64(4), 4),
    ("train_freq", np.uint8(4), 4),
    ("train_freq", np.float32(4), 4),
    ("train_freq", Decimal("4"), 4),
    ("train_freq", Count.FOUR, 4),
    ("train_freq", "1e3", 1000),
    ("lr", np.float32(1e-3), float(np.float32(1e-3))),
    ("lr", np.float64(1e-3), 1e-3),
    ("lr", np.float16(0.5), 0.5),
    ("lr", np.longdouble(0.25), 0.25),
    ("lr", np.array(1e-3), 1e-3),
    ("lr", Decimal("0.001"), 1e-3),
    ("lr", Fraction(1, 1000), 1e-3),
    ("lr", "1e-4", 1e-4),
    ("lr", "1E-4", 1e-4),
    ("lr", "+1e-3", 1e-3),
    ("lr", ".5", 0.5),
    ("lr", "1_0.5", 10.5),
    ("buffer_size", "1_000", 1000),
    ("huber_delta", "inf", math.inf),
    ("huber_delta", ".inf", math.inf),
    ("huber_delta", np.inf, math.inf),
    ("hidden", np.array([64, 32]), (64, 32)),
    ("hidden", np.array([64.0, 32.0]), (64, 32)),
    ("hidden", pd.Series([64, 32]), (64, 32)),
    ("hidden", range(2, 4), (2, 3)),
    ("hidden", [np.int8(3), "8"], (3, 8)),
    ("hidden", "[64, 32]", (64, 32)),
    ("double", np.bool_(True), True),
    ("double", "True", True),
    ("activation", np.str_("tanh"), "tanh"),
    ("activation", Word.TANH, "tanh"),
    ("workers", "2", 2),
    ("name", np.int64(7), "7"),
    ("name", Path("first"), "first"),
    ("name", datetime.date(2026, 11, 29), "2026-11-29"),
]


@pytest.mark.parametrize(("key", "value", "expected"), TAKEN, ids=str)
def test_a_value_is_what_it_plainly_is(key, value, expected):
    held = getattr(Config(**{key: value}), key)
    assert held == expected
    assert type(held) is type(expected)
    plain = Config.from_mapping({key: value}).to_mapping()
    assert safe_yaml.plain(safe_yaml.written(plain)) == plain


REFUSED = [
    ("lr", "1e-4x"), ("lr", ""), ("lr", "-1e-4"), ("lr", "nan"), ("lr", b"1"), ("lr", 1j),
    ("lr", np.complex64(1)), ("lr", np.datetime64("2001-01-01")), ("lr", pd.NA), ("lr", int),
    ("lr", np.array([1e-3])), ("lr", Strange()), ("huber_delta", "-.inf"), ("double", "yes"),
    ("double", np.int64(1)), ("train_freq", np.uint64(2**63)), ("train_freq", np.float32(0.5)),
    ("hidden", np.array([[1, 2]])), ("hidden", np.array(64)), ("hidden", {64, 32}),
    ("hidden", ENDLESS), ("hidden", Strange()), ("hidden", np.array([])), ("name", 1e3),
    ("name", b"a"), ("env", 3), ("env", "CartPole-v1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value"), REFUSED, ids=[f"{k}-{n}" for n, (k, _) in enumerate(REFUSED)]
)
def test_what_is_no_such_value_is_one_line(key, value):
    with pytest.raises(UserError, match=rf"^{key} must be ") as caught:
        Config(**{key: value})
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("mapping", [None, 3, [1], "lr"])
def test_what_is_no_configuration_is_one_line(mapping):
    with pytest.raises(UserError, match="must be a mapping of keys to values"):
        Config.from_mapping(mapping)


def test_the_arguments_of_an_environment_can_be_written_down():
    given = {"g": np.float32(2), "a": np.arange(3), "b": {"c": (1, Path("x"))}, np.str_("k"): None}
    env = EnvConfig("CartPole-v1", kwargs=given)
    assert env.kwargs == {"g": 2.0, "a": [0, 1, 2], "b": {"c": [1, "x"]}, "k": None}
    plain = Config(env=env).to_mapping()
    assert Config.from_mapping(safe_yaml.plain(safe_yaml.written(plain))) == Config(env=env)
    assert identity_of(Config(env=env)) == identity_of(Config.from_mapping(plain))


@pytest.mark.parametrize("value", [object(), {1, 2}, ENDLESS, Strange(), print, 1j])
def test_an_argument_that_no_file_holds_is_one_line(value):
    with pytest.raises(UserError, match=r"^env\.kwargs must be a mapping .* that YAML has"):
        EnvConfig("CartPole-v1", kwargs={"a": value})


def test_an_environment_may_be_a_mapping_and_a_key_may_have_dots():
    expected = Config(env=EnvConfig("CartPole-v1", 30))
    assert Config(env={"id": "CartPole-v1", "max_episode_steps": "30"}) == expected  # pyright: ignore
    dotted = {"env.id": "CartPole-v1", "env.max_episode_steps": 30}
    assert Config.from_mapping(dotted) == expected
    assert Config.from_mapping(
        {"env": EnvConfig("CartPole-v1"), **{"env.max_episode_steps": 30}}
    ) == (expected)
    with pytest.raises(UserError, match=r"^env\.id must be given once"):
        Config.from_mapping({"env": {"id": "CartPole-v1"}, "env.id": "Acrobot-v1"})


def test_numbers_of_yaml_are_hydras_and_text_stays_text(tmp_path):
    message = safe_yaml.plain("{a: 1e-4, b: 1E5, c: +1e-3, d: '1e-4', e: .5e1}")
    assert message == {"a": 1e-4, "b": 1e5, "c": 1e-3, "d": "1e-4", "e": 5.0}
    for text in ("1e-4", "1E5", "1e3", ".5e3", "1.e3", "e5", "1e"):
        assert safe_yaml.plain(safe_yaml.written({"x": text})) == {"x": text}
    (tmp_path / "config.yaml").write_text("lr: 1e-4\nepisodes: 1e2\n")
    read = manifest.read_config(tmp_path / "config.yaml")
    assert (read["lr"], read["episodes"]) == (1e-4, 100)
    assert Config.from_mapping(yaml.safe_load("lr: 1e-4")).lr == 1e-4


NAMES = {
    "name=007": "007", "name=1e3": "1e3", "name=1_0": "1_0", "name=0x10": "0x10", "name=17": "17",
    "name=true": "true", "name=nan": "nan", "name=+5": "+5", "name=2026-11-29": "2026-11-29",
    "name=12:30:00": "12:30:00", "name=1.50": "1.50", "name=a=b": "a=b", "name=été": "été",
    "name=a b": "a b", "name=a.": "a.", "name='a,b'": "a,b", "name='1e3'": "1e3", "name=a#1": "a#1",
    "++name=1e3": "1e3",
}  # fmt: skip


@pytest.mark.parametrize("typed", NAMES)
def test_a_name_is_the_text_that_was_typed(typed):
    (override,) = PARSER.parse_overrides(normalize([typed]))
    assert Config(name=override.value()).name == NAMES[typed]  # pyright: ignore


def test_a_folder_has_the_name_that_was_typed(line, tmp_path):
    for typed in ("name=1e3", "name=a=b"):
        assert line(typed) == 0, line.err
    runs = tmp_path / "outputs" / "runs"
    assert line.folders == [runs / "1e3", runs / "a=b"]
    assert sorted(path.name for path in runs.iterdir()) == ["1e3", "a=b"]


def test_a_name_with_a_comma_says_what_to_write(line):
    for typed in (["name=a,b"], ["-m", "lr=1,2", "name=a,b"]):
        assert line(*typed) == 2
        assert line.err == (
            "name must be the same for all trials, got name=a,b; write one value; quoted with its "
            "comma it is \"name='a,b'\"\n"
        )


def test_a_tilde_is_null_or_the_home_directory(line, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for typed in ("hydra.run.dir=~/a", "hydra.run.dir='~/a'", "hydra.run.dir=~/a=b"):
        assert line(typed) == 0, line.err
    assert {str(path) for path in line.folders} == {f"{tmp_path}/home/a", f"{tmp_path}/home/a=b"}
    assert line("name=~", "env.solved_return=~") == 0
    assert line.trained[-1][0].env.solved_return is None
    assert not (tmp_path / "~").exists()
    (tmp_path / "home" / "mine" / "preset").mkdir(parents=True)
    preset = tmp_path / "home" / "mine" / "preset" / "far.yaml"
    preset.write_text("# @package _global_\nhydra: {run: {dir: ~/a}}\n")
    for flag in (["--config-dir=~/mine"], ["--config-dir", "~/mine"]):
        assert line(*flag, "preset=far") == 2
        assert "write ${oc.env:HOME}/a" in line.err


def presets(tmp_path, **texts):
    folder = tmp_path / "mine" / "preset"
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(f"# @package _global_\n{text}\n")
    return folder


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("env.max_episode_steps: 100", "env: {max_episode_steps: 100}"),
        ("hydra.sweeper.n_trials: 5", "hydra: {sweeper: {n_trials: 5}}"),
        ("env: {kwargs.gravity: 5}", "env: {kwargs: {gravity: 5}}"),
        ("lr: -1", "lr must be > 0, got -1"),
        ("env: {max_episode_steps: 0}", "env.max_episode_steps must be"),
        ("learning_rate: 1e-4", "did you mean lr?"),
        ("name: 12:30:00", "write name: '12:30:00'"),
        ("name: 007", "write name: '007'"),
    ],
)
def test_a_refusal_of_a_file_names_it(line, tmp_path, text, message):
    folder = presets(tmp_path, theirs=text)
    assert line("--config-dir", "mine", "preset=theirs", "gamma=0.9") == 2
    assert len(line.err.splitlines()) == 1
    assert message in line.err
    assert str(folder / "theirs.yaml") in line.err
    assert line.trained == []


def test_a_file_says_values_in_any_way_that_yaml_has(line, tmp_path):
    presets(tmp_path, theirs="lr: '1e-4'\nhuber_delta: inf\ntrain_freq: 1e1\ndouble: on\nname: 7")
    assert line("--config-dir", "mine", "preset=theirs") == 0, line.err
    expected = Config(lr=1e-4, train_freq=10, double=True, name="7")
    assert line.config == expected


LISTS = "lr: [1e-4, 1e-3]\n      hidden: [[32, 32], [64, 64]]\n      env.id: [CartPole-v0]\n"
LISTS = f"hydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      {LISTS}      gamma: 0.9"


def test_a_list_in_a_grid_is_what_is_trained(line, tmp_path):
    presets(
        tmp_path, theirs=LISTS, wide="hydra: {mode: MULTIRUN, sweeper: {params: {hidden: [8, 8]}}}"
    )
    assert line("--config-dir", "mine", "preset=theirs") == 0, line.err
    assert [(config.lr, config.hidden, config.gamma) for config, _ in line.trained] == [
        (lr, hidden, 0.9) for lr in (1e-4, 1e-3) for hidden in ((32, 32), (64, 64))
    ]
    line.trained.clear()
    assert line("--config-dir", "mine", "preset=wide") == 0, line.err
    assert line.config.hidden == (8, 8)
    line.trained.clear()
    assert line("-m", "hydra.sweeper.params={lr:[1e-4,1e-3],double:['true',false]}") == 0, line.err
    assert [(config.lr, config.double) for config, _ in line.trained] == [
        (1e-4, True), (1e-4, False), (1e-3, True), (1e-3, False),
    ]  # fmt: skip
    assert line("-m", "hydra.sweeper.params={env:{max_episode_steps:[5,6]}}") == 2
    assert "hydra.sweeper.params.env must be a sweep or a list" in line.err
    assert line("-m", "hydra.sweeper.params.lr=1,2") == 2
    assert line.err.endswith("; write the sweep itself, lr=1,2\n")


def test_a_variable_of_the_shell_is_the_value_it_plainly_is(line, tmp_path, monkeypatch):
    monkeypatch.setenv("DQN_LR", "1e-4")
    monkeypatch.setenv("DQN_H", "[8,8]")
    monkeypatch.setenv("DQN_D", "true")
    given = ["lr=${oc.env:DQN_LR}", "hidden=${oc.env:DQN_H}", "double=${oc.env:DQN_D}"]
    assert line(*given, "gamma=${oc.env:DQN_NONE,0.5}") == 0, line.err
    assert line.config == Config(lr=1e-4, hidden=(8, 8), double=True, gamma=0.5)
    line.trained.clear()
    monkeypatch.setenv("DQN_LR", "1e-4,1e-3")
    assert line("-m", "+hydra.sweeper.params.lr=${oc.env:DQN_LR}") == 0, line.err
    assert [config.lr for config, _ in line.trained] == [1e-4, 1e-3]
    for typed in ("hydra.run.dir=${oc.env:DQN_NONE}/x", "lr=${oc.env:DQN_NONE}"):
        assert line(typed) == 2
        assert "DQN_NONE" in line.err
        assert "DEFAULT}" in line.err
        assert len(line.err.splitlines()) == 1


@pytest.mark.parametrize(
    "values",
    [[None, 100], [{"a": 1}, {"b": {"c": [1, "x y"]}}], ["true", True, "a,b"], [["a" * 70, "b"]]],
)
def test_values_of_params_are_those_of_a_grid(values):
    (text,) = sweep_texts({"+env.kwargs.x": values})
    overrides = PARSER.parse_overrides([text])
    taken = [PARSER.parse_overrides(job)[0].value() for job in jobs_of(overrides)]
    assert [*map(repr, taken)] == [*map(repr, values)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"lr: 0.5\n", "must be # @package _global_, got another; write that line"),
        (b"\xef\xbb\xbf# @package _global_\nlr: 0.5\n", "got a byte order mark before it; save it"),
        (b"# @package _global_\nlr: 0.5\nlr: 0.6\n", "line 3, column 1: found duplicate key lr;"),
        (b"# @package _global_\n\tlr: 0.5\n", "write spaces instead of the tab"),
        (b"# @package _global_\nname: caf\xe9\n", "must be UTF-8 text, got the byte 0xe9"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(line, tmp_path, text, message):
    path = presets(tmp_path) / "theirs.yaml"
    path.write_bytes(text)
    (path.parent / "other.yaml").write_text("# @package _global_\nlr: 0.5\n")
    for words in (["preset=theirs"], ["-m", "preset=other,theirs"]):
        assert line("--config-dir", "mine", *words) == 2
        assert message in line.err
        assert str(path) in line.err
        assert len(line.err.splitlines()) == 1
        assert "HYDRA_FULL_ERROR" not in line.err


def test_infinity_is_one_however_it_is_written():
    for text in ("Infinity", ".inf", "+infinity", "inf", ".Inf"):
        assert Config.from_mapping({"grad_clip": text}).grad_clip == math.inf
