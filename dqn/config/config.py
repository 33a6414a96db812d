"""Every setting of a run: its default, what it must be, and what a change of it costs.

A `Config` that exists is sound: each value, and each rule between two of them, is checked when it
is made, so nothing behind the command line's edge checks again. `--help` and the comments of
`conf/config.yaml` say what the fields below say.

A key's kind tells what may differ between networks that train side by side in one compiled program:
`lane` (a vector with one entry a lane), `shape` (another value is another program) and `run` (how
many seeds, where the results go; a network never sees it).
"""

import copy
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any

from dqn.config.env_config import EnvConfig
from dqn.config.familiar import advice_on, known_names
from dqn.config.fields import (
    INT_BOUND,
    FieldInfo,
    Kind,
    closest_match,
    config_field,
    override_text,
    short_repr,
    validate,
)
from dqn.config.nesting import nested, refuse_dotted
from dqn.runtime.errors import must_be, unknown_key
from dqn.runtime.secrets import without_secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One configuration; what is left out is the exercise's.

    Raises `UserError`: one line with the key, what must hold, the value got and the remedy.
    """

    env: EnvConfig = field(
        default_factory=lambda: EnvConfig("CartPole-v0", 200, 195.0),
        metadata={"key": FieldInfo("shape", "", "", "", "the environment")},
    )

    lr: float = config_field(1e-3, "lane", "α", "per update", "> 0", "learning rate")
    gamma: float = config_field(0.99, "lane", "γ", "per step", "[0, 1]", "discount")
    optimizer: str = config_field("adam", "shape", "", "", "adam | rmsprop", "update rule")

    network: str = config_field("mlp", "shape", "", "", "mlp | dueling", "architecture")
    hidden: tuple[int, ...] = config_field(
        (64, 64), "shape", "H", "units", ">= 1", "width of each hidden layer"
    )
    activation: str = config_field(
        "relu", "shape", "", "", "relu | tanh | elu | silu | gelu", "hidden layers"
    )

    batch_size: int = config_field(
        32, "shape", "B", "transitions", ">= 1", "minibatch of one update"
    )
    buffer_size: int = config_field(
        5000, "lane", "C", "transitions", ">= 1", "replay capacity, at least 2 B"
    )
    learning_starts: int = config_field(
        0, "lane", "", "transitions", ">= 0", "stored before updates, at least 2 B"
    )
    train_freq: int = config_field(
        4, "lane", "T_train", "steps", ">= 1", "environment steps per update"
    )

    target_update: int = config_field(
        100, "lane", "T_target", "steps", ">= 1", "environment steps between target updates"
    )
    tau: float = config_field(1.0, "lane", "τ", "per update", "(0, 1]", "Polyak factor: 1 copies")

    epsilon_start: float = config_field(
        1.0, "lane", "ε_0", "probability", "[0, 1]", "of a random action at the start"
    )
    epsilon_min: float = config_field(
        0.05, "lane", "ε_min", "probability", "[0, 1]", "never below; <= ε_0"
    )
    epsilon_decay: float = config_field(
        5e-4, "lane", "d", "per action", "[0, 1]", "exponential: ε becomes ε (1 - d)"
    )
    epsilon_schedule: str = config_field(
        "exponential", "lane", "", "", "exponential | linear", "how ε falls"
    )
    exploration_steps: int = config_field(
        5000, "lane", "T_ε", "steps", ">= 1", "linear: from ε_0 down to ε_min"
    )

    reward_scale: float = config_field(
        1.0, "lane", "c", "", "> 0", "factor of r in the target only"
    )
    double: bool = config_field(
        False, "lane", "", "", "true | false", "double DQN: online net picks the action"
    )
    huber_delta: float = config_field(
        math.inf, "lane", "κ", "TD error", "> 0 or inf", "squared loss to here, then absolute"
    )
    grad_clip: float = config_field(
        math.inf, "lane", "g_max", "norm", "> 0 or inf", "clips the gradient's global norm"
    )
    timeout_terminal: bool = config_field(
        False, "lane", "", "", "true | false", "true: a time-out ends the return"
    )

    episodes: int = config_field(
        150, "lane", "M", "episodes", ">= 0", "training episodes; 0: steps alone decide"
    )
    steps: int = config_field(
        0, "lane", "T", "steps", ">= 0", "training steps; 0: episodes alone decide"
    )

    seeds: int = config_field(5, "run", "", "seeds", ">= 1", "trainings of this configuration")
    first_seed: int = config_field(
        0, "run", "", "", ">= 0", "seeds are first_seed, first_seed + 1, ..."
    )
    test_episodes: int = config_field(
        20, "run", "", "episodes", ">= 0", "greedy episodes after training"
    )
    workers: int | str = config_field(
        "auto", "run", "", "processes", ">= 0", "auto: one per core; 0: this process"
    )
    fleet: str = config_field("processes", "run", "", "", "processes | ray", "where workers run")
    ray_address: str | None = config_field(
        None, "run", "", "", "host:port", "Ray cluster; null: RAY_ADDRESS or a new one"
    )
    name: str | None = config_field(
        None, "run", "", "", "folder name", "outputs/runs/NAME; null: date and time"
    )

    def __post_init__(self) -> None:
        if isinstance(self.env, Mapping):
            object.__setattr__(self, "env", _env_of(self.env))
        if not isinstance(self.env, EnvConfig):
            raise must_be(
                "env",
                "a mapping with an id",
                f"env={override_text(self.env)}",
                "choose one with env=cartpole",
                value=self.env,
            )
        for setting in fields(self)[1:]:
            value = validate(setting.name, setting, getattr(self, setting.name))
            object.__setattr__(self, setting.name, value)
        _check_rules(self)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "Config":
        """The configuration of a YAML mapping, nested as in conf/; what is left out is default.

        Raises `UserError` for an unknown key, with the nearest known one, and for all that a
        `Config` refuses.
        """
        if not callable(getattr(mapping, "keys", None)):
            got, example = short_repr(mapping), "{'lr': 0.001}"
            raise must_be("a configuration", "a mapping of keys to values", got, example=example)
        values = nested(dict(mapping))
        for name, value in values.items():
            if name not in KEYS and name != "env":
                refuse_unknown(name, f"{override_text(name)}={override_text(value)}", value=value)
        return cls(**values)

    def to_mapping(self) -> dict[str, Any]:
        """Plain YAML types; `from_mapping` gives an equal configuration back.

        But for the password of a `ray_address`, which is left out.
        """
        env = {setting.name: getattr(self.env, setting.name) for setting in fields(self.env)}
        plain = {setting.name: getattr(self, setting.name) for setting in fields(self)}
        env["kwargs"] = copy.deepcopy(env["kwargs"])
        plain["ray_address"] = without_secrets(self.ray_address)
        return {**plain, "env": env, "hidden": list(self.hidden)}

    def hyperparameters(self) -> dict[str, float | int | bool | str]:
        """What a table of results names a trial by: the environment's id, each lane and shape key.

        In declared order; `hidden` is text such as "64x64".
        """
        names = [setting.name for setting in fields(self) if key_of(setting).kind != "run"]
        hidden = "x".join(str(width) for width in self.hidden)
        return {n: getattr(self, n) for n in names} | {"env": self.env.id, "hidden": hidden}


# The keys a command line may set, "env.id" and "lr" alike, each with the field that holds it.
KEYS: dict[str, Field] = {
    **{f"env.{setting.name}": setting for setting in fields(EnvConfig)},
    **{setting.name: setting for setting in fields(Config)[1:]},
}

NON_RESULT_KEYS = ("workers", "fleet", "ray_address", "name")
"""Keys that no result depends on: where it is computed, and what it is called."""

_LONGEST = 2**24  # steps of an episode up to which float32 adds 1 to a sum of ones
_MOST = 100_000  # seeds of a trial and tests of a seed; all of them are held in memory


def key_of(setting: Field) -> FieldInfo:
    """What a field of `Config` or `EnvConfig` says of itself."""
    return setting.metadata["key"]


def choices_of(name: str) -> tuple[str, ...]:
    """The words that a key chooses from; none where any will do."""
    return key_of(KEYS[name]).choices


def fields_of(kind: Kind) -> tuple[str, ...]:
    """Names of `Config`'s fields of one kind, in declared order; `env` is of kind shape."""
    return tuple(setting.name for setting in fields(Config) if key_of(setting).kind == kind)


