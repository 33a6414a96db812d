"""MLflow: an experiment per results folder, a run per training.

Without a tracking URI (MLFLOW_TRACKING_URI), in mlflow.db in the results folder.
"""

import logging
import os
import re
import shlex
import time
from collections import defaultdict
from typing import Any

from dqn.runtime.secrets import hidden, remember
from dqn.storage.columns import Row
from dqn.tracking.tracker import TrackedFolder, TrackedTraining, results, scalars, settings
from dqn.training.jobs import EpisodeBatch, TrainingId

DATABASE, ARTIFACTS = "mlflow.db", "mlartifacts"
_SECRETS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
_ID = "dqn.training"  # the tag that a training's run is found by
_ENDS = {"failed": "FAILED", "pruned": "KILLED"}
_MOST = 1000  # metrics in one call
_PAUSE = 1.0  # seconds between calls for a run


class MLflow:
    """Through a client of its own: what a user's program tracks besides is left alone."""

    title, package = "MLflow", "mlflow-skinny"

    def __init__(self, folder: TrackedFolder):
        import mlflow

        for name in ("mlflow", "alembic"):  # they tell of each table that they make
            logging.getLogger(name).setLevel(logging.WARNING)
        for name in _SECRETS:
            remember(os.environ.get(name, ""))
        is_local = not mlflow.is_tracking_uri_set()
        uri = f"sqlite:///{folder.path / DATABASE}"
        uri = uri if is_local else mlflow.get_tracking_uri()
        self._client = mlflow.MlflowClient(tracking_uri=uri)
        self._artifacts = (folder.path / ARTIFACTS).as_uri() if is_local else None
        show = "" if uri.startswith("http") else "mlflow ui --backend-store-uri "
        self.where = hidden(show + shlex.quote(uri))
        self._folder, self._experiment = folder, ""
        self._runs: dict[TrainingId, str] = {}
        self._waiting: dict[TrainingId, list[Any]] = defaultdict(list)  # metrics
        self._sent_at: dict[TrainingId, float] = defaultdict(float)

    def start(self, training: TrackedTraining) -> None:
        """As `Tracker.start`."""
        import mlflow

        self._experiment = of = self._experiment or self._open_experiment()
        tags = {name: str(value) for name, value in self._folder.place_of(training).items()}
        tags[_ID] = mark = self._folder.id_of(training)
        for old in self._client.search_runs([of], f"tags.`{_ID}` = '{mark}'"):
            self._client.delete_run(old.info.run_id)
        run = self._client.create_run(of, tags=tags, run_name=self._folder.name_of(training))
        key = training.trial, training.seed
        self._runs[key] = run.info.run_id
        self._waiting.pop(key, None)
        cells = settings(training).items()
        params = [
            mlflow.entities.Param(re.sub(r"[^\w\-. /]", "_", name), str(cell))
            for name, cell in cells
        ]
        self._client.log_batch(run.info.run_id, params=params)

    def log(self, training: TrackedTraining, episodes: EpisodeBatch) -> None:
        """As `Tracker.log`."""
        import mlflow

        key, now = (training.trial, training.seed), time.time()
        self._waiting[key] += [
            mlflow.entities.Metric(name, value, int(1000 * now), step)
            for step, values in scalars(episodes)
            for name, value in values.items()
        ]
        if now > self._sent_at[key] + _PAUSE:
            self._send(key)

    def finish(self, training: TrackedTraining, row: Row) -> None:
        """As `Tracker.finish`."""
        import mlflow

        key, now = (training.trial, training.seed), int(1000 * time.time())
        self._waiting[key] += [
            mlflow.entities.Metric(name, v, now, 0) for name, v in results(row).items()
        ]
        self._send(key)
        status, run = str(row["status"]), self._runs.pop(key)
        self._client.set_tag(run, "status", status)
        self._client.set_terminated(run, _ENDS.get(status, "FINISHED"))

    def _send(self, key: TrainingId) -> None:
        """A call takes some milliseconds, however few metrics it has: they go together."""
        metrics = self._waiting.pop(key, [])
        for begin in range(0, len(metrics), _MOST):
            self._client.log_batch(self._runs[key], metrics=metrics[begin : begin + _MOST])
        self._sent_at[key] = time.time()

    def close(self) -> None:
        """As `Tracker.close`."""
        for key, run in self._runs.items():
            self._send(key)
            self._client.set_terminated(run, "KILLED")
        self._runs.clear()

    def _open_experiment(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or self._folder.name
        if (there := self._client.get_experiment_by_name(name)) is not None:
            return there.experiment_id
        return self._client.create_experiment(name, artifact_location=self._artifacts)


TRACKER = MLflow
