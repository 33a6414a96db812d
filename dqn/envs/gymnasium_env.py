"""Any Gymnasium environment, made and described in Python; never loads TensorFlow.

DQN needs a finite set of actions and a vector of observations: `Discrete` actions and a flat `Box`.
All that can be wrong with the `env` a user wrote is found here, by making one and trying it out.
"""

import contextlib
import copy
import inspect
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
from dqn.envs.adapter import Adapter, NotTakenError, attribute, number
from dqn.envs.registry_errors import describe_error, missing_module, registration_of, unfit, unmade
from dqn.runtime.errors import EnvError, UserError, must_be

_LEAST_STEPS, _MOST_STEPS = 4, 16  # that an environment is tried out with
Parameters = Mapping[str, inspect.Parameter]


@dataclass(frozen=True, slots=True)
class EnvInfo:
    """What a learner must know of an environment."""

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
    lane has its own. Raises `UserError` for all that `make` refuses, for other spaces than Discrete
    and a flat Box, and for what `reset` and `step` raise, or give that an `Adapter` cannot take.
    """
    key = env, repr(env.kwargs)  # 1 and True are equal, and not the same to an environment
    spec = registration_of(env.id)
    if key not in _described or _described[key][0] is not spec:
        _described[key] = spec, _looked_at(env)
    return _described[key][1]


def adapted(env: EnvConfig) -> Adapter:
    """A new environment behind the one door that its lanes and tests use; raises as `make`."""
    size = describe(env).observation_size  # first: it may make one
    return Adapter(make(env), env.id, size)


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
        solved = _registered_number(spec, "reward_threshold")
    return EnvInfo(size, actions, int(limit or 0), None if solved is None else float(solved))


def make(env: EnvConfig, render: bool = False) -> gymnasium.Env:
    """A new environment with its time limit, its actions counted from 0.

    With `render` it gives frames ("rgb_array") if it can draw at all: else `render_mode` is None.
    Raises `UserError` for an id that is not registered (with near ones), a package that is not
    installed and arguments its constructor refuses; the spaces are checked by `describe` alone.
    """
    if "render_mode" in env.kwargs:
        got, advice = short_repr(env.kwargs), "leave it out, an episode is drawn anyway"
        raise must_be("env.kwargs", "without render_mode", got, advice, value=env.kwargs)
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
            made = _made(spec, env, parameters, render_mode=mode)
    return counted_from_zero(made)


def counted_from_zero(made: gymnasium.Env) -> gymnasium.Env:
    """`made`, inside a wrapper where its Discrete actions start elsewhere."""
    space = attribute(made, "action_space")
    if not isinstance(space, Discrete) or space.start == 0:
        return made
    start = int(space.start)
    return TransformAction(made, lambda action: action + start, Discrete(int(space.n)))


def _sizes(made: gymnasium.Env, env_id: str) -> tuple[int, int]:
    """The sizes of a flat Box of observations and of Discrete actions, or `UserError`."""
    actions, observations = (attribute(made, f"{of}_space") for of in ("action", "observation"))
    is_flat = isinstance(observations, Box) and len(observations.shape) == 1
    if isinstance(actions, Discrete) and is_flat and observations.shape[0]:
        return observations.shape[0], int(actions.n)
    rule, has, remedy = "with Discrete actions", actions, "a wrapper of it"
    if isinstance(actions, Discrete):
        rule, has = "that observes a flat Box", observations
        remedy = "it inside gymnasium.wrappers.FlattenObservation"
    advice = f"choose another, or register {remedy} and write env.id=your_module:YourEnv-v0"
    raise unfit(env_id, f"an environment {rule}", advice, f" with {_kind(has)}")


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
        made.refuse_not_finite()
    except EnvError as error:
        what, fix = f" whose {error.method} {error.problem}", f"fix its {error.method}"
        raise unfit(made.name, "an environment that can be stepped", fix, what) from error


def _creator(spec: EnvSpec, env_id: str) -> tuple[Any, Parameters]:
    """Its class or function, and what that takes; to import it needs its packages."""
    try:
        entry = spec.entry_point
        creator: Any = load_env_creator(entry) if isinstance(entry, str) else entry
        return creator, inspect.signature(creator).parameters
    except (Exception, SystemExit) as error:  # whatever the module, perhaps the user's own, raises
        raise unmade(env_id, error) from error


def _as_made(spec: EnvSpec, creator: Any, limit: int | None) -> EnvSpec:
    """A copy of `spec` without what `gymnasium.make` refuses, or warns of, in vain.

    `limit` is that of an episode where the user asks for one.
    """
    spec = copy.copy(spec)
    if limit is None and (own := _registered_number(spec, "max_episode_steps", whole=True)):
        spec.max_episode_steps = int(own)
    metadata = getattr(creator, "metadata", property())
    modes = metadata.get("render_modes") if isinstance(metadata, dict) else None
    if not isinstance(metadata, property) and not isinstance(modes, list | tuple | set):
        spec.entry_point = lambda **arguments: creator(**arguments)
    return spec


def _registered_number(spec: EnvSpec, name: str, whole: bool = False) -> float | None:
    """What it was registered with under `name`, if anything; `UserError` where that is unfit."""
    given = getattr(spec, name)
    if given is None:
        return None
    try:
        taken = number(number_in(given) if isinstance(given, str) else given)
    except NotTakenError:
        taken = None
    if taken is None or (whole and (taken < 1 or not taken.is_integer())):
        rule = f"registered with a {'whole number of at least 1' if whole else 'number'} as {name}"
        raise unfit(spec.id, rule, "fix its gymnasium.register", f" with {short_repr(given)}")
    return taken


def _made(spec: EnvSpec, env: EnvConfig, parameters: Parameters, **drawing: str) -> gymnasium.Env:
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
            raise unmade(env.id, error) from error
        takes = ", ".join(name for name in parameters if name != "render_mode") or "none"
        got = f"{short_repr(env.kwargs)}: {describe_error(error)}"
        rule = f"arguments of {env.id}"
        raise must_be("env.kwargs", rule, got, f"it takes {takes}", value=env.kwargs) from error


def drawing_mode(made: gymnasium.Env, parameters: Parameters | None = None) -> str | None:
    """The `render_mode` in which it says that it gives frames, if its constructor takes one."""
    named = parameters is None or "render_mode" in parameters
    kinds = [parameter.kind for parameter in (parameters or {}).values()]
    if not named and inspect.Parameter.VAR_KEYWORD not in kinds:
        return None
    modes = metadata_of(made).get("render_modes") or ()
    try:
        modes = [modes] if isinstance(modes, str) else list(modes)
    except TypeError:
        return None
    return next((mode for mode in ("rgb_array", "rgb_array_list") if mode in modes), None)


def metadata_of(made: gymnasium.Env) -> Mapping[str, Any]:
    """Its `metadata`; empty where there is none, or it is no mapping."""
    metadata = attribute(made, "metadata")
    return metadata if isinstance(metadata, Mapping) else {}
