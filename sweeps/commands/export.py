"""`python -m sweeps export`: a folder of results as a tracker has it: files, or runs."""

import argparse
import importlib.util
import math
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dqn.config.config import choices_of
from dqn.runtime import compile_cache
from dqn.runtime.atomic_write import replacing_folder
from dqn.runtime.errors import RunError, first_line, missing_package, must_be, only_for
from dqn.runtime.tensorflow import import_tensorflow
from dqn.statistics.metrics import METRICS
from dqn.storage.columns import Cell, Row, hyperparameters
from dqn.storage.episodes import read_episodes
from dqn.storage.reader import Results, read
from dqn.storage.seeds_text import row_id
from dqn.storage.trials import trial_rows
from dqn.terminal.console import steps
from dqn.tracking import TRACKERS
from dqn.tracking.tensorboard import EVENTS, event_file, summary
from dqn.tracking.tracker import TrackedFolder, TrackedTraining, scalars
from dqn.training.jobs import EpisodeBatch

EXAMPLES = """\
examples
  python -m sweeps export outputs/sweeps/a --to tensorboard
  python -m sweeps export outputs/runs/a --to tensorboard --out /tmp/a
  tensorboard --logdir /tmp/a
  python -m sweeps export outputs/sweeps/a --to wandb               or mlflow: as tracking= does
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow `export`."""
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="of results")
    add("--to", choices=choices_of("tracking"), default="tensorboard", help="the tool it is for")
    add("--out", type=Path, metavar="DIR",
        help="a new folder, for TensorBoard (default: tensorboard in DIR)")  # fmt: skip


def export(args: argparse.Namespace) -> tuple[int, str, Any]:
    """Write the folder; status, text, plain values.

    Raises `UserError` for what is no folder of results, an `--out` that is there already or cannot
    be written, and where the tracker is not installed; `RunError` where it fails.
    """
    results, title = read(args.folder), TRACKERS[args.to].title
    trainings = sum(map(len, results.rows.values()))
    done = f"{trainings:,} trainings of {len(results.rows):,} trials"
    if args.to != "tensorboard":
        if args.out is not None:
            raise only_for("--out", "--to tensorboard", "leave it out", args.out)
        with steps() as tell:
            where = send(args.to, results, tell)
        return 0, f"{done}; {title}: {where}", {
            "where": where, "trials": len(results.rows), "trainings": trainings,
        }  # fmt: skip
    if importlib.util.find_spec("tensorboard") is None:
        raise missing_package("--to tensorboard", "TensorBoard", "tensorboard")
    out = args.out or args.folder / "tensorboard"
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise must_be("--out", "a new or empty folder", out, "move it away, or name another")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with steps() as tell, replacing_folder(out) as folder:
            write(folder, results, tell)
    except OSError as error:
        got = f"{out} ({error.strerror or error})"
        raise must_be("--out", "a folder that can be written", got, "name another") from error
    command = f"tensorboard --logdir {shlex.quote(str(out))}"
    return 0, f"{done}; to see them: {command}", {
        "folder": str(out), "trials": len(results.rows), "trainings": trainings, "open": command,
    }  # fmt: skip


def send(name: str, results: Results, tell: Callable[[str], None]) -> str:
    """Send every training to a tracker; where they are. A run of the same training is replaced.

    Raises `UserError` where it is not installed, `RunError` for whatever goes wrong in it.
    """
    rows = [row for trial in sorted(results.rows) for row in results.rows[trial]]
    try:
        tracker = TRACKERS[name](TrackedFolder.at(results.path))
        for done, (row, episodes) in enumerate(zip(rows, _episodes_of(results, rows), strict=True)):
            tell(f"{done:,} of {len(rows):,} trainings sent")
            env = [column for column in row if column.startswith("env.")]
            cells = {column: row[column] for column in hyperparameters(results.base, env)}
            training = TrackedTraining(*episodes.key, cells)
            tracker.start(training)
            tracker.log(training, episodes)
            tracker.finish(training, row)
        tracker.close()
    except ModuleNotFoundError as error:
        tracker = TRACKERS[name]
        raise missing_package(f"--to {name}", tracker.title, tracker.package) from error
    except Exception as error:
        advice = "give the same command again"
        raise RunError(f"--to {name} failed ({first_line(error)}); {advice}") from error
    return tracker.where


