import copy
import dataclasses
import math
import re

import gymnasium
import pytest
from commands import python
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from dqn.compose import help_page
from dqn.compose.help_page import CONF, SECTIONS
from dqn.config import Config, EnvConfig
from dqn.config.config import KEYS, fields_of, key_of
from dqn.config.fields import FieldInfo, short_repr
from dqn.runtime.errors import UserError


def refused(mapping) -> UserError:
    with pytest.raises(UserError) as caught:
        Config.from_mapping(mapping)
    assert len(str(caught.value).splitlines()) == 1
    assert caught.value.exit_status == 2
    return caught.value


def test_the_defaults_are_the_exercise():
    assert Config().to_mapping() == {
        "env": {"id": "CartPole-v0", "max_episode_steps": 200, "solved_return": 195, "kwargs": {}},
        "lr": 0.001, "gamma": 0.99, "optimizer": "adam",
        "network": "mlp", "hidden": [64, 64], "activation": "relu",
        "batch_size": 32, "buffer_size": 5000, "learning_starts": 0, "train_freq": 4,
        "target_update": 100, "tau": 1.0,
        "epsilon_start": 1.0, "epsilon_min": 0.05, "epsilon_decay": 0.0005,
        "epsilon_schedule": "exponential", "exploration_steps": 5000,
        "reward_scale": 1.0, "double": False, "huber_delta": math.inf, "grad_clip": math.inf,
        "timeout_terminal": False, "episodes": 150, "steps": 0,
        "seeds": 5, "first_seed": 0, "test_episodes": 20, "workers": "auto", "fleet": "processes",
        "ray_address": None, "tracking": None, "name": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "rule", "got"),
    [
        ("lr", -1, "> 0", "-1"),
        ("lr", 0, "> 0", "0"),
        ("lr", "0.1x", "a number > 0", "'0.1x'"),
        ("lr", True, "a number > 0", "true"),
        ("lr", None, "a number > 0", "null"),
        ("lr", math.nan, "a finite number > 0", "nan"),
        ("lr", math.inf, "a finite number > 0", "inf"),
        ("lr", [0.1], "a number > 0", "[0.1]"),
        ("lr", 10**400, "> 0", "1000"),
        pytest.param("lr", 10**5000, "> 0", "too large to show", id="lr-vast"),
        ("gamma", 1.5, "in [0, 1]", "1.5"),
        ("workers", -1, "auto or a whole number >= 0", "-1"),
        ("workers", "all", "auto or a whole number >= 0", "'all'"),
        ("workers", 1.5, "auto or a whole number >= 0", "1.5"),
        ("tau", 0, "in (0, 1]", "0"),
        ("huber_delta", math.nan, "a finite number > 0 or inf", "nan"),
        ("train_freq", 0, ">= 1", "0"),
        ("train_freq", 1.5, "a whole number >= 1", "1.5"),
        ("train_freq", True, "a whole number >= 1", "true"),
        ("steps", -1, ">= 0", "-1"),
        ("seeds", 0, ">= 1", "0"),
        ("seeds", math.inf, "a finite whole number >= 1", "inf"),
        ("buffer_size", 2**31, "< 2^31", str(2**31)),
        ("hidden", [64, 0], "each >= 1", "[64, 0]"),
        ("hidden", [], "a non-empty list", "[]"),
        ("hidden", 64, "a non-empty list", "64"),
        ("hidden", [[64]], "a non-empty list", "[[64]]"),
        ("activation", "rellu", "relu, tanh, elu, silu or gelu", "'rellu'"),
        ("double", 1, "true or false", "1"),
        ("name", "", "a folder name", "''"),
        ("name", "a\nb", "printable", r"'a\nb'"),
        ("name", "a/b", "a folder name", "'a/b'"),
        ("name", "..", "a folder name", "'..'"),
        ("name", "x" * 300, "1 to 200 printable", "xxx"),
        ("env", "CartPole-v1", "a mapping", "CartPole-v1"),
        ("env.id", "???", "given", "nothing"),
        ("env.id", None, "a Gymnasium id", "null"),
        ("env.max_episode_steps", 0, ">= 1", "0"),
        ("env.solved_return", math.nan, "a finite number", "nan"),
        ("env.kwargs", 3, "a mapping", "3"),
        ("env.kwargs", {1: 2}, "a mapping", "{1: 2}"),
    ],
)
def test_a_wrong_value_is_refused_with_key_rule_value_and_remedy(key, value, rule, got):
    group, _, name = key.rpartition(".")
    error = refused({group: {name: value}} if group else {name: value})
    assert error.key == key
    assert error.value is value or repr(error.value) == repr(value)
    must, _, given = str(error).partition(", got ")
    assert rule in must.removeprefix(f"{key} must be ")
    assert got in given
    assert f"{key}=" in given


