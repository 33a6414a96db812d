"""Every setting of a run: its default, what it must be, and what a change of it costs.

A `Config` that exists is sound: each value, and each rule between two of them, is checked when it
is made, so nothing behind the command line's edge checks again. `--help all` and the comments of
`conf/config.yaml` say what the fields below say.

A key's kind tells what may differ between networks that train side by side in one compiled program:
`lane` (a vector with one entry a lane), `shape` (another value is another program) and `run` (how
many seeds, where the results go; a network never sees it).
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any

from dqn.config.env_config import EnvConfig, nested, no_mapping, refuse_dotted
from dqn.config.familiar import ADVICE, SYNONYMS, advice_on
from dqn.config.fields import (
    INT_BOUND,
    FieldInfo,
    Kind,
    closest_match,
    lane,
    override_text,
    run,
    shape,
    short_repr,
    validate,
)
from dqn.runtime.errors import must_be, unknown_key
from dqn.runtime.secrets import without_secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One configuration; what is left out is the exercise's.

    Raises `UserError`: one line with the key, what must hold, the value got and the remedy.

    >>> from dqn import Config
    >>> config = Config(lr=5e-4, hidden=[32, 32], episodes=30)
    >>> config.hidden, config.gamma
    ((32, 32), 0.99)
    >>> Config(gamma=2)
    Traceback (most recent call last):
    dqn.runtime.errors.UserError: gamma must be in [0, 1], got 2 (for example gamma=0.99)
    """

    env: EnvConfig = field(
        default_factory=lambda: EnvConfig("CartPole-v0", 200, 195.0),
        metadata={"key": FieldInfo("shape", "", "", "", "the environment")},
    )

    lr: float = lane(1e-3, "α", "per update", "> 0", "learning rate")
    gamma: float = lane(0.99, "γ", "per step", "[0, 1]", "discount")
    optimizer: str = shape("adam", "", "", "adam | rmsprop | module:Name", "update rule")

    network: str = shape("mlp", "", "", "mlp | dueling | module:Name", "architecture")
    hidden: tuple[int, ...] = shape((64, 64), "H", "units", ">= 1", "width of each hidden layer")
    activation: str = shape("relu", "", "", "relu | tanh | elu | silu | gelu", "hidden layers")

    batch_size: int = shape(32, "B", "transitions", ">= 1", "minibatch of one update")
    buffer_size: int = lane(5000, "C", "transitions", ">= 1", "replay capacity, at least 2 B")
    learning_starts: int = lane(0, "", "transitions", ">= 0", "stored before updates, at least 2 B")
    train_freq: int = lane(4, "T_train", "steps", ">= 1", "environment steps per update")

    target_update: int = lane(
        100, "T_target", "steps", ">= 1", "environment steps between target updates"
    )
    tau: float = lane(1.0, "τ", "per update", "(0, 1]", "Polyak factor: 1 copies")

    epsilon_start: float = lane(
        1.0, "ε_0", "probability", "[0, 1]", "of a random action at the start"
    )
    epsilon_min: float = lane(0.05, "ε_min", "probability", "[0, 1]", "never below; <= ε_0")
    epsilon_decay: float = lane(
        5e-4, "d", "per action", "[0, 1]", "exponential: ε becomes ε (1 - d)"
    )
    epsilon_schedule: str = lane("exponential", "", "", "exponential | linear", "how ε falls")
    exploration_steps: int = lane(5000, "T_ε", "steps", ">= 1", "linear: from ε_0 down to ε_min")

    reward_scale: float = lane(1.0, "c", "", "> 0", "factor of r in the target only")
    double: bool = lane(False, "", "", "true | false", "double DQN: online net picks the action")
    huber_delta: float = lane(
        math.inf, "κ", "TD error", "> 0 or inf", "squared loss to here, then absolute"
    )
    grad_clip: float = lane(
        math.inf, "g_max", "norm", "> 0 or inf", "clips the gradient's global norm"
    )
    timeout_terminal: bool = lane(False, "", "", "true | false", "true: a time-out ends the return")

    episodes: int = lane(150, "M", "episodes", ">= 0", "training episodes; 0: steps alone decide")
    steps: int = lane(0, "T", "steps", ">= 0", "training steps; 0: episodes alone decide")

    seeds: int = run(5, "", "seeds", ">= 1", "trainings of this configuration")
    first_seed: int = run(0, "", "", ">= 0", "seeds are first_seed, first_seed + 1, ...")
    test_episodes: int = run(20, "", "episodes", ">= 0", "greedy episodes after training")
    workers: int | str = run("auto", "", "processes", ">= 0", "auto: one per core; 0: this process")
    fleet: str = run("processes", "", "", "processes | ray", "where workers run")
    ray_address: str | None = run(
        None, "", "", "host:port", "Ray cluster; null: RAY_ADDRESS or a new one"
    )
    tracking: str | None = run(None, "", "", "wandb | mlflow | tensorboard", "tracker or null")
    name: str | None = run(None, "", "", "folder name", "outputs/runs/NAME; null: date and time")

    def __post_init__(self) -> None:
        object.__setattr__(self, "env", _env_of(self.env))
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
            if name != "env":
                refuse_unknown(name, value=value)
        return cls(**values)

    def to_mapping(self) -> dict[str, Any]:
        """Plain YAML types; `from_mapping` gives an equal configuration back.

        But for the password of a `ray_address`, which is left out.
        """
        address = without_secrets(self.ray_address)
        return asdict(self) | {"hidden": list(self.hidden), "ray_address": address}

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

