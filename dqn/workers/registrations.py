"""What the scheduler's process knows and workers without its script do not.

Environments that it registered, and the sources of components of one's own.
"""

import dataclasses
import pickle
import sys
from collections.abc import Iterable
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec

from dqn.config import Config, EnvConfig
from dqn.config.components import own_of, source_hash
from dqn.envs import is_compiled
from dqn.training.jobs import Job

_MAIN = "__main__"


def bound_here(configs: Iterable[Config]) -> str:
    """What no process but this one can make: an environment's id, or KEY=PATH of a component.

    "" where there is none. Its class or registration is in a script or a notebook, or is a function
    without a name: a worker runs neither, and finds no module to import it from.
    """
    for config in configs:
        env = config.env
        for key, path in own_of(config).items():
            if not _can_import(path.partition(":")[0]):
                return f"{key}={path}"
        module = env.id.rpartition(":")[0]
        unknown = _own(env) and _portable(gymnasium.registry[env.id]) is None
        if not _can_import(module) if module else unknown:
            return env.id
    return ""


def registered(jobs: Iterable[Job]) -> list[EnvSpec]:
    """What workers must know of the environments of `jobs` to make them: classes as names."""
    envs = {job.config.env.id: job.config.env for job in jobs}
    specs = (_portable(gymnasium.registry[env_id]) for env_id, env in envs.items() if _own(env))
    return [spec for spec in specs if spec is not None]


def sources(jobs: Iterable[Job]) -> dict[str, str]:
    """By import path, the sources of the components of one's own in `jobs`, as hashes."""
    used = {item for job in jobs for item in own_of(job.config).items()}
    return {path: source_hash(key, path) for key, path in used}


def take_in(specs: Iterable[EnvSpec]) -> None:
    """Have Gymnasium know these in this process as they are known to the scheduler."""
    for spec in specs:
        if gymnasium.registry.get(spec.id) != spec:
            gymnasium.registry[spec.id] = spec


def _own(env: EnvConfig) -> bool:
    """Whether its registration is what says how to make it: not our dynamics, not a module."""
    return not is_compiled(env) and env.id in gymnasium.registry


def _portable(spec: EnvSpec) -> EnvSpec | None:
    """`spec` as another process can use it; None where none can."""
    entry: Any = spec.entry_point
    if callable(entry):
        module, name = getattr(entry, "__module__", ""), getattr(entry, "__name__", "")
        if getattr(sys.modules.get(module), name, None) is not entry:
            return None
        entry = f"{module}:{name}"
    if not entry or not _can_import(entry.partition(":")[0]):
        return None
    made = dataclasses.replace(spec, entry_point=entry, vector_entry_point=None)
    try:
        return None if _MAIN.encode() in pickle.dumps(made) else made
    except Exception:  # whatever its arguments raise when they are to be sent
        return None


def _can_import(module: str) -> bool:
    """Whether a process with this one's path finds a module of that name, if this one has."""
    top = module.partition(".")[0]
    if top not in sys.modules:  # whoever makes the environment says so
        return True
    finders = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]
    return top != _MAIN and any(finder.find_spec(top, None) for finder in finders)