@pytest.mark.parametrize(
    ("mapping", "parts"),
    [
        ({"epsilon_min": 0.5, "epsilon_start": 0.1}, ["epsilon_min", "epsilon_start=0.1", "0.5"]),
        ({"batch_size": 3000}, ["buffer_size=5000", "batch_size=3000", "6000"]),
        ({"episodes": 0}, ["episodes=0", "steps=0", "episodes=150"]),
        ({"first_seed": 2**31 - 2}, ["first_seed=2147483646", "seeds=5", "2^31"]),
    ],
)
def test_a_rule_between_two_keys_names_both_and_their_values(mapping, parts):
    line = str(refused(mapping))
    assert [part for part in parts if part not in line] == []


@pytest.mark.parametrize(
    ("mapping", "got", "near"),
    [
        ({"lrr": 1}, "lrr=1", "lr"),
        ({"gama": 0.9}, "gama=0.9", "gamma"),
        ({"learning_rate": 0.1}, "learning_rate=0.1", "lr"),
        ({"seed": 3}, "seed=3", "first_seed"),
        ({"epsilon": 1}, "epsilon=1", "epsilon_start"),
        ({"env": {"idd": "x"}}, "env.idd=x", "env.id"),
        ({"env": {"max_steps": 5}}, "env.max_steps=5", "env.max_episode_steps"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(mapping, got, near):
    error = refused(mapping)
    key, _, value = got.partition("=")
    assert (error.key, str(error.value)) == (key, value)
    assert str(error).endswith(f"did you mean {near}?")


@pytest.mark.parametrize("key", ["zzzz", 3, None, "", "a\nb"])
def test_an_unknown_key_like_none_points_to_the_help(key):
    assert "--help" in str(refused({key: 1}))


def test_whole_floats_and_limits_of_the_ranges_are_accepted():
    config = Config.from_mapping(
        {"buffer_size": 1e3, "gamma": 1, "tau": 1, "huber_delta": math.inf, "name": 17}
    )
    assert config == Config(buffer_size=1000, gamma=1.0, name="17")
    assert type(config.buffer_size) is int
    assert type(config.gamma) is float


def test_a_copy_with_a_changed_value_is_checked_too():
    with pytest.raises(UserError) as caught:
        dataclasses.replace(Config(), lr=-1)
    assert (caught.value.key, caught.value.value) == ("lr", -1)


def test_a_configuration_cannot_change_and_can_key_a_table():
    config = Config(env=EnvConfig("CartPole-v1", kwargs={"sutton_barto_reward": True}))
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.lr = 1.0  # pyright: ignore
    assert {config: 1}[copy.deepcopy(config)] == 1
    assert config != Config(env=EnvConfig("CartPole-v1"))


def test_the_caller_keeps_no_hold_on_a_configuration():
    kwargs = {"sutton_barto_reward": True}
    config = Config.from_mapping({"env": {"id": "CartPole-v1", "kwargs": kwargs}})
    kwargs["sutton_barto_reward"] = False
    config.to_mapping()["env"]["kwargs"].clear()
    assert config.env.kwargs == {"sutton_barto_reward": True}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("???"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
NAMES = [name for name in KEYS if not name.startswith("env.")]
ENV_NAMES = [name.removeprefix("env.") for name in KEYS if name.startswith("env.")]


@given(
    st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), ANYTHING, max_size=3),
    st.dictionaries(st.sampled_from(ENV_NAMES) | st.text(max_size=3), ANYTHING, max_size=3)
    | ANYTHING,
)
def test_any_mapping_is_a_configuration_or_one_line(mapping, env):
    try:
        made = Config.from_mapping({**mapping, "env": env})
    except UserError as error:
        made = str(error)
    if isinstance(made, Config):
        assert [name for name in NAMES if not key_allows(name, made)] == []
    else:
        assert made.isprintable()


def key_allows(name: str, config: Config) -> bool:
    value, about = getattr(config, name), key_of(KEYS[name])
    if isinstance(value, bool | str | None):
        return True
    return all(about.allows(number) for number in (value if name == "hidden" else [value]))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "lr": st.floats(1e-9, 1e9),
            "gamma": st.floats(0, 1),
            "hidden": st.lists(st.integers(1, 10**6), min_size=1, max_size=4),
            "huber_delta": st.floats(1e-3, math.inf),
            "batch_size": st.integers(1, 2500),
            "epsilon_min": st.floats(0, 1),
            "double": st.booleans(),
            "steps": st.integers(0, 2**31 - 1),
            "name": st.text("abcé 0_.-", min_size=1).filter(lambda name: name[0] != "."),
            "env": st.fixed_dictionaries(
                {"id": st.sampled_from(["CartPole-v1", "LunarLander-v3"])},
                optional={
                    "max_episode_steps": st.none() | st.integers(1, 10**6),
                    "solved_return": st.none() | st.floats(-1e6, 1e6),
                    "kwargs": st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
                },
            ),
        },
    )
)
def test_a_configuration_survives_its_way_through_yaml(mapping):
    config = Config.from_mapping(mapping)
    plain = config.to_mapping()
    assert Config.from_mapping(plain) == config
    again = OmegaConf.to_container(OmegaConf.create(OmegaConf.to_yaml(OmegaConf.create(plain))))
    assert Config.from_mapping(again) == config  # pyright: ignore


