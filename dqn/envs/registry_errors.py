"""From what a user wrote as `env.id` to Gymnasium's registration, or to the one line that helps."""

import contextlib
import difflib
import importlib
import re

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec

from dqn.config import EnvConfig
from dqn.config.fields import short_repr
from dqn.runtime.errors import UserError, must_be
from dqn.runtime.secrets import hidden

# The remedy, by the module that is not there.
INSTALL = {
    "Box2D": "pip install 'gymnasium[box2d]'",
    "ale_py": "pip install 'gymnasium[atari]'",
    "mujoco": "pip install 'gymnasium[mujoco]' (its tasks need a wrapper with Discrete actions)",
    "jax": "pip install 'gymnasium[jax]'",
}


def unfit(env_id: str, rule: str, advice: str, what: object = "") -> UserError:
    """env.id must be RULE, got ENV_ID WHAT; ADVICE."""
    return must_be("env.id", rule, f"{short_repr(env_id)}{what}", advice, value=env_id)


def registration_of(env_id: str) -> EnvSpec:
    """The registration of "EnvId", or of "module:EnvId" once the module is imported.

    Looked up by exact name: Gymnasium would take the newest version for an id without one, and warn
    of CartPole-v0 that a newer one exists. Raises `UserError`.
    """
    module, _, name = env_id.rpartition(":")
    if module:
        try:
            importlib.import_module(module)
        except (Exception, SystemExit) as error:  # whatever the user's own module raises
            missing = missing_module(error)
            if f"{module}.".startswith(f"{missing}.") and missing not in INSTALL:
                advice = f"run python -m dqn.run in the folder that holds {missing}, or install it"
                raise unfit(env_id, "in a module that can be found", advice) from error
            raise unmade(env_id, error) from error
    if name not in gymnasium.registry:
        raise unfit(env_id, "registered in Gymnasium", _remedy(name))
    return gymnasium.registry[name]


def known_registration(env_id: str) -> EnvSpec | None:
    """The registration that Gymnasium has without importing anything for it, if there is one."""
    return gymnasium.registry.get(env_id.rpartition(":")[2])


def known_solved_return(env: EnvConfig) -> float | None:
    """The mean return that counts as solved; None: no such threshold, or none that is known here.

    As a configuration or Gymnasium's registration has it: a module of the user's own, which may
    register another task, is not imported to look at results.
    """
    if env.solved_return is not None:
        return env.solved_return
    threshold = getattr(known_registration(env.id), "reward_threshold", None)
    with contextlib.suppress(TypeError, ValueError):  # it is refused where it would be trained
        return None if threshold is None else np.asarray(threshold, float).item()
    return None


def unmade(env_id: str, error: BaseException) -> UserError:
    """The one line for an environment whose module or constructor raised `error`."""
    missing = missing_module(error)
    if missing is None:
        rule, what = "an environment that can be made", f": {describe_error(error)}"
        return unfit(env_id, rule, "choose another, or fix it", what)
    remedy = INSTALL.get(missing.partition(".")[0], f"install the package that provides {missing}")
    rule = "an environment whose packages are installed"
    return unfit(env_id, rule, remedy, f" without {missing}")


def missing_module(error: BaseException | None) -> str | None:
    """The module whose absence is behind `error`, if that is what it was."""
    while error:
        if isinstance(error, ModuleNotFoundError) and error.name:
            return error.name
        error = error.__cause__
    return None


def describe_error(error: BaseException) -> str:
    """An exception in one short line, without what `gymnasium.make` adds to its text."""
    text = hidden(" ".join(str(error).split()))
    text = text.partition(" was raised from the environment creator")[0]
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


def _remedy(name: str) -> str:
    """At most three registered ids with a name like this one, newest versions first, or advice."""
    ids: dict[str, list[str]] = {}
    for spec in sorted(gymnasium.registry.values(), key=lambda spec: -(spec.version or 0)):
        # Gymnasium's JAX copies are not what a misspelt CartPole means.
        if not spec.id.startswith(("phys2d/", "tabular/")):
            ids.setdefault(_without_version(spec.id), []).append(spec.id)
    names = difflib.get_close_matches(_without_version(name), ids, n=3)
    if names:
        return f"did you mean {' or '.join([id_ for name in names for id_ in ids[name]][:3])}?"
    if name.startswith("ALE/"):
        return f"{INSTALL['ale_py']} and write env.id=ale_py:{name} +env.kwargs.obs_type=ram"
    return "env.id=your_module:YourEnv-v0 imports the module of your own that registers it"


def _without_version(name: str) -> str:
    return re.sub(r"-v\d+$", "", name).lower()
