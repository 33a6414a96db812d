"""Workers elsewhere, each kept supplied with a few jobs more than it has lanes.

Jobs wait here, by shape, so that no worker is idle while another has a queue. A worker keeps to the
shapes it has a program for while there are jobs of them, as its blocks are then full; before it
loads one more it is short of work for about as long as that takes.

What a lost worker had under way is trained again by another, its trials one at a time, as any of
them may be why. A trial with which `MAX_WORKER_DEATHS` workers were lost, the last of them while
it had no other, is given up: one that was merely in bad company is not. After as many workers in a
row that could not even start, those that did go on without more.

A training whose environment cannot be made in one worker while others have such ones is tried once
more in one of those: it may be that only so many can exist.
"""

import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence

from dqn.envs.program_key import ProgramKey
from dqn.runtime.errors import RunError
from dqn.runtime.exit_codes import show_tracebacks
from dqn.training.jobs import LANES, Finished, Job, TrainingId
from dqn.training.messages import Heartbeat, PoolUpdate, WorkerError, WorkRequest
from dqn.workers.backend import Backend, WorkerLostError
from dqn.workers.pool import PREFETCH
from dqn.workers.registrations import registered
from dqn.workers.remote_worker import RemoteWorker

MAX_WORKER_DEATHS = 3
HEARTBEAT_TIMEOUT = 60.0
"""Seconds without a pulse after which a worker is given up: its process stands still."""
PROGRESS_TIMEOUT = 600.0
"""Seconds without a report, and without use of a processor, after which it is too."""
_BACKLOG = 6  # workers' fill that waits or trains: of many shapes, several blocks are to be filled
_PROGRAM = 1.5  # seconds that a worker short of jobs waits before it loads what another has
_PATIENCE, _GATHERING = 0.5, 0.25  # seconds to wait for news, and of news written in one go
_IDLE = 0.01  # of a processor; a worker that uses less does not train


