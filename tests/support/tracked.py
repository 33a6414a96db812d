"""A tracker that remembers what it hears, or fails where it is asked to."""

import threading

from scripted import Silent, opened

from dqn.tracking.progress import TrackingProgress
from dqn.training.scheduler import Scheduler


class Remembering:
    """Its runs by (trial, seed): the steps and returns of their episodes, and their final rows."""

    title, package, where = "Remembering", "remembering", "in memory"
    fails_at, hangs_at, error = None, None, OSError("no route\nto host")

    def __init__(self, folder):
        type(self).made = self
        self.folder, self.runs, self.rows, self.begun = folder, {}, {}, []
        self.is_closed, self.awake = False, threading.Event()
        self._at("import")

    def start(self, training):
        self._at("start")
        self.begun.append((training.trial, training.seed))
        self.runs[training.trial, training.seed] = []

    def log(self, training, episodes):
        self._at("log")
        self.runs[training.trial, training.seed] += episodes.returns.tolist()

    def finish(self, training, row):
        self._at("finish")
        self.rows[training.trial, training.seed] = row

    def close(self):
        self._at("close")
        self.is_closed = True

    def _at(self, place):
        if place == self.fails_at:
            raise self.error
        if place == self.hangs_at:
            self.awake.wait(60)


def track(path, source, pool, name="wandb", view=None, asked=None):
    """As `scripted.drive`, with a tracker; whether it was stopped, what was said, and the cost."""
    view = view or Silent()
    with opened(path) as folder, TrackingProgress(view, folder, name) as tracked:
        stopped = Scheduler(source, folder, pool, tracked).run(asked or threading.Event())
    return stopped, view.notices, tracked.cost
