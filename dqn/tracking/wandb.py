"""Weights & Biases: a run per training, grouped by the results folder's name.

Its own variables hold (WANDB_MODE, WANDB_PROJECT, WANDB_ENTITY, WANDB_DIR, ...). Nothing is asked:
without an API key the runs are kept offline.
"""

import netrc
import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dqn.runtime.secrets import remember
from dqn.storage.columns import Row
from dqn.tracking.tracker import TrackedFolder, TrackedTraining, results, scalars, settings
from dqn.training.jobs import EpisodeBatch, TrainingId

FOLDER = "wandb"
_PROJECT = "dqn-study"
_PATIENCE = 10.0  # seconds for an upload at the end of a run


class Wandb:
    """Runs beside each other in one process, none of which is `wandb.run`."""

    title, package = "W&B", "wandb"

    def __init__(self, folder: TrackedFolder):
        import wandb

        if not hasattr(wandb, "init"):  # W&B's own folder in the current one, and no package
            raise ModuleNotFoundError(wandb.__name__)
        remember(os.environ.get("WANDB_API_KEY", ""))
        self._root = Path(os.environ.get("WANDB_DIR") or folder.path)
        self._project = os.environ.get("WANDB_PROJECT") or _PROJECT
        own = wandb.setup().settings
        mode = str(own.mode or "online")
        self._mode: Any = "offline" if mode == "online" and not _has_key(own) else mode
        self.where = f"project {self._project} at {own.base_url}"
        if mode == "disabled":
            self.where = "off, as WANDB_MODE says"
        if self._mode in ("offline", "dryrun"):
            why = "" if mode == self._mode else "no API key (wandb login, or WANDB_API_KEY): "
            place = self._root / FOLDER
            self.where = f"{why}offline; to send the runs: wandb sync {place}/offline-run-*"
        self._folder = folder
        self._runs: dict[TrainingId, Any] = {}
        self._episodes: dict[TrainingId, int] = {}

    def start(self, training: TrackedTraining) -> None:
        """As `Tracker.start`."""
        import wandb

        key, own_id = (training.trial, training.seed), self._folder.id_of(training)
        if old := self._runs.pop(key, None):
            old.finish(exit_code=1)
        for path in (self._root / FOLDER).glob(f"offline-run-*-{own_id}"):
            shutil.rmtree(path, ignore_errors=True)
        self._episodes[key] = 0
        # On a server, a run without `resume` takes the place of the one with its id.
        self._runs[key] = wandb.init(
            project=self._project,
            id=own_id,
            name=self._folder.name_of(training),
            group=self._folder.name,
            tags=[f"trial-{training.trial}", f"seed-{training.seed}"],
            config=self._folder.place_of(training) | settings(training),
            dir=self._root,
            mode=self._mode,
            reinit="create_new",
            # Our tables stay as they are, and nothing of the machine or of the command is sent.
            settings=wandb.Settings(
                console="off",
                silent=True,
                finish_timeout=_PATIENCE,
                disable_code=True,
                disable_git=True,
                x_disable_meta=True,
                x_disable_stats=True,
                x_disable_machine_info=True,
                x_save_requirements=False,
            ),
        )

    def log(self, training: TrackedTraining, episodes: EpisodeBatch) -> None:
        """As `Tracker.log`."""
        key = training.trial, training.seed
        for step, values in scalars(episodes):
            self._episodes[key] += 1
            self._runs[key].log(values | {"episode/number": self._episodes[key]}, step=step)

    def finish(self, training: TrackedTraining, row: Row) -> None:
        """As `Tracker.finish`."""
        run = self._runs.pop((training.trial, training.seed))
        run.summary.update(results(row) | {"status": str(row["status"])})
        run.finish(exit_code=int(row["status"] == "failed"))

    def close(self) -> None:
        """As `Tracker.close`."""
        while self._runs:
            self._runs.popitem()[1].finish(exit_code=1)


TRACKER = Wandb


def _has_key(settings: Any) -> bool:
    """Whether W&B finds a key where it looks for one, and so would ask for none."""
    if settings.api_key or settings.identity_token_file:
        return True
    host = urlsplit(settings.base_url).hostname or ""
    for path in (os.environ.get("NETRC"), "~/.netrc", "~/_netrc"):
        try:
            if path and netrc.netrc(os.path.expanduser(path)).authenticators(host):
                return True
        except (OSError, netrc.NetrcParseError):
            continue
    return False
