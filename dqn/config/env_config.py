"""Which environment is trained in: a part of every configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from dqn.config.fields import config_field, validate


@dataclass(frozen=True, slots=True)
class EnvConfig:
    """Any Gymnasium environment; None stands for what its registration says.

    Raises `UserError` for a value that does not fit its key. Whether the id exists is asked of
    Gymnasium when the environment is made.
    """

    id: str = config_field(
        "CartPole-v0", "shape", "", "", "Gymnasium id", "any registered environment"
    )
    max_episode_steps: int | None = config_field(
        None, "shape", "", "steps", ">= 1", "time limit; null: as registered"
    )
    solved_return: float | None = config_field(
        None, "shape", "", "return", "", "solved at this mean; null: as registered"
    )
    kwargs: Mapping[str, Any] = config_field(
        {}, "shape", "", "", "", "its own arguments: +env.kwargs.KEY=VALUE"
    )

    def __post_init__(self) -> None:
        for setting in fields(self):
            value = validate(f"env.{setting.name}", setting, getattr(self, setting.name))
            object.__setattr__(self, setting.name, value)