def test_kinds_say_what_shares_a_program():
    assert fields_of("shape") == (
        "env", "optimizer", "network", "hidden", "activation", "batch_size"
    )  # fmt: skip
    assert fields_of("run") == (
        "seeds", "first_seed", "test_episodes", "workers", "fleet", "ray_address", "tracking",
        "name"
    )  # fmt: skip
    assert len(fields_of("lane")) == len(dataclasses.fields(Config)) - 14


def test_the_columns_of_a_table_are_every_shape_and_lane_key_in_order():
    columns = Config(hidden=(32, 16)).hyperparameters()
    assert [*columns, *fields_of("run")] == [field.name for field in dataclasses.fields(Config)]
    assert columns["env"] == "CartPole-v0"
    assert columns["hidden"] == "32x16"
    assert columns["lr"] == 0.001
    assert all(isinstance(value, float | int | bool | str) for value in columns.values())


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("> 0", [1e-300, 1e300], [0, -1, math.inf, math.nan]),
        (">= 1", [1, 5], [0.5, math.inf, math.nan]),
        ("> 0 or inf", [1, math.inf], [0, -math.inf, math.nan]),
        ("[0, 1]", [0, 0.5, 1], [-0.1, 1.1, math.nan]),
        ("(0, 1]", [1e-9, 1], [0, 1.1, math.nan]),
        ("", [-1e300, 0], [math.inf, math.nan]),
    ],
)
def test_a_range_means_what_it_says(text, inside, outside):
    about = FieldInfo("lane", "", "", text, "")
    assert [number for number in inside if not about.allows(number)] == []
    assert [number for number in outside if about.allows(number)] == []


def test_no_number_may_be_negative_or_nan():
    for name in NAMES:
        value = getattr(Config(), name)
        if not isinstance(value, bool | str | None):
            assert not key_of(KEYS[name]).allows(-1), name
            assert not key_of(KEYS[name]).allows(math.nan), name


def test_the_file_of_defaults_says_what_the_code_says():
    text = (CONF / "config.yaml").read_text("utf-8")
    lines = re.findall(r"^(\w+): (.*?) +# (.*)$", text, re.MULTILINE)
    expected = []
    for name in NAMES:
        about = key_of(KEYS[name])
        parts = (about.kind, about.symbol, about.unit, about.range, about.meaning)
        expected.append((name, " · ".join(part for part in parts if part)))
    assert [(name, comment) for name, _, comment in lines] == expected
    values = OmegaConf.create("\n".join(f"{name}: {value}" for name, value, _ in lines))
    assert Config.from_mapping(OmegaConf.to_container(values)) == Config()  # pyright: ignore
    headings = re.findall(r"^# ([^\n]*)\n(\w+):", text, re.MULTILINE)
    assert [(name, heading) for heading, name in headings] == list(SECTIONS.items())[1:]


