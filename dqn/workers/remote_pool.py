"""Workers elsewhere, each kept supplied with a few jobs more than it has lanes.

Jobs wait here, by program, so that no worker is idle while another has a queue. A worker keeps to
the programs that it has while there are jobs for them, as its blocks are then full; before it
loads another, it is short of work for about as long as loading takes.

What a lost worker was training is trained again, each trial by a worker of its own, as any of them
may be the cause. A trial fails once `MAX_WORKER_DEATHS` workers were lost with it, the last of them
with it alone. After as many workers in a row that could not even start, no more are started.

A training whose environment cannot be made in one worker while others have such environments is
tried once more in one of those: perhaps only so many can exist.
"""

import sys
import time
from collections import Counter, deque
from collections.abc import Iterable

from dqn.envs.program_key import ProgramKey
from dqn.runtime.errors import RunError
from dqn.runtime.exit_codes import show_tracebacks
from dqn.statistics.formatting import count
from dqn.training import jobs
from dqn.training.jobs import LANES, Finished, Job, PoolUpdate, TrainingId
from dqn.workers.backend import Backend, RemoteWorker, WorkerLostError
from dqn.workers.pool import WORKER_JOBS
from dqn.workers.registrations import registered, sources

MAX_WORKER_DEATHS = 3
HEARTBEAT_TIMEOUT = 60.0
"""Seconds without a heartbeat after which a worker is given up: its process hangs."""
PROGRESS_TIMEOUT = 600.0
"""Seconds without a report and without use of a processor after which it is given up too."""
_BACKLOG = 6  # times what all workers hold: with many programs, several blocks are to be filled
_PROGRAM = 1.5  # seconds that a worker short of jobs waits before it loads another's program
_PATIENCE, _GATHERING = 0.5, 0.25  # seconds to wait for reports, and to gather them
_IDLE = 0.01  # of a processor; a worker that uses less does not train


