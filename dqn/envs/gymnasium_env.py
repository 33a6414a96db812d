"""Any Gymnasium environment, made and described in Python; never loads TensorFlow.

DQN needs a finite set of actions and a vector of observations: `Discrete` actions and a flat `Box`.
All that can be wrong with the `env` a user wrote is found here, by making one and trying it out.
"""

import contextlib
import copy
import inspect
import os
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import TransformAction

from dqn.config import EnvConfig
from dqn.config.fields import short_repr
from dqn.config.interpolation import looked_up
from dqn.config.values import number_in
from dqn.envs.adapter import Adapter, NotTakenError, ShapeError, number
from dqn.envs.registry_errors import describe_error, missing_module, registration_of, unusable
from dqn.runtime.errors import EnvError, UserError

_LEAST_STEPS, _MOST_STEPS = 4, 16  # that an environment is tried out with


@dataclass(frozen=True, slots=True)
class EnvInfo:
    """What a learner must know of an environment."""

    id: str
    observation_size: int
    actions: int
    max_episode_steps: int
    """Time limit of an episode [steps]; 0: none."""
    solved_return: float | None
    """The mean return that counts as solved; None: no such threshold."""


_described: dict[tuple[EnvConfig, str], tuple[EnvSpec, EnvInfo]] = {}


def describe(env: EnvConfig) -> EnvInfo:
    """What `env` is, from one made, reset and stepped with each of its actions, and closed.

    Done once in a process for each registration, so that nobody makes a second environment while a
    lane has its own. Raises `UserError` for all that `make` refuses, for actions that are not
    Discrete, observations that are not a flat Box, and for what `reset` and `step` raise, or give
    where that cannot be taken for a vector, a number, a yes or a no.
    """
    key = env, repr(env.kwargs)  # 1 and True are equal, and not the same to an environment
    spec = registration_of(env.id)
    if key not in _described or _described[key][0] is not spec:
        _described[key] = spec, _looked_at(env)
    return _described[key][1]


def adapted(env: EnvConfig) -> Adapter:
    """A new environment behind the one door that its lanes and tests use; raises as `make`."""
    return Adapter(make(env), env.id, describe(env).observation_size)


def _looked_at(env: EnvConfig) -> EnvInfo:
    made = make(env)
    try:
        size, actions = _sizes(made, env.id)
        _try_out(Adapter(made, env.id, size), actions)
        spec = made.spec
    finally:
        with contextlib.suppress(Exception, SystemExit):  # all that was to be seen was seen
            made.close()
    limit = spec.max_episode_steps if spec else env.max_episode_steps
    solved = env.solved_return
    if solved is None and spec:
        solved = registered_number(spec, "reward_threshold")
    return EnvInfo(
        env.id, size, actions, int(limit or 0), None if solved is None else float(solved)
    )


def make(env: EnvConfig, render: bool = False) -> gymnasium.Env:
    """A new environment with its time limit, its actions counted from 0.

    With `render` it gives frames ("rgb_array") if it can draw at all: else `render_mode` is None.
    Raises `UserError` for an id that is not registered (with near ones), a package that is not
    installed and arguments its constructor refuses; the spaces are checked by `describe` alone.
    """
    if "render_mode" in env.kwargs:
        raise UserError(
            f"env.kwargs must not hold render_mode, got {short_repr(env.kwargs)}; leave it out, an "
            "episode is drawn anyway"
        )
    with warnings.catch_warnings():
        # Of Box2D's SWIG types: where warnings are errors, this one ends the interpreter.
        warnings.filterwarnings("ignore", "builtin type .* has no __module__ attribute")
        spec = registration_of(env.id)
        creator, parameters = _creator(spec, env.id)
        spec = _as_made(spec, creator, env.max_episode_steps)
        made = _made(spec, env, parameters)
        if render and (mode := drawing_mode(made, parameters)):
            with contextlib.suppress(Exception, SystemExit):
                made.close()
            _draw_without_display()
            made = _made(spec, env, parameters, render_mode=mode)
    return counted_from_zero(made)


def counted_from_zero(made: gymnasium.Env) -> gymnasium.Env:
    """`made`, inside a wrapper where its Discrete actions start elsewhere."""
    space = _space(made, "action_space")
    if not isinstance(space, Discrete) or space.start == 0:
        return made
    start = int(space.start)
    return TransformAction(made, lambda action: action + start, Discrete(int(space.n)))


def _sizes(made: gymnasium.Env, env_id: str) -> tuple[int, int]:
    """The sizes of a flat Box of observations and of Discrete actions, or `UserError`."""
    actions, observations = (_space(made, name) for name in ("action_space", "observation_space"))
    if not isinstance(actions, Discrete):
        raise UserError(
            f"env.id must be a task with Discrete actions, got {short_repr(env_id)} with "
            f"{_kind(actions)}; choose another, or register a wrapper of it and write "
            "env.id=your_module:YourEnv-v0"
        )
    shape = observations.shape if isinstance(observations, Box) else ()
    if len(shape) != 1 or shape[0] == 0:
        raise UserError(
            f"env.id must be a task that observes a flat Box, got {short_repr(env_id)} with "
            f"{_kind(observations)}; choose another, or register it inside "
            "gymnasium.wrappers.FlattenObservation and write env.id=your_module:YourEnv-v0"
        )
    return shape[0], int(actions.n)