def refuse_unknown(
    name: object, got: str, groups: Iterable[str] = (), value: object = None
) -> None:
    """Raise `UserError`, with the nearest known key or group, unless `name` is a key."""
    if name in KEYS:
        return
    word = override_text(name)
    advice = advice_on(word)
    if advice is None:
        own = [*KEYS, *groups]
        near = closest_match(
            word, [*own, *known_names(word)], 0.7 if word.startswith("env.") else 0.5
        )
        advice = (near not in own and advice_on(near)) or (near and f"did you mean {near}?")
    if not advice and re.fullmatch(r"env\.\w+", word):
        advice = f"an argument of the environment's own is +env.kwargs.{word[4:]}=VALUE"
    advice = advice or "see --help for all of them"
    raise unknown_key(word, got, advice, value)


def _env_of(mapping: Mapping[Any, Any]) -> EnvConfig:
    """The environment of a mapping; raises `UserError` for an unknown key."""
    for name, value in mapping.items():
        if str(name).startswith("kwargs."):
            refuse_dotted(f"env.{name}", value)
        if f"env.{name}" not in KEYS:
            got = f"env.{override_text(name)}={override_text(value)}"
            refuse_unknown(f"env.{name}", got, value=value)
    return EnvConfig(**{str(name): value for name, value in mapping.items()})


