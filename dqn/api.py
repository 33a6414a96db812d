"""The front door in Python: `dqn.train` and `dqn.load`, as `python -m dqn.run` without a shell."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

from dqn import session
from dqn.compose.compose import composed_words
from dqn.compose.keywords import Keywords, folder_word, refuse_sweep, words_of
from dqn.compose.record import keep_composed
from dqn.config import Config
from dqn.runtime.errors import must_be
from dqn.runtime.exit_codes import INTERRUPTED
from dqn.runtime.sweeps_package import of_sweeps
from dqn.storage.manifest import SWEEP
from dqn.trained.python_calls import python_call
from dqn.trained.run import Run
from dqn.trained.views import stopped


def train(
    config: Config | None = None,
    /,
    *,
    name: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    progress: bool = True,
    **keywords: Unpack[Keywords],
) -> Run:
    """Train one configuration with several seeds; what is left out is the exercise's value.

    Every key and group of the command line is a keyword: `lr=5e-4`, `seeds=10`, `hidden=[32, 32]`,
    `preset="scaled"`, `env="acrobot"`; `env` may also be a Gymnasium id or a mapping. Or they are
    those of `config`, but for what keywords change.

    `name="a"` has the results in outputs/runs/a, as on the command line; `folder` is another path
    for them; without either the folder is named by the time. Seeds that the folder has already are
    not trained again, so the same call resumes, and one with more `seeds` adds to it. Ctrl-C, or
    the stop button of a notebook, keeps the seeds that have ended and raises `KeyboardInterrupt`.
    `progress=False` shows no bar.

    Raises `UserError` for what cannot be trained, before anything is; `RunError` where training or
    writing fails, with all that had ended in the folder. Settings that learn nothing are trained
    all the same, with a warning.

    >>> import dqn
    >>> run = dqn.train(lr=2e-3, hidden=[16], episodes=20, seeds=2, name="a", progress=False)
    >>> run.path.name, len(run.seeds), len(run.episodes)
    ('a', 2, 40)
    >>> dqn.train(lr=-1)
    Traceback (most recent call last):
    dqn.runtime.errors.UserError: lr must be > 0, got -1 (for example lr=0.001)
    """
    if config is not None and not isinstance(config, Config):
        advice = "write keywords, as in dqn.train(lr=0.001)"
        raise must_be("the configuration", "a dqn.Config", type(config).__name__, advice)
    with python_call(progress):
        refuse_sweep(keywords, "sweeps.tune(...) or sweeps.grid(...)")
        words = words_of({**keywords, **place(name, folder)}, config)
        words += folder_words(folder, "hydra.run.dir")
        with composed_words(words, many=False) as command:
            composed = command.composer.composed
            status = session.train(
                command.configs[0],
                command.folder,
                say=lambda text: None,
                opened=lambda opened: keep_composed(opened.path, composed),
            )
    if status == INTERRUPTED:
        raise stopped(command.folder, "seeds")
    return Run(command.folder)


def load(path: str | os.PathLike[str]) -> Any:
    """A folder of results: a `Run`, or a `sweeps.Sweep` where it is a grid's or a study's.

    DIR:TRIAL is one trial of a sweep, as a `Run`. A folder that another process is still writing to
    can be opened, too: what is asked of it then is what it holds by now.

    Raises `UserError` for what is no folder of results, `RunError` for a damaged one.

    >>> import dqn
    >>> dqn.load("outputs/runs/a")
    Run(outputs/runs/a: CartPole-v0, 2 of 2 seeds, mean return ...)
    """
    text = os.fspath(path)
    folder, _, trial = text.rpartition(":")
    with python_call():
        if folder and trial.isdecimal() and not Path(text).is_dir():
            return Run(folder, int(trial))
        if (Path(text) / SWEEP).exists():
            return of_sweeps("Sweep")(text)
        return Run(text)


def place(name: str | None, folder: object) -> Mapping[str, Any]:
    """The keyword `name`, where it is given; raises `UserError` where `folder` is, too."""
    if name is not None and folder is not None:
        got = f"name={name!r} and folder={str(folder)!r}"
        raise must_be("the folder of results", "given once", got, "leave out one of them")
    return {} if name is None else {"name": name}


def folder_words(folder: str | os.PathLike[str] | None, key: str) -> list[str]:
    """The word for `folder`, if it is given."""
    return [] if folder is None else [folder_word(folder, key)]