def _space(made: gymnasium.Env, name: str) -> Any:
    """A space of the environment's, or None where it has none."""
    try:
        return getattr(made, name)
    except (Exception, SystemExit):  # a property of the user's own, or no such attribute
        return None


def _kind(space: Any) -> str:
    if space is None:
        return "none"
    if isinstance(space, Box):
        return f"a Box of shape {space.shape}"
    return " ".join(repr(space).split())[:80]


def _try_out(made: Adapter, actions: int) -> None:
    """Reset once and take each action (of many, some): what cannot be trained on shows at once."""
    try:
        made.reset(seed=0)
        for k in range(min(max(actions, _LEAST_STEPS), _MOST_STEPS)):
            *_, terminated, truncated = made.step(k % actions)
            if terminated or truncated:
                made.reset(seed=0)
        if made.not_finite is not None:
            raise made.not_finite
    except EnvError as error:
        raise _unfit(made, error) from error


def _unfit(made: Adapter, error: EnvError) -> UserError:
    """The one line for what the environment's method gave or raised."""
    id_, cause = short_repr(made.name), error.__cause__
    if error.method == "reset" and error.problem.startswith("raised") and cause is not None:
        return UserError(
            f"env.id must be a task that starts, got {id_}: {describe_error(cause)}; mend its reset"
        )
    if isinstance(cause, ShapeError):
        return UserError(
            f"env.id must be a task that observes what it declares, got {id_} with a Box of shape "
            f"{cause.wanted} whose {error.method} gives shape {cause.shape}; mend its "
            "observation_space"
        )
    return UserError(
        f"env.id must be a task that can be stepped, got {id_} whose {error.method} "
        f"{error.problem}; mend its {error.method}"
    )


def _creator(spec: EnvSpec, env_id: str) -> tuple[Any, Mapping[str, inspect.Parameter]]:
    """Its class or function, and what that takes; to import it needs its packages."""
    try:
        entry = spec.entry_point
        creator: Any = load_env_creator(entry) if isinstance(entry, str) else entry
        return creator, inspect.signature(creator).parameters
    except (Exception, SystemExit) as error:  # whatever the module, perhaps the user's own, raises
        raise unusable(env_id, error) from error


def _as_made(spec: EnvSpec, creator: Any, limit: int | None) -> EnvSpec:
    """A copy of `spec` without what `gymnasium.make` refuses, or warns of, in vain.

    `limit` is that of an episode where the user asks for one, instead of the registered one.
    """
    spec = copy.copy(spec)
    own = None if limit is not None else registered_number(spec, "max_episode_steps")
    if own is not None:
        if not own.is_integer() or own < 1:
            raise _not_registered_as(spec, "max_episode_steps", "a whole number of at least 1")
        spec.max_episode_steps = int(own)
    metadata = getattr(creator, "metadata", property())
    modes = metadata.get("render_modes") if isinstance(metadata, dict) else None
    if not isinstance(metadata, property) and not isinstance(modes, list | tuple | set):
        spec.entry_point = lambda **arguments: creator(**arguments)
    return spec


def registered_number(spec: EnvSpec, name: str) -> float | None:
    """What it was registered with under `name`, if anything; `UserError` where it is no number."""
    given = getattr(spec, name)
    if given is None:
        return None
    try:
        return number(number_in(given) if isinstance(given, str) else given)
    except NotTakenError:
        raise _not_registered_as(spec, name, "a number") from None


def _not_registered_as(spec: EnvSpec, name: str, wanted: str) -> UserError:
    return UserError(
        f"env.id must be a task that is registered with {wanted} as {name}, got "
        f"{short_repr(spec.id)} "
        f"with {short_repr(getattr(spec, name))}; mend its gymnasium.register"
    )


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
    except (Exception, SystemExit) as error:
        if not env.kwargs or missing_module(error):
            raise unusable(env.id, error) from error
        takes = ", ".join(name for name in parameters if name != "render_mode") or "none"
        raise UserError(
            f"env.kwargs must be arguments of {env.id}, got {short_repr(env.kwargs)}: "
            f"{describe_error(error)}; "
            f"it takes {takes}"
        ) from error


def drawing_mode(
    made: gymnasium.Env, parameters: Mapping[str, inspect.Parameter] | None = None
) -> str | None:
    """The `render_mode` in which it says that it gives frames, if its constructor takes one."""
    takes = (
        parameters is None
        or "render_mode" in parameters
        or any(parameter.kind == inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    )
    modes = metadata_of(made).get("render_modes") or ()
    if isinstance(modes, str):
        modes = (modes,)
    known = (mode for mode in ("rgb_array", "rgb_array_list") if mode in _list(modes))
    return next(known, None) if takes else None


def metadata_of(made: gymnasium.Env) -> Mapping[str, Any]:
    """Its `metadata`; empty where there is none, or it is no mapping."""
    try:
        metadata = made.metadata
    except (Exception, SystemExit):  # a property of the user's own, or no such attribute
        return {}
    return metadata if isinstance(metadata, Mapping) else {}


def _list(given: Any) -> list[Any]:
    try:
        return list(given)
    except TypeError:
        return []


def _draw_without_display() -> None:
    """Spare a machine without a screen SDL's complaint on standard error."""
    if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
