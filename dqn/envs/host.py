"""Any Gymnasium environment, made and described in Python; never loads TensorFlow.

DQN needs a finite set of actions and a vector of observations: `Discrete` actions and a flat `Box`.
All that can be wrong with the `env` a user wrote is found here, by making it once.
"""

import inspect
import os
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import TransformAction

from dqn.config import EnvConfig
from dqn.envs.lookup import missing_module, registration_of, said, unusable
from dqn.errors import UserError
from dqn.schema import shown
from dqn.variables import looked_up


@dataclass(frozen=True, slots=True)
class Task:
    """What a learner must know of an environment."""

    id: str
    observation_size: int
    actions: int
    max_episode_steps: int
    """Time limit of an episode [steps]; 0: none."""
    solved_return: float | None
    """The mean return that counts as solved; None: no such threshold."""


def describe(env: EnvConfig) -> Task:
    """Make `env`, look at it, reset it once and close it.

    Raises `UserError` for all that `make` refuses, for actions that are not Discrete, observations
    that are not a flat Box, and a first observation of another shape than declared.
    """
    made = make(env)
    try:
        size, actions = _sizes(made, env.id)
        _refuse_false_start(made, env.id, size)
        spec = made.spec
    finally:
        made.close()
    limit = spec.max_episode_steps if spec else env.max_episode_steps
    solved = env.solved_return
    if solved is None and spec:
        solved = spec.reward_threshold
    return Task(env.id, size, actions, limit or 0, None if solved is None else float(solved))


def make(env: EnvConfig, render: bool = False) -> gymnasium.Env:
    """A new environment with its time limit, its actions counted from 0.

    With `render` it gives frames ("rgb_array") if it can draw at all: else `render_mode` is None.
    Raises `UserError` for an id that is not registered (with near ones), a package that is not
    installed and arguments its constructor refuses; the spaces are checked by `describe` alone.
    """
    if "render_mode" in env.kwargs:
        raise UserError(
            f"env.kwargs must not hold render_mode, met {shown(env.kwargs)}; leave it out, an "
            "episode is drawn anyway"
        )
    with warnings.catch_warnings():
        # Of Box2D's SWIG types: where warnings are errors, this one ends the interpreter.
        warnings.filterwarnings("ignore", "builtin type .* has no __module__ attribute")
        spec = registration_of(env.id)
        parameters = _parameters(spec, env.id)
        made = _made(spec, env, parameters)
        if render and _draws(made, parameters):
            made.close()
            _draw_without_display()
            made = _made(spec, env, parameters, render_mode="rgb_array")
    space = made.action_space
    if isinstance(space, Discrete) and space.start != 0:
        start = int(space.start)
        made = TransformAction(made, lambda action: action + start, Discrete(int(space.n)))
    return made


def _sizes(made: gymnasium.Env, env_id: str) -> tuple[int, int]:
    """The sizes of a flat Box of observations and of Discrete actions, or `UserError`."""
    actions, observations = made.action_space, made.observation_space
    if not isinstance(actions, Discrete):
        raise UserError(
            f"env.id must be a task with Discrete actions, met {shown(env_id)} with "
            f"{_kind(actions)}; choose another, or register a wrapper of it and write "
            "env.id=your_module:YourEnv-v0"
        )
    shape = observations.shape if isinstance(observations, Box) else ()
    if len(shape) != 1 or shape[0] == 0:
        raise UserError(
            f"env.id must be a task that observes a flat Box, met {shown(env_id)} with "
            f"{_kind(observations)}; choose another, or register it inside "
            "gymnasium.wrappers.FlattenObservation and write env.id=your_module:YourEnv-v0"
        )
    return shape[0], int(actions.n)


def _kind(space: gymnasium.Space) -> str:
    if isinstance(space, Box):
        return f"a Box of shape {space.shape}"
    return " ".join(repr(space).split())[:80]


def _refuse_false_start(made: gymnasium.Env, env_id: str, size: int) -> None:
    """A shape other than declared might broadcast later, and be trained on, unseen."""
    met = f"met {shown(env_id)}"
    try:
        shape = np.shape(made.reset(seed=0)[0])
    except Exception as error:  # whatever the user's own code raises
        raise UserError(
            f"env.id must be a task that starts, {met}: {said(error)}; mend its reset"
        ) from error
    if shape != (size,):
        raise UserError(
            f"env.id must be a task that observes what it declares, {met} with a Box of shape "
            f"({size},) whose reset gives shape {shape}; mend its observation_space"
        )


def _parameters(spec: EnvSpec, env_id: str) -> Mapping[str, inspect.Parameter]:
    """What its class or function takes; to import that needs its packages."""
    try:
        entry = spec.entry_point
        creator: Any = load_env_creator(entry) if isinstance(entry, str) else entry
        return inspect.signature(creator).parameters
    except Exception as error:  # whatever the module, perhaps the user's own, raises
        raise unusable(env_id, error) from error


def _made(
    spec: EnvSpec, env: EnvConfig, parameters: Mapping[str, inspect.Parameter], **drawing: str
) -> gymnasium.Env:
    try:
        return gymnasium.make(
            spec,
            max_episode_steps=env.max_episode_steps,
            disable_env_checker=True,  # `describe` looks itself; the checker's warnings name no key
            **looked_up(env.kwargs, "env.kwargs"),
            **drawing,
        )
    except UserError:  # of a variable that is not set
        raise
    except Exception as error:
        if not env.kwargs or missing_module(error):
            raise unusable(env.id, error) from error
        takes = ", ".join(name for name in parameters if name != "render_mode") or "none"
        raise UserError(
            f"env.kwargs must be arguments of {env.id}, met {shown(env.kwargs)}: {said(error)}; "
            f"it takes {takes}"
        ) from error


def _draws(made: gymnasium.Env, parameters: Mapping[str, inspect.Parameter]) -> bool:
    takes = "render_mode" in parameters or any(
        parameter.kind == inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()
    )
    return takes and "rgb_array" in (made.metadata.get("render_modes") or ())


def _draw_without_display() -> None:
    """Spare a machine without a screen SDL's complaint on standard error."""
    if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
