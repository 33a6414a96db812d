"""A scripted source, a pool that trains nothing, and a real folder of results."""

import random
from dataclasses import replace
from threading import Event

import numpy as np
import pandas as pd

from dqn.config import Config
from dqn.statistics.episode_columns import EPISODE_COLUMNS
from dqn.storage.results_dir import ResultsDir
from dqn.training.jobs import EpisodeBatch, Finished, PoolUpdate
from dqn.training.scheduler import Scheduler
from dqn.training.trial_source import FixedTrials, Trial

EPISODES = 9


BASE = Config(episodes=EPISODES, seeds=3)


CONFIGS = [replace(BASE, lr=0.001 * (1 + number)) for number in range(5)]


def returns_of(trial, seed):
    """A trial's returns rise with its number; no two trainings have the same."""
    return (100.0 * trial + 10.0 * seed + np.arange(EPISODES)).astype(np.float32)


class CutError(Exception):
    """What a kill -9 is here."""


class FakePool:
    """Lanes that work through `returns_of`, `chunk` episodes a call, in any order of report."""

    is_remote, workers = False, 1

    def __init__(self, lanes=4, chunk=2, order=0, cut=None, lost=(), failing=()):
        self._lanes, self._chunk, self._random = lanes, chunk, random.Random(order)
        self._cut, self._lost, self._failing = cut, lost, failing
        self._done = {}
        self._jobs = {}
        self.calls = 0
        self.trained = []

    @property
    def free_slots(self):
        return self._lanes + 2 - len(self._jobs)

    def advance(self, new, cancelled):
        new = list(new)
        assert new or self._jobs, "the driver waits and nothing is under way"
        assert self._jobs.keys().isdisjoint(job.key for job in new)
        if self.calls == self._cut:
            raise CutError
        self.calls += 1
        self._jobs.update((job.key, job) for job in new)
        self.trained += [job.key for job in new]
        update = PoolUpdate([], [], [], [], [])
        for key in cancelled:
            if key in self._jobs:
                update.finished.append(self._over(key, "pruned"))
        at_work = list(self._jobs)[: self._lanes]
        if self.calls in self._lost:
            for key in at_work:
                self._done.pop(key, None)
            update.restarted.extend(at_work)
            update.notices.append("a worker was lost")
            at_work = []
        for key in at_work:
            if key[0] in self._failing:
                update.finished.append(Finished.failed(self._jobs.pop(key), "too large"))
                continue
            begun = self._done.get(key, 0)
            self._done[key] = min(EPISODES, begun + self._chunk)
            update.episodes.append(self._episodes(key, begun, self._done[key]))
            if self._done[key] == EPISODES:
                update.finished.append(self._over(key, "done"))
        self._random.shuffle(update.finished)
        self._random.shuffle(update.episodes)
        return update

    def close(self):
        pass

    def _over(self, key, status):
        job, done = self._jobs.pop(key), self._done.get(key, 0)
        weights = [np.full((4, 2), sum(key), np.float32), np.zeros(2, np.float32)]
        tests = np.full(2 if status == "done" else 0, sum(key), np.float32)
        return Finished(job, status, done, self._episodes(key, 0, done), tests, weights, 0.1)

    def _episodes(self, key, begin, end):
        records = np.zeros((end - begin, len(EPISODE_COLUMNS)), np.float32)
        records[:, EPISODE_COLUMNS.index("return")] = returns_of(*key)[begin:end]
        steps = np.arange(begin + 1, end + 1, dtype=np.int32)
        records[:, EPISODE_COLUMNS.index("step")] = steps.view(np.float32)
        records[:, EPISODE_COLUMNS.index("length")] = np.ones_like(steps).view(np.float32)
        return EpisodeBatch.of(key, records)


class Scripted(FixedTrials):
    """Trials that are pruned where they are below a bar, and whose seeds come in stages."""

    def __init__(self, trials, rungs=(), bar=-np.inf, seed_bar=-np.inf, stages=None):
        super().__init__(trials)
        self.rungs = rungs
        self._bar, self._seed_bar, self._stages = bar, seed_bar, stages or {}
        self.asked, self.ended = [], {}

    def keep_at_rung(self, number, rung, metrics):
        means = {seed: m["mean_return"] for seed, m in metrics.items()}
        means = {seed: np.nan if mean is None else mean for seed, mean in means.items()}
        self.asked.append((number, rung, means))
        return np.mean(list(means.values())) >= self._bar

    def keep_after_seed(self, number, row):
        return row["mean_return"] is None or row["mean_return"] >= self._seed_bar

    def next_stage_seeds(self, number, rows):
        return self._stages.get((number, len(rows)), ())

    def on_trial_end(self, number, rows):
        assert number not in self.ended
        self.ended[number] = sorted((row["seed"], row["status"]) for row in rows)


class Silent:
    def __init__(self):
        self.notices = []
        self.when_over = lambda progress: None

    def begun(self, progress):
        pass

    def report(self, update):
        pass

    def on_trial_end(self, progress):
        self.when_over(progress)

    def notice(self, text):
        self.notices.append(text)


STAGED = [(number, 1) for number in range(5)]


def trials(seeds=(0, 1, 2), count=5):
    return [Trial(number, CONFIGS[number], tuple(seeds)) for number in range(count)]


def opened(path):
    return ResultsDir(path, BASE, {"kind": "grid"}, swept=("lr",))


def drive(path, source, pool, view=None, asked=None):
    with opened(path) as folder:
        return Scheduler(source, folder, pool, view or Silent()).run(asked or Event())


def table(path):
    frame = pd.read_csv(path / "seeds.csv").sort_values(["trial", "seed"])
    assert not frame.duplicated(["trial", "seed"]).any()
    episodes = pd.read_parquet(path / "episodes.parquet").groupby(["trial", "seed"]).size()
    kept = frame.set_index(["trial", "seed"]).episodes
    assert kept[kept > 0].to_dict() == episodes.to_dict()
    return frame.drop(columns="seconds").reset_index(drop=True)


def statuses(path):
    frame = table(path)
    return {number: sorted(rows.status) for number, rows in frame.groupby("trial")}
