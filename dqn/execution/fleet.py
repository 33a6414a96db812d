"""Ways to hold workers, one interface: jobs and cancellations in, episodes and finished jobs out.

`Inline` is one engine in this process, `Processes` one a process. Neither knows of trials to come,
of Optuna or of files. What a lost worker had under way is trained again by another, its trials one
at a time, as any of them may be why. A trial with which `LIVES` workers were lost, the last of them
while it had no other, is given up: one that was merely in bad company is not.
"""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple, Protocol

from dqn.config import Config
from dqn.envs.compiled import is_compiled
from dqn.execution import worker
from dqn.execution.jobs import LANES, Episodes, Finished, Job, Key
from dqn.execution.worker import Broken, Order, Report
from dqn.schema import AUTO
from dqn.status import tracebacks

LIVES = 3
_AHEAD = LANES // 2  # jobs that wait in a worker beside those in its lanes
_BACKLOG = 3  # workers' fill that waits or trains: of many shapes, several blocks are to be filled
_PATIENCE = 0.5  # seconds to wait for news
_GATHERING = 0.25  # seconds of news that are told together: they are written in one go


class News(NamedTuple):
    """What a call of `advance` brought."""

    episodes: list[Episodes]
    finished: list[Finished]
    restarted: list[Key]
    """Trainings that were lost and begin anew: what was heard of them is void."""
    reports: list[Report]


class Fleet(Protocol):
    """What the driver needs of its workers."""

    workers: int

    @property
    def room(self) -> int:
        """Jobs that could be taken in now without waiting long; 0 or less where there is none."""
        ...

    def advance(self, new: Iterable[Job], cancelled: Iterable[Key]) -> News:
        """Take in jobs and cancellations, and return what has come meanwhile, perhaps nothing.

        Every job comes back once as `Finished`; a cancelled one within a chunk, as `pruned` unless
        it had ended before.
        """
        ...

    def close(self) -> None:
        """Let go of all workers; jobs under way are lost."""
        ...


class Inline:
    """One engine in this process. An error in it is raised."""

    workers = 1

    def __init__(self):
        self._engine: Any = None
        self._jobs: set[Key] = set()

    @property
    def room(self) -> int:
        """As `Fleet.room`."""
        return LANES + _AHEAD - len(self._jobs)

    def advance(self, new: Iterable[Job], cancelled: Iterable[Key]) -> News:
        """As `Fleet.advance`; one chunk is run."""
        if self._engine is None:
            from dqn.execution.engine import Engine  # loads TensorFlow: not before it is needed

            self._engine = Engine()
        new = list(new)
        self._jobs.update(job.key for job in new)
        report = worker.advance(self._engine, new, cancelled)
        self._jobs.difference_update(over.key for over in report.finished)
        return News(report.episodes, report.finished, [], [report])

    def close(self) -> None:
        """As `Fleet.close`."""


@dataclass(eq=False)
class _Worker:
    """One process and what it was given."""

    process: subprocess.Popen
    connection: Connection
    jobs: dict[Key, Job] = field(default_factory=dict)
    cancelled: set[Key] = field(default_factory=set)
    """Those of its jobs that it was told not to go on with."""

    def places(self) -> Counter:
        """How many jobs of each shape it has."""
        return Counter(_place(job.config) for job in self.jobs.values())


