"""The pool of one engine in this process, how many workers to have, and what none could train.

A pool takes jobs and cancellations, and gives episodes and results; it knows of no trials to come,
of no Optuna and of no files. `remote_pool` has the pool of workers elsewhere.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from dqn.compose.traps import warn_of_traps
from dqn.config import Config
from dqn.config.components import COMPONENTS, own_of
from dqn.config.fields import AUTO, short_repr
from dqn.envs import exclusive, gymnasium_env, is_compiled
from dqn.runtime import compile_cache, limits
from dqn.runtime.errors import UserError
from dqn.runtime.notices import notice
from dqn.training.jobs import LANES, Job, PoolUpdate, TrainingId
from dqn.training.own_components import refuse_config
from dqn.workers.registrations import bound_here

WORKER_JOBS = LANES + LANES // 2
"""Jobs that a worker holds: in its lanes, and waiting for one of them."""
WORKER_BYTES = 500_000_000
"""Of memory that a worker takes, at least: most of it is TensorFlow."""


class InProcessPool:
    """One engine in this process. An error in it is raised."""

    is_remote, workers = False, 1

    def __init__(self):
        self._engine: Any = None
        self._held = 0  # jobs

    @property
    def free_slots(self) -> int:
        """As `WorkerPool.free_slots`."""
        return WORKER_JOBS - self._held

    def advance(self, new: Iterable[Job], cancelled: Iterable[TrainingId]) -> PoolUpdate:
        """As `WorkerPool.advance`; one chunk is run."""
        if self._engine is None:
            from dqn.training.engine import Engine  # loads TensorFlow: not before it is needed

            self._engine = Engine()
        new = list(new)
        report = self._engine.chunk(new, cancelled)
        self._held += len(new) - len(report.finished)
        return PoolUpdate(report.episodes, report.finished, [], [report], [])

    def close(self) -> None:
        """As `WorkerPool.close`."""
        if self._engine is not None:
            self._engine.close()


def worker_count(workers: int | str, jobs: int, configs: Iterable[Config]) -> int:
    """How many processes `jobs` are worth with the key `workers`; 0: this process alone.

    `auto` is one per core, but no more than can fill a block of lanes each (one lane, where an
    environment is stepped in Python), and no more than there is memory for.
    """
    if workers != AUTO:
        return int(workers)
    wanted = min(limits.cores(), max_workers(jobs, configs))
    if wanted > 1 and (free := limits.free_bytes()) is not None:
        wanted = min(wanted, free // WORKER_BYTES)
    return wanted if wanted > 1 else 0


def max_workers(jobs: int, configs: Iterable[Config]) -> int:
    """With more than these some would have no block of lanes, or no environment, to fill."""
    lanes = LANES if all(is_compiled(config.env) for config in configs) else 1
    return -(-jobs // lanes)


_warned: set[Config] = set()  # of which this process has looked for traps


def before_training(
    base: Config,
    configs: Sequence[Config],
    corners: Sequence[Config] | None = None,
    unless_warned: bool = False,
) -> None:
    """Check that `configs` can be trained, by the workers that `base` asks for; name their traps.

    Of a study the traps are looked for at the `corners` of its space; nothing is looked at twice in
    a process. Raises `UserError` for an environment or a component of one's own that cannot be
    made, or not by those workers.
    """
    if any(own_of(config) or ":" in config.env.id for config in configs):
        compile_cache.prepare(quiet=True)  # a module of the user's own may import TensorFlow
    refuse_workers(base, configs)
    envs = dict.fromkeys(config.env for config in (*configs, *(corners or ())))
    limits = {env: gymnasium_env.describe(env).max_episode_steps for env in envs}
    for config in dict.fromkeys((*configs, *(corners or ()))):
        refuse_config(config)
    if len(configs) > 1 or base.seeds > 1 or corners is not None:
        for config in configs:
            exclusive.is_exclusive(config)
    if corners is not None:
        warn_of_traps(corners, limits, of_all=True)
    elif not _warned.issuperset(configs):
        warn_of_traps(configs, limits, unless_warned=unless_warned)
        _warned.update(configs)


def refuse_workers(config: Config, configs: Iterable[Config]) -> None:
    """Raise `UserError` where workers are asked for that could not make an environment."""
    asked = exclusive.asked_workers(config)
    if asked and (what := bound_here(configs)):
        key = asked.partition("=")[0]
        is_own = _component(what)
        got = what if is_own else short_repr(what)
        raise UserError(
            f"{asked} needs {'components' if is_own else 'environments'} that other processes can "
            f"import, got {got}, which only this script {'defines' if is_own else 'registers'}; "
            f"{_remedy(what)}, or leave {asked} out",
            key,
            getattr(config, key),
        )


def print_bound(what: str) -> None:
    """Say that there are no workers, and why: `what` only this process has."""
    has = "defines" if _component(what) else "registers"
    notice(f"only this script {has} {what}: this process trains everything; {_remedy(what)}")


def _component(what: str) -> str:
    """The key of what `bound_here` found, if it is a component; "" of an environment."""
    key = what.partition("=")[0]
    return key if key in COMPONENTS else ""


def _remedy(what: str) -> str:
    if key := _component(what):
        return f"define it in a module of its own and write {key}=your_module:Name"
    return "register it in a module of its own and write env.id=your_module:YourEnv-v0"
