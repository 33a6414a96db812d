"""Gives worker processes an engine that trains nothing: put this folder on `sys.path`.

A worker's path is its driver's, and Python imports a `sitecustomize` at every start. A job of
`config.episodes` episodes brings one in each chunk of a millisecond, its return being trial + seed;
`gamma` 0 ends its worker with SIGKILL at the first chunk, 0.5 raises an error, 0.25 hangs.
"""

import os
import signal
import sys
import time
import types


class Engine:
    def __init__(self):
        self._jobs = {}
        self._done = {}

    @property
    def busy(self):
        return bool(self._jobs)

    def chunk(self, new, cancelled):
        import numpy as np

        from dqn.statistics.episode_columns import EPISODE_COLUMNS
        from dqn.training.jobs import ChunkResult, EpisodeBatch, Finished

        self._jobs.update((job.key, job) for job in new)
        finished = [Finished.pruned(self._jobs.pop(key)) for key in cancelled if key in self._jobs]
        time.sleep(0.001)
        episodes = []
        for key, job in list(self._jobs.items()):
            if job.config.gamma == 0.0:
                os.kill(os.getpid(), signal.SIGKILL)
            if job.config.gamma == 0.25:
                time.sleep(10**6)
            if job.config.gamma == 0.5:
                raise ValueError("two\nlines")
            done = self._done[key] = self._done.get(key, 0) + 1
            record = np.full((1, len(EPISODE_COLUMNS)), sum(key), np.float32)
            episodes.append(EpisodeBatch.of(key, record))
            if done == job.config.episodes:
                del self._jobs[key]
                records = np.repeat(record, done, 0)
                over = EpisodeBatch.of(key, records)
                nothing = np.zeros(0, np.float32)
                weights = [np.zeros((300, 300), np.float32)]  # more than a pipe holds
                finished.append(Finished(job, "done", done, over, nothing, weights, 0.0))
        return ChunkResult(episodes, finished, 0.001)


if "dqn.workers.local" in sys.orig_argv:
    engine = sys.modules["dqn.training.engine"] = types.ModuleType("dqn.training.engine")
    engine.Engine = Engine
    quiet = sys.modules["dqn.runtime.tensorflow"] = types.ModuleType("dqn.runtime.tensorflow")
    quiet.import_tensorflow = lambda: None
