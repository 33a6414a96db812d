"""The part `--driver`: how many workers one driver can feed, found with workers that only pretend.

Each trains nothing and answers at once, in a real worker's messages: of 16 lanes, a report a chunk,
every training in `SHORT` or `LONG` of them. So the command runs as fast as its driver can, and what
that is says how many cores, which do take time to train, it could keep at work.
"""

import json
import pickle
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.measure import Row
from dqn import session
from dqn.runtime.errors import RunError
from dqn.statistics.episode_columns import EPISODE_COLUMNS
from dqn.training.jobs import LANES, ChunkResult, EpisodeBatch, Finished, Job, WorkRequest
from dqn.workers.remote_pool import RemotePool

WORKERS, SEEDS = (2, 100, 1000), 10
SHORT = 16  # chunks of a training of 8,000 steps, which a core's 16 lanes take 2.6 s for
LONG = 512
_EPISODES = 9  # of a lane in a chunk
_SPACE = ("lr=tag(log,interval(1e-4,1e-2))", "gamma=interval(0.9,0.999)", "tau=interval(0.1,1.0)",
          "reward_scale=tag(log,interval(0.001,1))")  # fmt: skip
_STUDY = ("-m", "hydra/sweeper=optuna", "hydra/sweeper/sampler=random", *_SPACE)
_GRID = ("-m", "lr=range(0.0001,0.0101,0.0001)", "gamma=range(0.9,1.0,0.01)")
_FEW = ("-m", "lr=range(0.0001,0.0101,0.0001)")


def rows(rounds: int, progress: Callable[[str], None], trials: int) -> list[Row]:
    """Trainings and messages a second that a driver takes, by the number of workers.

    A study is of as many trials as fill its workers one and a half times, `trials` at least.
    """
    table = []
    many = WORKERS[-1]
    for name, sweep, workers, chunks in (
        *((f"study, {n} workers", _study(n, trials), n, SHORT) for n in WORKERS),
        (f"grid, {many} workers", _GRID, many, SHORT),
        (f"grid of long trainings, {many} workers", _FEW, many, LONG),
    ):
        text = []
        for i in range(rounds):
            text.append(_measured(workers, chunks, sweep))
            progress(f"round {i + 1} of {rounds}, {name}: {text[-1]['trainings']:,.0f} trainings/s")
        table += [
            Row(f"{name}: trainings", [measured["trainings"] for measured in text], "/s"),
            Row(f"{name}: reports", [measured["reports"] for measured in text], "/s"),
            Row(f"{name}: received", [measured["megabytes"] for measured in text], "MB/s"),
        ]
    return table


def _study(workers: int, trials: int) -> tuple[str, ...]:
    fill = 3 * workers * LANES // (2 * SEEDS)
    return *_STUDY, f"hydra.sweeper.n_trials={max(trials, fill)}"


def _measured(workers: int, chunks: int, sweep: Sequence[str]) -> dict[str, float]:
    """Of one sweep, what its driver took in a second of its own processor time."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.capacity", f"{workers}", f"{chunks}", *sweep,
                   f"seeds={SEEDS}", f"hydra.sweep.dir={Path(folder) / 'sweep'}"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RunError(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))


class _Pretender:
    """A `backend.Worker` without an engine."""

    ready = True

    def __init__(self, backend: "_Stage"):
        self._backend = backend
        self.jobs: list[Job] = []
        self._chunk = 0

    def send(self, request: WorkRequest) -> None:
        self.jobs += request.new

    def poll(self) -> list[ChunkResult]:
        began = time.process_time()
        self._chunk += 1
        lanes = self.jobs[:LANES]
        over = self._chunk % self._backend.chunks == 0
        finished = [_finished(job) for job in lanes] if over else []
        if over:
            del self.jobs[:LANES]
        parts = [EpisodeBatch.of(job.key, _records(job, _EPISODES)) for job in lanes]
        message = pickle.dumps(ChunkResult(parts, finished, 0.17, 0.17, 0.0))
        self._backend.reports += 1
        self._backend.trainings += len(finished)
        self._backend.bytes += len(message)
        self._backend.pretended += time.process_time() - began
        return [pickle.loads(message)]

    def end(self) -> str:
        return ""


class _Stage:
    """A `backend.Backend` of pretenders."""

    def __init__(self, capacity: int, chunks: int):
        self.capacity, self.chunks = capacity, chunks
        self.reports = self.trainings = self.bytes = 0
        self.pretended, self.began = 0.0, time.process_time()

    def start(self) -> _Pretender:
        return _Pretender(self)

    def wait(self, workers: Sequence[_Pretender], seconds: float) -> Sequence[_Pretender]:
        return [worker for worker in workers if worker.jobs]

    def close(self) -> None:
        took = time.process_time() - self.began - self.pretended
        text = {"trainings": self.trainings, "reports": self.reports, "megabytes": self.bytes / 1e6}
        print(json.dumps({name: count / took for name, count in text.items()}))


def _records(job: Job, episodes: int) -> np.ndarray:
    records = np.random.default_rng(job.key).random((episodes, len(EPISODE_COLUMNS)), np.float32)
    for name in ("step", "length"):
        column = EPISODE_COLUMNS.index(name)
        records[:, column] = np.arange(1, episodes + 1, dtype=np.int32).view(np.float32)
    return records


def _finished(job: Job) -> Finished:
    sizes = (4, *job.config.hidden, 2)
    shapes = [shape for n, m in pairwise(sizes) for shape in ((n, m), (m,))]
    weights = [np.zeros(shape, np.float32) for shape in shapes]
    episodes = EpisodeBatch.of(job.key, _records(job, 150))
    return Finished(job, "done", 8000, episodes, np.zeros(20, np.float32), weights, 2.6)


def main() -> None:
    """`python -m benchmarks.capacity WORKERS CHUNKS ARGUMENTS`: without workers."""
    workers, chunks = int(sys.argv.pop(1)), int(sys.argv.pop(1))

    @contextmanager
    def pretending(*_):
        pool = RemotePool(_Stage(workers, chunks))
        try:
            yield pool
        finally:
            pool.close()

    session.pool_for = pretending
    runpy.run_module("dqn.run", run_name="__main__")


if __name__ == "__main__":
    main()
