"""Workers in processes of their own, with an engine that trains nothing (stub_worker)."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_workers import FakeBackend, over

from dqn.config import Config
from dqn.training.jobs import Heartbeat, Job, PoolUpdate
from dqn.workers import remote_pool
from dqn.workers.backend import WorkerLostError
from dqn.workers.local import LocalBackend
from dqn.workers.remote_pool import MAX_WORKER_DEATHS, RemotePool

STUB = str(Path(__file__).parents[2] / "support" / "stub_worker")
SHORT = Config(episodes=5, hidden=(8,))
ENDLESS = replace(SHORT, episodes=10**6)
KILLER, RAISER = replace(SHORT, gamma=0.0), replace(SHORT, gamma=0.5)
HANGER = replace(SHORT, gamma=0.25)
PATIENCE = 60.0


@pytest.fixture
def pool(monkeypatch):
    monkeypatch.syspath_prepend(STUB)
    made = RemotePool(LocalBackend(2))
    yield made
    made.close()


def jobs_of(trial, config=SHORT, seeds=3):
    return [Job(trial, seed, config) for seed in range(seeds)]


def everything(pool, jobs, until=None, between=lambda update: ()):
    """All updates until every job is over or `until` says so; `between` may cancel."""
    heard, new, cancelled = PoolUpdate([], [], [], [], []), jobs, ()
    deadline = time.monotonic() + PATIENCE
    until = until or (lambda heard: len(heard.finished) >= len(jobs))
    while not until(heard):
        assert time.monotonic() < deadline, f"{len(heard.finished)} of {len(jobs)} came back"
        update = pool.advance(new, cancelled)
        new, cancelled = [], between(update)
        for whole, part in zip(heard[:-1], update[:-1], strict=True):
            whole.extend(part)
    return heard


def each_once(heard, jobs):
    assert Counter(over.key for over in heard.finished) == Counter(job.key for job in jobs)


def statuses(heard):
    return {over.key: over.status for over in heard.finished}


def worker_of(pool, key):
    return next(one for one in pool._workers if key in one.jobs)


def under_way(count):
    return lambda heard: len({text.key for text in heard.episodes}) >= count


def test_jobs_of_mixed_shapes_come_back_once_each_with_all_their_episodes(pool):
    shapes = [replace(SHORT, hidden=(width,), batch_size=8) for width in (8, 16, 32)]
    jobs = [job for trial in range(30) for job in jobs_of(trial, shapes[trial % 3])]
    heard = everything(pool, jobs)
    each_once(heard, jobs)
    assert set(statuses(heard).values()) == {"done"}
    episodes = Counter(text.key for text in heard.episodes)
    assert episodes == {job.key: 5 for job in jobs}
    assert heard.restarted == []
    assert pool.free_slots == 6 * 2 * 24
    assert all(over.episodes.returns.tolist() == [sum(over.key)] * 5 for over in heard.finished)


def test_a_worker_waits_before_it_compiles_what_another_has_a_program_for(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(remote_pool, "time", SimpleNamespace(monotonic=lambda: now[0]))
    backend = FakeBackend(capacity=2)
    pool = RemotePool(backend)
    narrow, wide = replace(SHORT, hidden=(8,)), replace(SHORT, hidden=(16,))
    pool.advance([*jobs_of(0, narrow, seeds=24), *jobs_of(1, wide, seeds=40)], ())
    first, second = sorted(backend.workers, key=lambda one: one.given[0].trial)
    assert [len(first.given), len(second.given)] == [24, 24]
    first.reports = [over(first.given[:10])]
    pool.advance([], ())
    assert len(first.given) == 24  # 14 jobs for 16 lanes: it waits for more of its own shape
    now[0] += remote_pool._PROGRAM / 2
    pool.advance(jobs_of(2, narrow, seeds=1), ())
    assert first.given[24:] == jobs_of(2, narrow, seeds=1)
    assert len(second.given) == 24
    now[0] += remote_pool._PROGRAM
    pool.advance([], ())
    assert {job.trial for job in first.given[25:]} == {1}  # it was short of work for too long
    assert len(first.given) == 25 + 16


def test_a_worker_that_has_nothing_to_do_compiles_at_once():
    backend = FakeBackend(capacity=2)
    pool = RemotePool(backend)
    pool.advance(jobs_of(0, seeds=30), ())
    assert sorted(len(one.given) for one in backend.workers) == [6, 24]


def test_a_notice_says_when_there_are_more_workers_not_when_one_was_replaced():
    backend = FakeBackend(capacity=2)
    pool = RemotePool(backend)
    pool.advance(jobs_of(0, seeds=48), ())
    backend.workers[0].reports = [WorkerLostError("it was switched off")]
    pool.advance([], ())
    assert pool.advance([], ()).notices == []
    assert len(backend.workers) == 3
    backend.capacity = 3
    assert pool.advance([], ()).notices == ["now on 3 workers"]


def test_reports_of_workers_with_plenty_to_do_come_together(pool):
    calls = []
    jobs = [job for trial in range(200) for job in jobs_of(trial)]
    heard = everything(
        pool, jobs, between=lambda update: calls.append(len(update.chunk_results)) or ()
    )
    each_once(heard, jobs)
    assert sum(calls) == len(heard.chunk_results)
    assert max(calls) > 2 * pool.workers


def test_no_worker_is_idle_while_jobs_wait(pool):
    jobs = jobs_of(0, ENDLESS, seeds=60)
    everything(pool, jobs, until=under_way(48))
    assert [len(one.jobs) for one in pool._workers] == [24, 24]
    assert pool.free_slots == 6 * 48 - 60


@pytest.mark.parametrize("chance", range(3))
def test_whatever_worker_is_killed_at_whatever_moment_every_job_comes_back_once(pool, chance):
    moments = random.Random(chance)
    jobs = [job for trial in range(20) for job in jobs_of(trial, replace(SHORT, episodes=30))]
    left, restarted = 6, 0

    def kill(update):
        nonlocal left, restarted
        restarted += len(update.restarted)
        if not pool._workers:
            return ()
        one = moments.choice(pool._workers)
        trials = {trial for trial, _ in one.jobs}
        last_life = (
            len(trials) == 1
            and max(pool._deaths[trial] for trial in trials) == MAX_WORKER_DEATHS - 1
        )
        # Until one was lost with work to do, at every moment: a busy machine has few of them.
        now = not restarted or (left > 0 and moments.random() < 0.3)
        if trials and not last_life and now:
            one.worker.process.send_signal(signal.SIGKILL)
            left -= 1
        return ()

    heard = everything(pool, jobs, between=kill)
    each_once(heard, jobs)
    assert set(statuses(heard).values()) == {"done"}, "a trial failed that only shared a worker"
    assert heard.restarted


def test_episodes_of_a_lost_training_are_not_heard_after_its_restart(pool):
    """The last report of a worker and its end may be read at once."""
    jobs = jobs_of(0, ENDLESS)
    everything(pool, jobs, until=under_way(3))
    lost = worker_of(pool, (0, 0))
    before = set(lost.jobs)
    time.sleep(0.1)  # reports pile up in the pipe
    lost.worker.process.kill()
    lost.worker.process.wait()
    update = pool.advance([], [])
    while not update.restarted:
        update = pool.advance([], [])
    assert set(update.restarted) == before
    assert [text.key for text in update.episodes if text.key in before] == []


def test_a_job_that_kills_its_worker_is_given_up_and_all_others_are_done(pool):
    good = [job for trial in range(1, 6) for job in jobs_of(trial, replace(SHORT, episodes=50))]
    bad = jobs_of(0, KILLER, seeds=40)
    heard = everything(pool, good[:8] + bad + good[8:])
    each_once(heard, bad + good)
    assert {key for key, status in statuses(heard).items() if status == "failed"} == {
        job.key for job in bad
    }
    assert {over.reason for over in heard.finished if over.status == "failed"} == {
        "3 workers were lost with it, the last with it alone: "
        "it was killed by SIGKILL (out of memory?)"
    }


def test_a_trial_that_loses_its_worker_three_times_fails(pool, capfd):
    heard = everything(pool, jobs_of(0, RAISER))
    each_once(heard, jobs_of(0))
    assert Counter(heard.restarted) == {job.key: MAX_WORKER_DEATHS - 1 for job in jobs_of(0)}
    assert {over.reason for over in heard.finished} == {
        "3 workers were lost with it, the last with it alone: ValueError: two lines"
    }
    assert capfd.readouterr().err == ""


def test_the_trace_of_an_error_in_a_worker_is_shown_on_demand(pool, capfd, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    everything(pool, jobs_of(0, RAISER))
    assert capfd.readouterr().err.count('raise ValueError("two\\nlines")') == MAX_WORKER_DEATHS


def test_a_hung_worker_is_detected_killed_and_replaced(pool, monkeypatch):
    monkeypatch.setattr(remote_pool, "HEARTBEAT_TIMEOUT", 5.0)  # a start on a busy machine is less
    jobs = [job for trial in range(10) for job in jobs_of(trial, replace(SHORT, episodes=300))]
    frozen = []

    def freeze(update):
        if not frozen and update.episodes:
            frozen.append(pool._workers[0].worker.process)
            frozen[0].send_signal(signal.SIGSTOP)
        return ()

    heard = everything(pool, jobs, between=freeze)
    each_once(heard, jobs)
    assert set(statuses(heard).values()) == {"done"}
    assert heard.notices[0].startswith("a worker was lost (it sent no heartbeat for 5 s): ")
    assert frozen[0].returncode == -signal.SIGKILL


def test_a_trial_that_hangs_in_every_worker_is_given_up_and_all_others_are_done(pool, monkeypatch):
    monkeypatch.setattr(remote_pool, "PROGRESS_TIMEOUT", 1.0)
    good, bad = jobs_of(1), jobs_of(0, HANGER)
    heard = everything(pool, good + bad)
    each_once(heard, good + bad)
    assert {over.key: over.reason for over in heard.finished if over.status == "failed"} == {
        job.key: "3 workers were lost with it, the last with it alone: it did nothing for 1 s"
        for job in bad
    }


def test_a_worker_that_is_silent_but_uses_its_processor_is_at_work(monkeypatch):
    now, processor = 0.0, 0.0
    monkeypatch.setattr(remote_pool.time, "monotonic", lambda: now)
    backend = FakeBackend(capacity=1)
    pool = RemotePool(backend)

    def update():
        for one in backend.workers:
            one.reports = [Heartbeat(processor)]
        return pool.advance([], [])

    pool.advance(jobs_of(0), [])
    for _ in range(100):  # compiling, say: a heartbeat every ten seconds and a tenth of a core
        now, processor = now + 10.0, processor + 1.0
        assert update().notices == []
    idle_since = now
    while not (last := update()).notices:  # from now on it waits for ever
        now += 10.0
    assert last.notices == [
        "a worker was lost (it did nothing for 600 s): 3 trainings restarted in another"
    ]
    assert 600 <= now - idle_since <= 620
    assert sorted(last.restarted) == [job.key for job in jobs_of(0)]


def test_cancelled_jobs_come_back_once_as_pruned_wherever_they_are(pool):
    endless, short = jobs_of(0, ENDLESS, seeds=60), jobs_of(1)
    text = []

    def cancel(update):
        if not text and update.episodes:
            text.append([job.key for job in endless])
            return text[0]
        return ()

    heard = everything(pool, endless + short, between=cancel)
    each_once(heard, endless + short)
    assert Counter(statuses(heard).values()) == {"pruned": 60, "done": 3}


def test_a_job_may_be_cancelled_with_its_coming_and_after_its_end(pool):
    job, other = jobs_of(0, ENDLESS, seeds=1)[0], jobs_of(1, seeds=1)[0]
    update = pool.advance([job], [job.key])
    assert [(over.key, over.status) for over in update.finished] == [(job.key, "pruned")]
    each_once(everything(pool, [other]), [other])
    for _ in range(3):
        assert pool.advance([], [other.key, job.key]).finished == []


def test_a_job_that_was_cancelled_before_its_worker_was_lost_does_not_begin_anew(pool):
    jobs = jobs_of(0, ENDLESS)
    everything(pool, jobs, until=under_way(3))
    lost = worker_of(pool, (0, 1))
    lost.worker.process.send_signal(signal.SIGSTOP)  # it will not hear of it
    time.sleep(0.05)
    cancelled = list(lost.jobs)
    while True:  # what it had sent before it stopped
        update = pool.advance([], [])
        if not any(text.key in cancelled for text in update.episodes):
            break
    pool.advance([], cancelled)
    lost.worker.process.kill()
    heard = everything(pool, [], until=lambda heard: len(heard.finished) >= len(cancelled))
    assert {over.key: over.status for over in heard.finished} == dict.fromkeys(cancelled, "pruned")
    assert heard.restarted == []


def test_nothing_is_started_before_there_is_something_to_do_or_left_after_close(pool):
    assert pool._workers == []
    everything(pool, jobs_of(0, ENDLESS, seeds=60), until=under_way(48))
    processes = [one.worker.process for one in pool._workers]
    assert [process.poll() for process in processes] == [None, None]
    pool.close()
    assert [process.returncode for process in processes] == [-signal.SIGKILL] * 2


DRIVER = """
import sys
sys.path.insert(0, sys.argv[1])
from dqn.config import Config
from dqn.workers.remote_pool import RemotePool
from dqn.workers.local import LocalBackend
from dqn.training.jobs import Job
pool = RemotePool(LocalBackend(2))
new = [Job(0, seed, Config(episodes=10**6)) for seed in range(48)]
heard = set()
while True:
    update = pool.advance(new, [])
    new = []
    heard |= {batch.key for batch in update.episodes}
    if len(heard) == 48:
        print("under way", flush=True)
"""


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGSTOP])
def test_workers_end_by_themselves_when_the_scheduler_is_gone(by):
    """They hold its standard output too: it ends when the last of them has."""
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, STUB],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert driver.stdout.readline() == "under way\n"
    if by == signal.SIGSTOP:  # both workers are blocked in what they send when it is killed
        driver.send_signal(by)
        time.sleep(0.5)
    driver.kill()
    driver.communicate(timeout=20)
    assert driver.returncode == -signal.SIGKILL
