"""TensorBoard: event files in the results folder, a folder per training: trial-3/seed-1."""

import math
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dqn.runtime.atomic_write import own_folder
from dqn.storage.columns import Row
from dqn.tracking.tracker import TrackedFolder, TrackedTraining, results, scalars, settings
from dqn.training.jobs import EpisodeBatch

FOLDER = "tensorboard"
EVENTS = "events.out.tfevents.0"
"""The name of an event file."""


class TensorBoard:
    """Appends to files and keeps none open; TensorFlow is not loaded for it."""

    title, package = "TensorBoard", "tensorboard"

    def __init__(self, folder: TrackedFolder):
        from tensorboard.compat.proto import event_pb2  # noqa: F401  as early as can be

        self._root = own_folder(folder.path / FOLDER)
        self.where = f"tensorboard --logdir {shlex.quote(str(self._root))}"

    def start(self, training: TrackedTraining) -> None:
        """As `Tracker.start`."""
        path = self._path(training)
        shutil.rmtree(path.parent, ignore_errors=True)
        path.parent.mkdir(parents=True)
        cells = {name: _hparam(cell) for name, cell in settings(training).items()}
        with event_file(path) as add:
            add(time.time(), 0, _session(cells, f"trial-{training.trial}"))

    def log(self, training: TrackedTraining, episodes: EpisodeBatch) -> None:
        """As `Tracker.log`."""
        now = time.time()
        with event_file(self._path(training)) as add:
            for step, values in scalars(episodes):
                add(now, step, summary(values))

    def finish(self, training: TrackedTraining, row: Row) -> None:
        """As `Tracker.finish`."""
        with event_file(self._path(training)) as add:
            add(time.time(), 0, summary(results(row)))

    def close(self) -> None:
        """As `Tracker.close`."""

    def _path(self, training: TrackedTraining) -> Path:
        return self._root / f"trial-{training.trial}" / f"seed-{training.seed}" / EVENTS


TRACKER = TensorBoard


@contextmanager
def event_file(path: Path, open_records: Any = None) -> Iterator[Any]:
    """The event file at `path`, appended to; gives `add(wall_time, step, summary)`.

    `open_records` opens a new file in another way than TensorBoard's own, 17 µs an event, which
    needs no TensorFlow: `tf.io.TFRecordWriter` is faster.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    is_new = not path.exists()
    records = open_records(str(path)) if open_records else RecordWriter(path.open("ab"))
    try:
        if is_new:
            records.write(Event(wall_time=0.0, file_version="brain.Event:2").SerializeToString())

        def add(wall_time: float, step: int, summary: Any) -> None:
            event = Event(wall_time=wall_time, step=step, summary=summary)
            records.write(event.SerializeToString())

        yield add
    finally:
        records.close()


def summary(values: Mapping[str, Any]) -> Any:
    """Numbers by tag; what is unknown (no loss yet, no finite IQM) is left out."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    known = {tag: v for tag, v in values.items() if v is not None and math.isfinite(v)}
    return Summary(value=[Summary.Value(tag=tag, simple_value=v) for tag, v in known.items()])


def _session(cells: Mapping[str, Any], group: str) -> Any:
    """What HParams shows of a training; `tensorboard.plugins.hparams.api` loads TensorFlow."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2

    begun = plugin_data_pb2.SessionStartInfo(group_name=group, start_time_secs=time.time())
    for name, value in cells.items():
        kind = {bool: "bool_value", float: "number_value"}.get(type(value), "string_value")
        setattr(begun.hparams[name], kind, value)
    data = plugin_data_pb2.HParamsPluginData(session_start_info=begun)
    about = metadata.create_summary_metadata(data)
    tag, nothing = metadata.SESSION_START_INFO_TAG, metadata.NULL_TENSOR
    return Summary(value=[Summary.Value(tag=tag, metadata=about, tensor=nothing)])


def _hparam(cell: Any) -> bool | float | str:
    """HParams knows flags, numbers and text."""
    if isinstance(cell, bool | str):
        return cell
    return float(cell) if isinstance(cell, int | float) else str(cell)