class RemotePool:
    """A `WorkerPool` of workers at a `backend`."""

    is_remote = True

    def __init__(self, backend: Backend):
        self._site = backend
        self._queues: dict[ProgramKey, deque[Job]] = {}
        self._quarantined: deque[Job] = deque()  # of trials under suspicion: they share no worker
        self._deaths: Counter[int] = Counter()  # by trial
        self._members: list[RemoteWorker] = []
        self._elsewhere: set[TrainingId] = (
            set()
        )  # trainings that failed in a worker without environments
        self._started = False  # whether any of them ever was
        self._unstarted = 0  # workers in a row that were lost before they had
        self._hired = 0  # how many there were after the last hiring

    @property
    def workers(self) -> int:
        """As `WorkerPool.workers`."""
        return max(len(self._members), self._site.capacity)

    @property
    def free_slots(self) -> int:
        """As `WorkerPool.free_slots`."""
        waiting = sum(map(len, self._queues.values())) + len(self._quarantined)
        given = sum(len(one.jobs) for one in self._members)
        return _BACKLOG * self.workers * (LANES + PREFETCH) - waiting - given

    def advance(self, new: Iterable[Job], cancelled: Iterable[TrainingId]) -> PoolUpdate:
        """As `WorkerPool.advance`; waits up to half a second for workers to report.

        What they report is gathered for a moment, while they are supplied from what waits here; not
        once one of them could do with more than that.
        """
        update = PoolUpdate([], [], [], [], [], self.workers)
        for job in new:
            if self._deaths[job.trial]:
                self._quarantined.append(job)
            else:
                self._queues.setdefault(ProgramKey.of(job.config), deque()).append(job)
        self._cancel(set(cancelled), update)
        self._hire(update)
        until = time.monotonic() + _GATHERING
        while True:
            waits = any(self._queues.values())
            for one in self._members:
                self._give(one, self._supply(one))
                if not waits or len(one.jobs) >= LANES:
                    one.short = None
                elif one.short is None:
                    one.short = time.monotonic()
            ready = set(self._site.wait([one.worker for one in self._members], _PATIENCE))
            for one in list(self._members):
                self._hear(one, update, one.worker in ready)
            hungry = any(one.worker.ready and len(one.jobs) < LANES for one in self._members)
            if not ready or hungry or update.restarted or time.monotonic() > until:
                return update

    def close(self) -> None:
        """As `WorkerPool.close`."""
        for one in self._members:
            one.worker.end()
        self._members.clear()
        self._site.close()

    def _hire(self, update: PoolUpdate) -> None:
        """Start the workers there is capacity for."""
        while len(self._members) < self._site.capacity:
            if self._unstarted >= MAX_WORKER_DEATHS and self._members:
                break
            self._members.append(RemoteWorker(self._site.start()))
        if 0 < self._hired < len(self._members):
            update.notices.append(f"there are {len(self._members)} workers now")
        self._hired = len(self._members)

    def _cancel(self, cancelled: set[TrainingId], update: PoolUpdate) -> None:
        if not cancelled:
            return
        for queue in (*self._queues.values(), self._quarantined):
            for job in [job for job in queue if job.key in cancelled]:
                queue.remove(job)
                update.finished.append(Finished.pruned(job))
        for one in self._members:
            if mine := [key for key in one.jobs if key in cancelled]:
                one.cancelled.update(mine)
                one.worker.send(WorkRequest([], mine))

    def _give(self, one: RemoteWorker, jobs: list[Job]) -> None:
        if jobs:
            one.give(jobs, time.monotonic())
            one.worker.send(WorkRequest(jobs, [], registered(jobs)))

    def _supply(self, one: RemoteWorker) -> list[Job]:
        """Jobs for a worker that has fewer than it can hold."""
        if not (self._queues or self._quarantined) or not one.worker.ready:
            return []
        if self._deaths and any(self._deaths[trial] for trial, _ in one.jobs):
            return []  # a suspect is with it
        if self._quarantined and not one.jobs:
            return self._take_quarantined()
        given: list[Job] = []
        one.without = {env_id for env_id in one.without if self._others_have(one, env_id)}
        for place, has in one.places.most_common():
            if place.env_id in one.without:
                continue
            given += self._take(place, LANES + PREFETCH - has)
        while len(one.jobs) + len(given) < LANES + PREFETCH and not self._quarantined:
            place = self._one_more(one, len(one.jobs) + len(given))
            if place is None:
                break
            given += self._take(place, LANES + PREFETCH)
        return given

    def _one_more(self, one: RemoteWorker, has: int) -> ProgramKey | None:
        """The shape that a worker with `has` jobs is to have jobs of besides, if any."""

        def rank(place: ProgramKey) -> tuple[bool, bool, int]:
            nobodys = not any(place in other.known for other in self._members)
            return place in one.known, nobodys, len(self._queues[place])

        places = (p for p, queue in self._queues.items() if queue and p.env_id not in one.without)
        place = max(places, key=rank, default=None)
        if place is None or any(rank(place)[:2]) or not has:
            return place
        patient = one.short is None or time.monotonic() - one.short < _PROGRAM
        return None if patient else place

    def _take(self, place: ProgramKey, most: int) -> list[Job]:
        queue = self._queues.get(place, deque())
        taken = [queue.popleft() for _ in range(min(most, len(queue)))]
        if not queue:
            self._queues.pop(place, None)
        return taken

    def _take_quarantined(self) -> list[Job]:
        """Jobs of one trial that was there when a worker was lost."""
        trial = self._quarantined[0].trial
        taken = [job for job in self._quarantined if job.trial == trial][: LANES + PREFETCH]
        self._quarantined = deque(job for job in self._quarantined if job not in taken)
        return taken

    def _hear(self, one: RemoteWorker, update: PoolUpdate, speaks: bool) -> None:
        """Take in all that a worker has said, and its end if that is what it was."""
        try:
            for text in one.worker.poll() if speaks else ():
                one.last_heartbeat = time.monotonic()
                if isinstance(text, WorkerError):
                    if show_tracebacks():
                        print(text.trace, file=sys.stderr)
                    raise WorkerLostError(text.reason, unstarted=text.unstarted)
                if not one.started:
                    one.started = self._started = True
                    self._unstarted = 0
                if isinstance(text, Heartbeat):
                    self._check_heartbeats(one, text)
                    continue
                one.at_work = one.last_heartbeat
                update.episodes.extend(text.episodes)
                update.finished.extend(over for over in text.finished if self._is_over(one, over))
                update.chunk_results.append(text)
            if reason := one.hung(time.monotonic(), HEARTBEAT_TIMEOUT, PROGRESS_TIMEOUT):
                raise WorkerLostError(reason)
        except WorkerLostError as gone:
            self._replace(one, update, gone)

    def _is_over(self, one: RemoteWorker, over: Finished) -> bool:
        """Take a job back from a worker; whether its training is over, or tried once more."""
        cancelled = over.key in one.cancelled
        job, env_id = one.take_back(over.key), over.job.config.env.id
        tried = over.key in self._elsewhere or cancelled or self._deaths[job.trial]
        if not over.unmade or tried or not self._others_have(one, env_id):
            return True
        self._elsewhere.add(over.key)
        one.without.add(env_id)
        self._queues.setdefault(ProgramKey.of(job.config), deque()).append(job)
        return False

    def _others_have(self, one: RemoteWorker, env_id: str) -> bool:
        """Whether other workers than this one have trainings in environments of that id."""
        jobs = (job for other in self._members if other is not one for job in other.jobs.values())
        return any(job.config.env.id == env_id for job in jobs)

    def _check_heartbeats(self, one: RemoteWorker, pulse: Heartbeat) -> None:
        if pulse.processor - one.processor > _IDLE * (one.last_heartbeat - one.at_work):
            one.at_work, one.processor = one.last_heartbeat, pulse.processor

    def _replace(self, one: RemoteWorker, update: PoolUpdate, gone: WorkerLostError) -> None:
        """Let a worker go that is no more; its jobs are trained again, or given up."""
        ended = one.worker.end()
        reason = str(gone) or ended
        self._members.remove(one)
        self._unstarted += gone.unstarted
        none = not self._started or (self._unstarted >= MAX_WORKER_DEATHS and not self._members)
        if gone.unstarted and none:
            raise RunError(
                f"a worker cannot start ({reason}); fleet=processes workers=0 needs none"
            )
        for key in list(one.cancelled):
            update.finished.append(Finished.pruned(one.take_back(key)))
        lost = list(one.jobs.values())
        # Of what it had still sent: whoever reads these news hears of the new beginning alone.
        update.episodes[:] = [message for message in update.episodes if message.key not in one.jobs]
        trials = {job.trial for job in lost}
        if gone.node_lost or gone.unstarted:
            for job in reversed(lost):
                self._queues.setdefault(ProgramKey.of(job.config), deque()).appendleft(job)
        else:
            self._deaths.update(trials)
            self._quarantine(trials)
            if len(trials) == 1 and self._deaths[lost[0].trial] >= MAX_WORKER_DEATHS:
                text = (
                    f"{MAX_WORKER_DEATHS} workers were lost with it, the last alone with it: "
                    f"{reason}"
                )
                self._give_up(lost, text, update)
                return
            self._quarantined.extend(lost)
        update.restarted.extend(one.jobs)
        anew = f": {len(lost)} trainings begin anew in another" if lost else ""
        update.notices.append(f"a worker was lost ({reason}){anew}")
        if gone.unstarted and self._unstarted == MAX_WORKER_DEATHS:
            update.notices.append(
                f"{MAX_WORKER_DEATHS} workers in a row could not start: no further one is, "
                f"{len(self._members)} {'is' if len(self._members) == 1 else 'are'} left"
            )

    def _quarantine(self, trials: set[int]) -> None:
        """From now on have trials that were there when a worker was lost share none with others."""
        for place in list(self._queues):
            jobs = self._take(place, len(self._queues[place]))
            self._quarantined.extend(job for job in jobs if job.trial in trials)
            if kept := deque(job for job in jobs if job.trial not in trials):
                self._queues[place] = kept

    def _give_up(self, lost: Sequence[Job], reason: str, update: PoolUpdate) -> None:
        """End the jobs of a trial, those lost and those that wait, as failed."""
        trial = lost[0].trial
        waiting = [job for job in self._quarantined if job.trial == trial]
        self._quarantined = deque(job for job in self._quarantined if job.trial != trial)
        update.finished.extend(Finished.failed(job, reason) for job in [*lost, *waiting])
