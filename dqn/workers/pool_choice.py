"""Which workers a command gets: this process, others on this machine, or a Ray cluster's."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from dqn.config import Config
from dqn.config.fields import AUTO
from dqn.config.interpolation import looked_up
from dqn.envs import exclusive
from dqn.training.jobs import WorkerPool
from dqn.workers.local import LocalBackend
from dqn.workers.pool import InProcessPool, max_workers, print_bound, worker_count
from dqn.workers.registrations import bound_here
from dqn.workers.remote_pool import RemotePool


@contextmanager
def pool_for(config: Config, jobs: int, configs: Collection[Config]) -> Iterator[WorkerPool]:
    """The workers that `config` asks for, of a size for `jobs` trainings like `configs`."""
    pool: WorkerPool = InProcessPool()
    alone = jobs > 1 and len([config for config in configs if exclusive.is_exclusive(config)]) > 0
    if config.fleet == "ray" and jobs:
        from dqn.workers.ray import RayBackend

        most = max_workers(jobs, configs) if config.workers == AUTO else int(config.workers)
        pool = RemotePool(RayBackend(looked_up(config.ray_address, "ray_address"), most))
    elif not alone and (workers := worker_count(config.workers, jobs, configs)):
        if what := bound_here(configs):
            print_bound(what)
        else:
            pool = RemotePool(LocalBackend(workers))
    try:
        yield pool
    finally:
        pool.close()
