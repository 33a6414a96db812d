"""A new environment that draws itself, like one that is given as it is or as a configuration."""

import contextlib
import copy
import os

import gymnasium
from gymnasium.envs.registration import EnvSpec

from dqn.config import EnvConfig
from dqn.envs import gymnasium_env
from dqn.envs.adapter import name_of, spec_of
from dqn.envs.registry_errors import describe_error
from dqn.runtime.errors import UserError

_MODES = ("rgb_array", "rgb_array_list")


def stay_off_screen() -> None:
    """Neither a window nor, where there is no screen, SDL's complaint about that."""
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")


def drawable(env: EnvConfig | gymnasium.Env) -> tuple[gymnasium.Env, str]:
    """An environment like `env`, and why it draws nothing, "" where it does.

    A new one where `env` can be made again, with copies of the wrappers around it; else `env`
    itself. Raises `UserError` for a configuration that cannot be made at all.
    """
    stay_off_screen()
    if isinstance(env, EnvConfig):
        try:
            made, reason = gymnasium_env.make(env, render=True), ""
        except UserError as error:  # it may be played all the same
            made, reason = gymnasium_env.make(env), str(error)
    else:
        made, reason = _copied(env)
    return made, reason if reason or _draws(made) else f"{name_of(made)} cannot draw itself"


def _draws(made: gymnasium.Env) -> bool:
    spec = spec_of(made.unwrapped)
    asked = spec.kwargs.get("render_mode") if spec else None  # not every class keeps it
    return getattr(made, "render_mode", None) in _MODES or asked in _MODES


def _copied(env: gymnasium.Env) -> tuple[gymnasium.Env, str]:
    """A copy that draws; from the outside in, the first layer that can be made again is new.

    Layers around that one, wrappers of the user's own, are copied with all that they hold.
    """
    reason, layer = "", env
    while True:
        spec = spec_of(layer)
        if spec is not None and all(one.kwargs is not None for one in spec.additional_wrappers):
            try:
                made = _made_again(spec, gymnasium_env.drawing_mode(layer))
            except (Exception, SystemExit) as error:  # whatever its constructor raises
                reason = f"{name_of(env)}: a second one could not be made: {describe_error(error)}"
            else:
                with contextlib.suppress(Exception):  # of a wrapper that cannot be copied
                    return _around(made, layer, env), ""
                made.close()
        if not isinstance(layer, gymnasium.Wrapper):
            return env, "" if _draws(env) else reason
        layer = layer.env


def _made_again(spec: EnvSpec, mode: str | None) -> gymnasium.Env:
    if mode is None and "render_mode" not in spec.kwargs:
        return gymnasium.make(spec)
    return gymnasium.make(spec, render_mode=mode)


def _around(made: gymnasium.Env, layer: gymnasium.Env, env: gymnasium.Env) -> gymnasium.Env:
    """A copy of `env` whose `layer`, and what is in that, is `made`."""
    return copy.deepcopy(env, {id(layer): made, id(layer.unwrapped): made.unwrapped})