@pytest.mark.parametrize(
    ("option", "env_id", "steps", "solved"),
    [
        ("cartpole", "CartPole-v0", 200, 195),
        ("cartpole_v1", "CartPole-v1", 500, 475),
        ("acrobot", "Acrobot-v1", 500, -100),
        ("mountain_car", "MountainCar-v0", 200, -110),
    ],
)
def test_a_named_environment_has_the_limits_of_its_registration(option, env_id, steps, solved):
    values = OmegaConf.to_container(OmegaConf.load(CONF / "env" / f"{option}.yaml"))
    env = Config.from_mapping({"env": values}).env
    assert env == EnvConfig(env_id, steps, solved)
    registered = gymnasium.spec(env_id)
    assert (registered.max_episode_steps, registered.reward_threshold) == (steps, solved)


def test_help_has_every_key_and_group_in_columns_that_align():
    page = help_page.page()
    lines = page.splitlines()
    assert max(map(len, lines)) <= 120
    titles = next(line for line in lines if line.split()[:2] == ["key", "symbol"])
    defaults = {"env.max_episode_steps": "200", "hidden": "[64,64]", "name": "null", "lr": "0.001"}
    for name, setting in KEYS.items():
        row = next(line for line in lines if re.match(rf"  {re.escape(name)}\*? ", line))
        about = key_of(setting)
        meaning = row[titles.index("meaning") :]
        assert row[: titles.index("symbol")].strip("* ") == name
        assert row[titles.index("symbol") :].startswith(about.symbol or "-")
        assert row[titles.index("default") :].startswith(defaults.get(name, ""))
        assert row[titles.index("unit") :].startswith(about.unit or "-")
        assert meaning.startswith(about.meaning)
        assert [word for word in about.choices if word not in row] == []
    for file in [*(CONF / "env").iterdir(), *(CONF / "preset").iterdir()]:
        assert f"  {file.parent.name}={file.stem} " in page
    assert page.count("\n  python -m dqn.run ") == 6  # how to call it, and five examples


def test_the_short_help_has_what_is_needed_first_and_the_way_to_the_rest():
    text = help_page.short_page()
    lines = text.rstrip("\n").splitlines()
    assert len(lines) <= 20
    assert max(map(len, lines)) <= 110
    assert sum(line.startswith("  python -m dqn.run ") for line in lines) == 3
    for word in ("--help all", "--dry-run", "python -m sweeps --help"):
        assert word in text
    for group in ("env", "preset", "sweep"):
        (row,) = (line for line in lines if line.startswith(f"  {group}="))
        assert [file.stem for file in (CONF / group).glob("*.yaml") if file.stem not in row] == []
    for name, default in (("lr", "0.001"), ("hidden", "[64,64]"), ("seeds", "5")):
        (row,) = (line for line in lines if line.startswith(f"  {name}={default} "))
        assert key_of(KEYS[name]).meaning in row


def test_a_value_is_shown_on_one_short_line():
    endless: list = []
    endless.append(endless)
    deep: list = []
    for _ in range(10**5):
        deep = [deep]
    assert short_repr(None) == "null"
    assert short_repr(True) == "true"
    assert short_repr("a\nb") == r"'a\nb'"
    assert short_repr(endless) == "[[...]]"
    for value in ("\udcff", list(range(1000)), 10**5000, deep):
        assert short_repr(value).isprintable()
        assert len(short_repr(value)) <= 60


def test_configuration_and_help_import_nothing_heavy():
    code = "import sys; from dqn.compose.help_page import page, short_page; page(); short_page();"
    code += "print(*sys.modules)"
    message = python("-c", code, check=True)
    heavy = {"tensorflow", "hydra", "omegaconf", "yaml", "numpy", "pandas", "gymnasium"}
    assert heavy.isdisjoint(message.stdout.split())