def _episodes_of(results: Results, rows: Iterable[Row]) -> Iterator[EpisodeBatch]:
    """Of each row, the training's episodes."""
    every: Any = read_episodes(results.path / "episodes.parquet")
    groups = every.groupby(["trial", "seed"], sort=False).indices
    names = ("step", "return", "length", "epsilon", "loss", "q")
    columns = [every[name].to_numpy() for name in names]
    for key in map(row_id, rows):
        yield EpisodeBatch(key, *(column[groups.get(key, [])] for column in columns))


def write(folder: Path, results: Results, tell: Callable[[str], None]) -> None:
    """Write TensorBoard's event files; `tell` hears how it goes.

    trial-T/seed-S has the episodes of a training as scalars, trial-T the trial's hyperparameters
    and the IQMs of its metrics for HParams.
    Written as records, not through `tf.summary`, which takes 0.1 ms a number: a study of a thousand
    trials has millions.
    """
    tell("loading TensorFlow ...")
    compile_cache.prepare()
    import_tensorflow()
    from tensorboard.plugins.hparams import api

    env = [name for name in next(iter(results.rows.values()))[0] if name.startswith("env.")]
    names = hyperparameters(results.base, env)
    trials = trial_rows(results.rows.values(), names)
    cells = {name: _alike([trial[name] for trial in trials]) for name in names}
    folders = {n: folder / f"trial-{n:0{len(str(max(results.rows)))}}" for n in results.rows}
    with _events(folder) as add:
        add(0.0, 0, _experiment(cells))
    for place, (trial, path) in enumerate(zip(trials, folders.values(), strict=True)):
        values = {key: column[place] for key, column in cells.items()}
        with _events(path) as add:
            add(0.0, 0, api.hparams_pb(values, trial_id=path.name, start_time_secs=0.0))
            add(0.0, 0, summary({metric: trial[metric] for metric in METRICS}))
    rows = [row for trial in sorted(results.rows) for row in results.rows[trial]]
    for done, (row, episodes) in enumerate(zip(rows, _episodes_of(results, rows), strict=True)):
        tell(f"{done:,} of {len(rows):,} trainings written")
        if len(episodes.step):
            _write_episodes(folders[episodes.key[0]] / f"seed-{row['seed']}", episodes, row)


def _experiment(cells: Mapping[str, Sequence[Any]]) -> Any:
    """What HParams shows, and in which order: first the hyperparameters that differ."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api, api_pb2
    from tensorboard.plugins.hparams import summary as hparams

    settings = []
    for name, values in cells.items():
        distinct = sorted(set(values))
        settings.append(api_pb2.HParamInfo(name=name, differs=len(distinct) > 1))
        numbers = isinstance(distinct[0], float)
        domain = api.RealInterval(distinct[0], distinct[-1]) if numbers else api.Discrete(distinct)
        domain.update_hparam_info(settings[-1])
    metrics = [
        api_pb2.MetricInfo(name=api_pb2.MetricName(tag=name), display_name=f"{metric.title} (IQM)")
        for name, metric in METRICS.items()
    ]
    made = hparams.experiment_pb(settings, metrics, time_created_secs=0.0)
    return Summary.FromString(made.SerializeToString())  # it is TensorFlow's class of that name


def _write_episodes(folder: Path, episodes: EpisodeBatch, row: Row) -> None:
    """The episodes of one training; times are what it took, shared out evenly over its steps."""
    seconds, taken = float(row["seconds"] or 0.0), max(1, int(row["steps"] or 0))
    with _events(folder) as add:
        for step, values in scalars(episodes):
            add(seconds * step / taken, step, summary(values))


@contextmanager
def _events(folder: Path) -> Iterator[Any]:
    """An event file in a new `folder`; gives `add(wall_time, step, summary)`."""
    import tensorflow as tf

    folder.mkdir(exist_ok=True, parents=True)
    with event_file(folder / EVENTS, tf.io.TFRecordWriter) as add:
        yield add


def _alike(cells: Sequence[Cell]) -> list[Any]:
    """A column as HParams takes it: all numbers, all flags or all text.

    An infinite number (`huber_delta`) has no place in its JSON, so its column becomes text.
    """
    if all(isinstance(cell, bool) for cell in cells):
        return list(cells)
    numbers = [cell for cell in cells if isinstance(cell, int | float) and math.isfinite(cell)]
    if len(numbers) == len(cells) and not any(isinstance(cell, bool) for cell in cells):
        return list(map(float, numbers))
    return ["" if cell is None else str(cell) for cell in cells]
