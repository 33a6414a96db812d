"""`python -m sweeps export`: a folder of results as files that TensorBoard opens."""

import argparse
import importlib.util
import math
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dqn.runtime import compile_cache
from dqn.runtime.atomic_write import replacing_folder
from dqn.runtime.errors import missing_package, must_be
from dqn.runtime.tensorflow import import_tensorflow
from dqn.statistics.metrics import METRICS
from dqn.storage.columns import Cell, Row, hyperparameters
from dqn.storage.episodes import read_episodes
from dqn.storage.reader import Results, read
from dqn.storage.trials import trial_rows
from dqn.terminal.console import steps

EXAMPLES = """\
examples
  python -m sweeps export outputs/sweeps/a --to tensorboard
  python -m sweeps export outputs/runs/a --to tensorboard --out /tmp/a
  tensorboard --logdir /tmp/a
"""
EPISODE = ("return", "length", "epsilon", "loss", "q")
"""Columns of episodes.parquet that become scalars, tagged episode/NAME, by environment step."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may follow `export`."""
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="of results")
    add("--to", choices=["tensorboard"], default="tensorboard", help="the tool it is for")
    add("--out", type=Path, metavar="DIR", help="a new folder (default: tensorboard in DIR)")


def export(args: argparse.Namespace) -> tuple[int, str, Any]:
    """Write the folder; status, text, plain values.

    Raises `UserError` for what is no folder of results, an `--out` that is there already or cannot
    be written, and where TensorBoard is not installed.
    """
    results = read(args.folder)
    if importlib.util.find_spec("tensorboard") is None:
        raise missing_package("--to tensorboard", "TensorBoard", "tensorboard")
    out = args.out or args.folder / "tensorboard"
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise must_be("--out", "a new or empty folder", out, "move it away, or name another")
    trainings = sum(map(len, results.rows.values()))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with steps() as tell, replacing_folder(out) as folder:
            write(folder, results, tell)
    except OSError as error:
        got = f"{out} ({error.strerror or error})"
        raise must_be("--out", "a folder that can be written", got, "name another") from error
    command = f"tensorboard --logdir {shlex.quote(str(out))}"
    text = f"{trainings:,} trainings of {len(results.rows):,} trials; to see them: {command}"
    return 0, text, {
        "folder": str(out), "trials": len(results.rows), "trainings": trainings, "open": command,
    }  # fmt: skip


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
            add(0.0, 0, _scalars({metric: trial[metric] for metric in METRICS}))
    rows = {(row["trial"], row["seed"]): row for rows in results.rows.values() for row in rows}
    episodes: Any = read_episodes(results.path / "episodes.parquet")
    trainings = episodes.groupby(["trial", "seed"], sort=False)
    for done, ((trial, seed), group) in enumerate(trainings):
        tell(f"{done:,} of {len(rows):,} trainings written")
        if (trial, seed) in rows:
            _write_episodes(folders[trial] / f"seed-{seed}", group, rows[trial, seed])


def _experiment(cells: Mapping[str, Sequence[Any]]) -> Any:
    """What HParams shows, and in which order: first the hyperparameters that differ."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api, api_pb2, summary

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
    made = summary.experiment_pb(settings, metrics, time_created_secs=0.0)
    return Summary.FromString(made.SerializeToString())  # it is TensorFlow's class of that name


def _write_episodes(folder: Path, episodes: Any, row: Row) -> None:
    """The episodes of one training; times are what it took, shared out evenly over its steps."""
    seconds, steps = float(row["seconds"] or 0.0), max(1, int(row["steps"] or 0))
    tags = [f"episode/{name}" for name in EPISODE]
    with _events(folder) as add:
        for step, *values in episodes[["step", *EPISODE]].to_numpy().tolist():
            add(seconds * step / steps, int(step), _scalars(dict(zip(tags, values, strict=True))))


@contextmanager
def _events(folder: Path) -> Iterator[Any]:
    """An event file in `folder`; gives `add(wall_time, step, summary)`."""
    import tensorflow as tf
    from tensorboard.compat.proto.event_pb2 import Event

    folder.mkdir(exist_ok=True, parents=True)
    with tf.io.TFRecordWriter(str(folder / "events.out.tfevents.0")) as file:
        file.write(Event(wall_time=0.0, file_version="brain.Event:2").SerializeToString())

        def add(wall_time: float, step: int, summary: Any) -> None:
            event = Event(wall_time=wall_time, step=step, summary=summary)
            file.write(event.SerializeToString())

        yield add


def _scalars(values: Mapping[str, Any]) -> Any:
    """Numbers by tag; what is unknown (no loss yet, no finite IQM) is left out."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    known = {tag: v for tag, v in values.items() if v is not None and math.isfinite(v)}
    return Summary(value=[Summary.Value(tag=tag, simple_value=v) for tag, v in known.items()])


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
