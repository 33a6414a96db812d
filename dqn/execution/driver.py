"""One configuration, many seeds: feeds the engine, owns all writing, ends with a table.

What is finished is on disk before anything else happens, so a run that was stopped goes on where
it was when it is started again in the same folder, with the same result.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from dqn.config import Config
from dqn.execution import runtime
from dqn.results.folder import Folder, SeedResult

if TYPE_CHECKING:  # TensorFlow is loaded when a run begins, not before
    from dqn.execution.jobs import Finished, Job

INTERRUPTED = 130
_SHARE = 0.1  # of the time, at most, goes into drawing while seeds are still training


def train(config: Config, path: Path) -> int:
    """Train every seed of `config` that the folder `path` does not hold yet.

    Returns the exit status: 0 when all seeds are there, 130 after Ctrl-C. Raises `UserError` for a
    folder that holds another configuration or is in use, `RunError` where writing fails.
    """
    runtime.prepare()  # before TensorFlow is imported
    with Console(stderr=True).status("loading TensorFlow ..."):
        from dqn.execution.jobs import Job
        from dqn.execution.summary import summary
        from dqn.results import pictures

    seeds = range(config.first_seed, config.first_seed + config.seeds)
    with Folder(path, config) as folder:
        jobs = [Job(0, seed, config) for seed in seeds if (0, seed) not in folder.finished()]
        stopped = _train(jobs, config, folder) if jobs else False
        pictures.draw_curves(folder, config)
        pictures.draw_best(folder, config)
        rows, trials = folder.rows(), folder.trials()
    if len(rows):
        print(summary(rows, trials.iloc[0].to_dict()))
    if not jobs:
        print("all seeds were trained before: nothing was left to do")
    if stopped:
        print(f"stopped with {rows.seed.isin(seeds).sum()} of {len(seeds)} seeds trained and saved")
    here = Path.cwd()
    print(f"results: {path.relative_to(here) if path.is_relative_to(here) else path}")
    return INTERRUPTED if stopped else 0


def _train(jobs: "list[Job]", config: Config, folder: Folder) -> bool:
    """Train `jobs` to their ends, or until Ctrl-C: then True."""
    from dqn.execution.engine import Engine
    from dqn.execution.progress import View
    from dqn.results import pictures

    engine, new = Engine(), jobs
    drawn_until = time.monotonic() + 20.0  # the first curves are not worth waiting for
    with View(jobs, config) as view, _ctrl_c(view.stopping) as asked:
        while (new or engine.busy) and not asked.is_set():
            episodes, finished = engine.advance(new)
            new = []
            for result in finished:
                folder.add(_row(result))
            view.report(episodes, finished)
            if finished and engine.busy and time.monotonic() > drawn_until:
                began = time.monotonic()
                pictures.draw_curves(folder, config)
                drawn_until = time.monotonic() + (time.monotonic() - began) / _SHARE
    return bool(new) or engine.busy


def _row(result: "Finished") -> SeedResult:
    episodes = result.episodes
    return SeedResult(
        trial=result.job.trial,
        seed=result.job.seed,
        config=result.job.config,
        status=result.status,
        steps=result.steps,
        returns=episodes.returns,
        lengths=episodes.lengths,
        step=episodes.step,
        epsilon=episodes.epsilon,
        loss=episodes.loss,
        q=episodes.q,
        test_returns=result.test_returns,
        weights=result.weights,
        seconds=result.seconds,
    )


@contextmanager
def _ctrl_c(heard) -> Iterator[threading.Event]:
    """An event that the first Ctrl-C (or SIGTERM) sets; a second Ctrl-C acts as it always does."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(number, frame) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        heard()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