def _check_rules(config: Config) -> None:
    """What must hold between two values, and for a folder's name."""
    if config.epsilon_min > config.epsilon_start:
        raise must_be(
            "epsilon_min",
            f"at most epsilon_start={config.epsilon_start}",
            config.epsilon_min,
            "lower epsilon_min or raise epsilon_start",
        )
    if config.buffer_size < 2 * config.batch_size:
        raise must_be(
            "buffer_size",
            f"at least 2 x batch_size = {2 * config.batch_size}",
            f"buffer_size={config.buffer_size} with batch_size={config.batch_size}",
            "raise buffer_size or lower batch_size",
            value=config.buffer_size,
        )
    if config.episodes == config.steps == 0:
        got = "episodes=0 with steps=0"
        raise must_be("episodes or steps", "> 0", got, example="episodes=150", value=0)
    if (limit := config.env.max_episode_steps or 0) > _LONGEST:
        rule = f"at most 2^24 = {_LONGEST:,}, as a return is a sum of 32-bit numbers"
        raise must_be("env.max_episode_steps", rule, limit, "write less")
    for name in ("seeds", "test_episodes"):
        if (got := getattr(config, name)) > _MOST:
            raise must_be(name, f"at most {_MOST:,}", got, "write fewer")
    if config.fleet == "ray" and config.workers == 0:
        advice = "leave it out, or write fleet=processes"
        raise must_be("workers", "auto or >= 1 with fleet=ray", 0, advice)
    if config.first_seed + config.seeds > INT_BOUND:
        raise must_be(
            "first_seed + seeds",
            "at most 2^31",
            f"first_seed={config.first_seed} with seeds={config.seeds}",
            "lower first_seed",
            value=config.first_seed,
        )
    if config.name is not None and ("/" in config.name or config.name.startswith(".")):
        raise must_be(
            "name",
            "a folder name without / that does not begin with a dot",
            short_repr(config.name),
            "write for example name=first_try, or hydra.run.dir=PATH for another place",
            value=config.name,
        )