class RemotePool:
    """A `WorkerPool` of workers at a `backend`."""

    is_remote = True

    def __init__(self, backend: Backend):
        self._backend = backend
        # By program, or by trial where that is to share no worker; none is empty.
        self._queues: dict[ProgramKey | int, deque[Job]] = {}
        self._deaths: Counter[int] = Counter()  # by trial
        self._workers: list[RemoteWorker] = []
        # Trainings that failed in a worker without environments.
        self._elsewhere: set[TrainingId] = set()
        self._started = False  # whether any worker ever did
        self._unstarted = 0  # workers in a row that were lost before they did
        self._count = 0  # of workers, when some were last started

    @property
    def workers(self) -> int:
        """As `WorkerPool.workers`."""
        return max(len(self._workers), self._backend.capacity)

    @property
    def free_slots(self) -> int:
        """As `WorkerPool.free_slots`."""
        waiting = sum(map(len, self._queues.values()))
        given = sum(len(one.jobs) for one in self._workers)
        return _BACKLOG * self.workers * WORKER_JOBS - waiting - given

    def advance(self, new: Iterable[Job], cancelled: Iterable[TrainingId]) -> PoolUpdate:
        """As `WorkerPool.advance`; waits up to half a second for workers to report.

        Reports are gathered for a moment, while workers are supplied from what waits here; not once
        one of them needs more than that.
        """
        update = PoolUpdate([], [], [], [], [], self.workers)
        self._queue(new)
        self._cancel(set(cancelled), update)
        self._start_workers(update)
        until = time.monotonic() + _GATHERING
        while True:
            waits = bool(self._queues)
            for one in self._workers:
                if given := self._supply(one):
                    one.give(given, time.monotonic())
                    one.worker.send(jobs.WorkRequest(given, [], registered(given), sources(given)))
                if not waits or len(one.jobs) >= LANES:
                    one.short = None
                elif one.short is None:
                    one.short = time.monotonic()
            ready = set(self._backend.wait([one.worker for one in self._workers], _PATIENCE))
            for one in list(self._workers):
                self._poll(one, update, one.worker in ready)
            hungry = any(one.worker.ready and len(one.jobs) < LANES for one in self._workers)
            if not ready or hungry or update.restarted or time.monotonic() > until:
                return update

    def close(self) -> None:
        """As `WorkerPool.close`."""
        for one in self._workers:
            one.worker.end()
        self._workers.clear()
        self._backend.close()

    def _queue(self, waiting: Iterable[Job]) -> None:
        for job in waiting:
            key = job.trial if self._deaths[job.trial] else ProgramKey.of(job.config)
            self._queues.setdefault(key, deque()).append(job)

    def _start_workers(self, update: PoolUpdate) -> None:
        """Start the workers that there is capacity for."""
        most = self._backend.capacity
        if self._unstarted >= MAX_WORKER_DEATHS:
            most = min(most, 1)
        while len(self._workers) < most:
            self._workers.append(RemoteWorker(self._backend.start()))
        if 0 < self._count < len(self._workers):
            update.notices.append(f"now on {count(len(self._workers), 'worker')}")
        self._count = len(self._workers)

    def _cancel(self, cancelled: set[TrainingId], update: PoolUpdate) -> None:
        if not cancelled:
            return
        for key, queue in list(self._queues.items()):
            for job in [job for job in queue if job.key in cancelled]:
                queue.remove(job)
                update.finished.append(Finished.pruned(job))
            if not queue:
                del self._queues[key]
        for one in self._workers:
            if mine := [key for key in one.jobs if key in cancelled]:
                one.cancelled.update(mine)
                one.worker.send(jobs.WorkRequest([], mine))

    def _supply(self, one: RemoteWorker) -> list[Job]:
        """Jobs for a worker that has fewer than it can hold."""
        if not self._queues or not one.worker.ready:
            return []
        if self._deaths and any(self._deaths[trial] for trial, _ in one.jobs):
            return []  # it has a quarantined trial
        quarantined = next((key for key in self._queues if isinstance(key, int)), None)
        if quarantined is not None and not one.jobs:
            return self._take(quarantined, WORKER_JOBS)
        given: list[Job] = []
        one.without = {env_id for env_id in one.without if self._others_have(one, env_id)}
        for program, has in one.programs.most_common():
            if has and program.env_id not in one.without:
                given += self._take(program, WORKER_JOBS - has)
        while len(one.jobs) + len(given) < WORKER_JOBS and quarantined is None:
            program = self._one_more(one, len(one.jobs) + len(given))
            if program is None:
                break
            given += self._take(program, WORKER_JOBS)
        return given

    def _one_more(self, one: RemoteWorker, has: int) -> ProgramKey | None:
        """The program that a worker with `has` jobs should have jobs for besides, if any."""

        def rank(program: ProgramKey) -> tuple[bool, bool, int]:
            is_new = not any(program in other.programs for other in self._workers)
            return program in one.programs, is_new, len(self._queues[program])

        programs = (key for key in self._queues if isinstance(key, ProgramKey))
        able = (program for program in programs if program.env_id not in one.without)
        program = max(able, key=rank, default=None)
        if program is None or any(rank(program)[:2]) or not has:
            return program
        patient = one.short is None or time.monotonic() - one.short < _PROGRAM
        return None if patient else program

    def _take(self, key: ProgramKey | int, most: int) -> list[Job]:
        queue = self._queues.get(key, deque())
        taken = [queue.popleft() for _ in range(min(most, len(queue)))]
        if not queue:
            self._queues.pop(key, None)
        return taken

    def _poll(self, one: RemoteWorker, update: PoolUpdate, has_reported: bool) -> None:
        """Take in all that a worker reported, and its end if it has ended."""
        try:
            for report in one.worker.poll() if has_reported else ():
                one.last_heartbeat = time.monotonic()
                if isinstance(report, jobs.WorkerError):
                    if show_tracebacks():
                        print(report.trace, file=sys.stderr)
                    raise WorkerLostError(report.reason, unstarted=report.unstarted)
                if not one.started:
                    one.started = self._started = True
                    self._unstarted = 0
                if isinstance(report, jobs.Heartbeat):
                    used = report.processor - one.processor
                    if used > _IDLE * (one.last_heartbeat - one.at_work):
                        one.at_work, one.processor = one.last_heartbeat, report.processor
                    continue
                one.at_work = one.last_heartbeat
                update.episodes.extend(report.episodes)
                update.finished.extend(r for r in report.finished if self._is_over(one, r))
                update.chunk_results.append(report)
            now = time.monotonic()
            if one.jobs and one.worker.ready and now - one.last_heartbeat > HEARTBEAT_TIMEOUT:
                raise WorkerLostError(f"it sent no heartbeat for {HEARTBEAT_TIMEOUT:.0f} s")
            if one.jobs and one.worker.ready and now - one.at_work > PROGRESS_TIMEOUT:
                raise WorkerLostError(f"it did nothing for {PROGRESS_TIMEOUT:.0f} s")
        except WorkerLostError as gone:
            self._replace(one, update, gone)

    def _is_over(self, one: RemoteWorker, result: Finished) -> bool:
        """Take a job back from a worker; whether its training is over, not tried once more."""
        cancelled = result.key in one.cancelled
        job, env_id = one.take_back(result.key), result.job.config.env.id
        tried = result.key in self._elsewhere or cancelled or self._deaths[job.trial]
        if not result.unmade or tried or not self._others_have(one, env_id):
            return True
        self._elsewhere.add(result.key)
        one.without.add(env_id)
        self._queue([job])
        return False

    def _others_have(self, one: RemoteWorker, env_id: str) -> bool:
        """Whether other workers than this one have trainings in environments of that id."""
        others = (other for other in self._workers if other is not one)
        return any(job.config.env.id == env_id for one in others for job in one.jobs.values())

    def _replace(self, one: RemoteWorker, update: PoolUpdate, gone: WorkerLostError) -> None:
        """Remove a worker that is gone; its jobs are trained again, or fail."""
        ended = one.worker.end()
        reason = str(gone) or ended
        self._workers.remove(one)
        self._unstarted += gone.unstarted
        none = not self._started or (self._unstarted >= MAX_WORKER_DEATHS and not self._workers)
        if gone.unstarted and none:
            raise RunError(
                f"a worker cannot start ({reason}); fleet=processes workers=0 needs none"
            )
        over = [one.take_back(key) for key in list(one.cancelled)]
        update.finished.extend(map(Finished.pruned, over))
        lost, trials = list(one.jobs.values()), {trial for trial, _ in one.jobs}
        # Episodes that it had sent are void: its trainings restart.
        update.episodes[:] = [message for message in update.episodes if message.key not in one.jobs]
        if not (gone.node_lost or gone.unstarted):
            self._deaths.update(trials)
            if len(trials) == 1 and self._deaths[lost[0].trial] >= MAX_WORKER_DEATHS:
                text = f"{MAX_WORKER_DEATHS} workers were lost with it, the last with it alone"
                failed = [*lost, *self._queues.pop(lost[0].trial, ())]
                update.finished.extend(Finished.failed(job, f"{text}: {reason}") for job in failed)
                return
        waiting = [job for queue in self._queues.values() for job in queue]
        self._queues = {}
        self._queue([*lost, *waiting])
        update.restarted.extend(one.jobs)
        restarts = f": {count(len(lost), 'training')} restarted in another" if lost else ""
        update.notices.append(f"a worker was lost ({reason}){restarts}")
        if gone.unstarted and self._unstarted == MAX_WORKER_DEATHS:
            update.notices.append(
                f"{MAX_WORKER_DEATHS} workers in a row could not start: no more are started, "
                f"{count(len(self._workers), 'worker')} left"
            )
