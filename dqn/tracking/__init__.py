"""The trackers that `tracking=` chooses from, each in the file of its name, as its `TRACKER`."""

import importlib

from dqn.config.config import choices_of
from dqn.tracking.tracker import Tracker

TRACKERS: dict[str, type[Tracker]] = {
    name: importlib.import_module(f"{__name__}.{name}").TRACKER for name in choices_of("tracking")
}
