"""Which environment is trained in: a part of every configuration, a mapping within its mapping."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from dqn.config.fields import override_text, shape, short_repr, validate
from dqn.runtime.errors import UserError, must_be


@dataclass(frozen=True, slots=True)
class EnvConfig:
    """Any Gymnasium environment; None stands for what its registration says.

    Raises `UserError` for a value that does not fit its key. Whether the id exists is asked of
    Gymnasium when the environment is made.
    """

    id: str = shape("CartPole-v0", "", "", "Gymnasium id", "any registered environment")
    max_episode_steps: int | None = shape(
        None, "", "steps", ">= 1", "time limit; null: as registered"
    )
    solved_return: float | None = shape(
        None, "", "return", "", "solved at this mean; null: as registered"
    )
    kwargs: Mapping[str, Any] = shape({}, "", "", "", "its own arguments: +env.kwargs.KEY=VALUE")

    def __post_init__(self) -> None:
        for setting in fields(self):
            value = validate(f"env.{setting.name}", setting, getattr(self, setting.name))
            object.__setattr__(self, setting.name, value)


def nested(values: Mapping[Any, Any]) -> dict[Any, Any]:
    """A mapping with "env.id" and the like in the mapping `env`; raises `UserError` for both."""
    left = {name: value for name, value in values.items() if not str(name).startswith("env.")}
    for name in [name for name in values if name not in left]:
        *outer, last = name.split(".")
        node = left
        for part in outer:
            inner = node.get(part, {})
            if not isinstance(inner, EnvConfig | Mapping):
                raise no_mapping(inner)
            node[part] = asdict(inner) if isinstance(inner, EnvConfig) else dict(inner)
            node = node[part]
        if node.get(last) is not None:
            both = f"{short_repr(values[name])} and {short_repr(node[last])}"
            raise must_be(name, "given once", both, "leave out one of them", value=values[name])
        node[last] = values[name]
    return left


def no_mapping(env: object) -> UserError:
    """What is raised for `env` where no environment can be made of it."""
    rule, advice = "a mapping with an id", "choose one with env=cartpole"
    return must_be("env", rule, f"env={override_text(env)}", advice, value=env)


def refuse_dotted(name: str, value: object) -> None:
    """Raise `UserError` for a key with dots in a file, where it would stand for no mapping."""
    *outer, last = name.split(".")
    text = override_text(value)
    for part in reversed(outer):
        text, last = f"{{{last}: {text}}}", part
    got = f"{name}: {override_text(value)}"
    raise must_be(name, "nested in a file", got, f"write {last}: {text}", value=value)