NON_RESULT_KEYS = ("workers", "fleet", "ray_address", "tracking", "name")
"""Keys that no result depends on: where it is computed, who hears of it, what it is called."""

_LONGEST = 2**24  # steps of an episode up to which float32 adds 1 to a sum of ones
_MOST = 100_000  # seeds of a trial and tests of a seed; all of them are held in memory


def key_of(setting: Field) -> FieldInfo:
    """What a field of `Config` or `EnvConfig` says of itself."""
    return setting.metadata["key"]


def choices_of(name: str) -> tuple[str, ...]:
    """The words that a key chooses from, besides components of one's own; none: any will do."""
    return key_of(KEYS[name]).choices


def fields_of(kind: Kind) -> tuple[str, ...]:
    """Names of `Config`'s fields of one kind, in declared order; `env` is of kind shape."""
    return tuple(setting.name for setting in fields(Config) if key_of(setting).kind == kind)


def refuse_unknown(
    name: object, got: str = "", groups: Iterable[str] = (), value: object = None
) -> None:
    """Raise `UserError`, with the nearest known key or group, unless `name` is a key.

    `got` is what was written; without it NAME=VALUE.
    """
    if name in KEYS:
        return
    word = override_text(name)
    advice = advice_on(word)
    if advice is None:
        own = [*KEYS, *groups]
        elsewhere = closest_match(word, [*SYNONYMS, *ADVICE], 0.8)
        near = closest_match(word, [*own, elsewhere], 0.7 if word.startswith("env.") else 0.5)
        advice = (near not in own and advice_on(near)) or (near and f"did you mean {near}?")
    if not advice and re.fullmatch(r"env\.\w+", word):
        advice = f"an argument of the environment's own is +env.kwargs.{word[4:]}=VALUE"
    got = got or f"{word}={override_text(value)}"
    raise unknown_key(word, got, advice or "see --help all", value)


def _env_of(env: object) -> EnvConfig:
    """An environment, of a mapping too; raises `UserError` for other keys and for neither."""
    if isinstance(env, EnvConfig):
        return env
    if not isinstance(env, Mapping):
        raise no_mapping(env)
    for name, value in env.items():
        if str(name).startswith("kwargs."):
            refuse_dotted(f"env.{name}", value)
        refuse_unknown(f"env.{override_text(name)}", value=value)
    return EnvConfig(**{str(name): value for name, value in env.items()})


def _check_rules(config: Config) -> None:
    """What must hold between two values, and for a folder's name."""
    if config.epsilon_min > config.epsilon_start:
        rule = f"at most epsilon_start={config.epsilon_start}"
        advice = "lower epsilon_min or raise epsilon_start"
        raise must_be("epsilon_min", rule, config.epsilon_min, advice)
    if config.buffer_size < (least := 2 * config.batch_size):
        got = f"buffer_size={config.buffer_size} with batch_size={config.batch_size}"
        rule, advice = f"at least 2 x batch_size = {least}", "raise buffer_size or lower batch_size"
        raise must_be("buffer_size", rule, got, advice, value=config.buffer_size)
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
    if (first := config.first_seed) + config.seeds > INT_BOUND:
        got, advice = f"first_seed={first} with seeds={config.seeds}", "lower first_seed"
        raise must_be("first_seed + seeds", "at most 2^31", got, advice, value=first)
    if config.name is not None and ("/" in config.name or config.name.startswith(".")):
        rule = "a folder name without / that does not begin with a dot"
        advice = "write for example name=first_try, or hydra.run.dir=PATH for another place"
        raise must_be("name", rule, short_repr(config.name), advice, value=config.name)