class Processes:
    """Workers in processes of their own, each kept supplied with a few jobs more than lanes.

    Jobs wait here, by shape, so that no worker is idle while another has a queue. A worker keeps to
    the shapes it has while there are jobs of them: its blocks are then full, and it compiles less.
    """

    def __init__(self, workers: int):
        self.workers = workers
        self._queues: dict[Any, deque[Job]] = {}
        self._alone: deque[Job] = deque()  # of trials under suspicion: they share no worker
        self._deaths: Counter[int] = Counter()  # by trial
        self._workers: list[_Worker] = []

    @property
    def room(self) -> int:
        """As `Fleet.room`."""
        waiting = sum(map(len, self._queues.values())) + len(self._alone)
        given = sum(len(one.jobs) for one in self._workers)
        return _BACKLOG * self.workers * (LANES + _AHEAD) - waiting - given

    def advance(self, new: Iterable[Job], cancelled: Iterable[Key]) -> News:
        """As `Fleet.advance`; waits up to half a second for workers to report.

        What they report is gathered for a moment, while they are supplied from what waits here; not
        once one of them could do with more than that.
        """
        news = News([], [], [], [])
        if not self._workers:  # not before there is work: perhaps there is none
            self._workers = [_started() for _ in range(self.workers)]
        for job in new:
            if self._deaths[job.trial]:
                self._alone.append(job)
            else:
                self._queues.setdefault(_place(job.config), deque()).append(job)
        self._cancel(set(cancelled), news)
        until = time.monotonic() + _GATHERING
        while True:
            for one in self._workers:
                self._send(one, self._supply(one), [])
            ready = wait([one.connection for one in self._workers], _PATIENCE)
            for one in list(self._workers):
                if one.connection in ready:
                    self._hear(one, news)
            hungry = any(len(one.jobs) < LANES for one in self._workers)
            if not ready or hungry or news.restarted or time.monotonic() > until:
                return news

    def close(self) -> None:
        """As `Fleet.close`."""
        for one in self._workers:
            _end(one)
        self._workers.clear()

    def _cancel(self, cancelled: set[Key], news: News) -> None:
        if not cancelled:
            return
        for queue in (*self._queues.values(), self._alone):
            for job in [job for job in queue if job.key in cancelled]:
                queue.remove(job)
                news.finished.append(Finished.pruned(job))
        for one in self._workers:
            if mine := [key for key in one.jobs if key in cancelled]:
                one.cancelled.update(mine)
                self._send(one, [], mine)

    def _supply(self, one: _Worker) -> list[Job]:
        """Jobs for a worker that has fewer than it can hold."""
        if any(self._deaths[trial] for trial, _ in one.jobs):
            return []  # a suspect is with it
        if self._alone and not one.jobs:
            return self._take_suspects()
        given: list[Job] = []
        places = one.places()
        for place in sorted(places, key=places.__getitem__, reverse=True):
            given += self._take(place, LANES + _AHEAD - places[place])
        while len(one.jobs) + len(given) < LANES + _AHEAD and not self._alone:
            elsewhere = {place for other in self._workers for place in other.places()}
            fresh = max(
                (place for place, queue in self._queues.items() if queue),
                key=lambda place: (place not in elsewhere, len(self._queues[place])),
                default=None,
            )
            if fresh is None:
                break
            given += self._take(fresh, LANES + _AHEAD)
        return given

    def _take(self, place, most: int) -> list[Job]:
        queue = self._queues.get(place, deque())
        taken = [queue.popleft() for _ in range(min(most, len(queue)))]
        if not queue:
            self._queues.pop(place, None)
        return taken

    def _take_suspects(self) -> list[Job]:
        """Jobs of one trial that was there when a worker was lost."""
        trial = self._alone[0].trial
        taken = [job for job in self._alone if job.trial == trial][: LANES + _AHEAD]
        for job in taken:
            self._alone.remove(job)
        return taken

    def _send(self, one: _Worker, new: Sequence[Job], cancelled: Sequence[Key]) -> None:
        if not new and not cancelled:
            return
        one.jobs.update((job.key, job) for job in new)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # heard of when read
            one.connection.send(Order(list(new), list(cancelled)))

    def _hear(self, one: _Worker, news: News) -> None:
        """Take in all that a worker has sent, and its end if that is what it was."""
        try:
            while one.connection.poll():
                said: Report | Broken = one.connection.recv()
                if isinstance(said, Broken):
                    self._lose(one, news, said)
                    return
                for over in said.finished:
                    del one.jobs[over.key]
                    one.cancelled.discard(over.key)
                news.episodes.extend(said.episodes)
                news.finished.extend(said.finished)
                news.reports.append(said)
        except (EOFError, OSError):
            self._lose(one, news, None)

    def _lose(self, one: _Worker, news: News, last_words: Broken | None) -> None:
        """Replace a worker that is gone; its jobs are trained again, or given up."""
        _end(one)
        reason = last_words.reason if last_words else _how_it_ended(one.process.returncode)
        if last_words and tracebacks():
            print(last_words.trace, file=sys.stderr)
        self._workers[self._workers.index(one)] = _started()
        for key in one.cancelled:
            news.finished.append(Finished.pruned(one.jobs.pop(key)))
        trials = {job.trial for job in one.jobs.values()}
        self._deaths.update(trials)
        self._suspect(trials)
        lost = list(one.jobs.values())
        if len(trials) == 1 and self._deaths[lost[0].trial] >= LIVES:
            told = f"{LIVES} workers were lost with it, the last alone with it: {reason}"
            self._give_up(lost, told, news)
            return
        self._alone.extend(lost)
        news.restarted.extend(one.jobs)
        # Of what it had still sent: whoever reads these news hears of the new beginning alone.
        news.episodes[:] = [said for said in news.episodes if said.key not in one.jobs]

    def _suspect(self, trials: set[int]) -> None:
        """From now on have trials that were there when a worker was lost share none with others."""
        for place in list(self._queues):
            jobs = self._take(place, len(self._queues[place]))
            self._alone.extend(job for job in jobs if job.trial in trials)
            if kept := deque(job for job in jobs if job.trial not in trials):
                self._queues[place] = kept

    def _give_up(self, lost: Sequence[Job], reason: str, news: News) -> None:
        """End the jobs of a trial, those lost and those that wait, as failed."""
        trial = lost[0].trial
        waiting = [job for job in self._alone if job.trial == trial]
        self._alone = deque(job for job in self._alone if job.trial != trial)
        news.finished.extend(Finished.failed(job, reason) for job in [*lost, *waiting])


def workers_for(workers: int | str, jobs: int, configs: Iterable[Config]) -> int:
    """How many processes `jobs` are worth with the key `workers`; 0: this process alone.

    `auto` is one a core, but no more than have a block of lanes to fill; of environments that are
    stepped in Python no more than have a lane.
    """
    if workers != AUTO:
        return int(workers)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    lanes = LANES if all(is_compiled(config.env) for config in configs) else 1
    wanted = min(cores or 1, -(-jobs // lanes))
    return wanted if wanted > 1 else 0


def _place(config: Config) -> tuple:
    """What the jobs of one block have in common."""
    kwargs = repr(config.env.kwargs)
    return (config.env.id, kwargs, config.hidden, config.activation, config.batch_size)


def _started() -> _Worker:
    ours, theirs = multiprocessing.Pipe()
    command = [sys.executable, "-m", "dqn.execution.worker", str(theirs.fileno())]
    path = os.pathsep.join(part or os.getcwd() for part in sys.path)
    # Ctrl-C is the driver's to hear; a mask is inherited, and holds from the first instruction on.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], env=os.environ | {"PYTHONPATH": path}
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()  # or its end would not be the pipe's end
    return _Worker(process, ours)


def _end(one: _Worker) -> None:
    one.connection.close()
    one.process.kill()
    one.process.wait()


def _how_it_ended(status: int) -> str:
    """The end of a process that said nothing."""
    if status >= 0:
        return f"it ended with status {status}"
    killed = " (out of memory?)" if -status == signal.SIGKILL else ""
    return f"it was ended by {signal.Signals(-status).name}{killed}"
