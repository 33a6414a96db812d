"""The pictures of a folder of results; one that cannot be made keeps no other away."""

import contextlib
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from numpy.typing import ArrayLike

from dqn.config import Config
from dqn.envs import gymnasium_env
from dqn.envs.registry_errors import describe_error
from dqn.runtime.atomic_write import own_folder, replacing_folder
from dqn.runtime.errors import RunError, UserError
from dqn.runtime.exit_codes import printable
from dqn.storage.columns import config_of
from dqn.storage.layout import BEST_FILES
from dqn.storage.manifest import write_preset
from dqn.storage.ranking import task_folders
from dqn.storage.results_dir import ResultsDir
from dqn.storage.trials import named

RETURNS, LOSSES, Q_VALUES = "figures/returns.png", "figures/losses.png", "figures/q_values.png"
MODEL, EPISODE, PRESET = "model.keras", "episode.gif", "config.yaml"


@contextmanager
def attempt(name: str, problems: list[str]) -> Iterator[None]:
    """What goes wrong in making a file is a line of `problems`; Ctrl-C is raised."""
    try:
        yield
    except (Exception, SystemExit) as error:  # of drawing, of a disk, of the user's environment
        reason = str(error) if isinstance(error, UserError | RunError) else describe_error(error)
        if isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        problems.append(printable(f"no {name}: {reason}"))


def load() -> None:
    """Import what the functions here import only when they come to it."""
    importlib.import_module("dqn.plotting.png").look_for_ipython()  # which Keras imports
    importlib.import_module("dqn.agents.networks")  # before Keras: TensorFlow, without its lines
    for name in ("dqn.agents.keras.backend", "dqn.plotting.training_figures"):
        importlib.import_module(name)
    importlib.import_module("dqn.plotting.frames").stay_off_screen()
    with contextlib.suppress(ImportError):  # most environments draw themselves with it
        importlib.import_module("pygame")


def draw_run(folder: ResultsDir, config: Config) -> list[str]:
    """All that one looks at of a run; a line for each file that could not be made, and why."""
    return draw_curves(folder, config) + _draw_network(folder, config, 0, folder.path)


def draw_curves(folder: ResultsDir, config: Config) -> list[str]:
    """figures/returns.png and figures/losses.png of the seeds so far; nothing without any."""
    return [] if folder.rows().empty else _draw_curves(folder, config, 0, folder.path)


def draw_best_trial(folder: ResultsDir, base: Config) -> list[str]:
    """best/: what `draw_run` draws, of the best trial, and its config.yaml; or nothing.

    It replaces the best/ before it as a whole, but for files that are not ours; a line says of each
    file why it could not be made. `base` is the sweep's configuration; config.yaml has the trial's
    hyperparameters alone, as a preset. Of several tasks each has a folder in best/.
    """
    problems: list[str] = []
    places = _places(folder)
    if not places:
        return problems
    ours = {*BEST_FILES, *(f"{name}/{file}" for name in places for file in BEST_FILES)}
    best = folder.path / "best"
    with attempt("new best/", problems), replacing_folder(best, ours.__contains__) as fresh:
        for name, trial in places.items():
            path = own_folder(fresh / name) if name else fresh
            config = config_of(folder.rows_of(trial)[0], base)
            write_preset(path / PRESET, config, _title(folder, trial))
            problems += _draw_curves(folder, config, trial, path)
            problems += _draw_network(folder, config, trial, path)
    return problems


def is_best_whole(folder: ResultsDir) -> bool:
    """Whether `draw_best_trial` would have nothing to add; it loads no TensorFlow."""
    return all(_is_whole(folder, trial, name) for name, trial in _places(folder).items())


def _is_whole(folder: ResultsDir, trial: int, name: str) -> bool:
    """Whether best/NAME has all its files, of this trial and these seeds."""
    path, files = folder.path / "best" / name, [RETURNS, LOSSES]
    files += [MODEL, EPISODE, Q_VALUES] if folder.best(trial) is not None else []
    try:
        lines = (path / PRESET).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return False
    return f"# {_title(folder, trial)}" in lines[:2] and all((path / f).is_file() for f in files)


def _places(folder: ResultsDir) -> dict[str, int]:
    """The best trial of each task by the name of its folder in best/; "" is best/ itself."""
    best = folder.best_trials()
    names = task_folders(best) if len(best) > 1 else dict.fromkeys(best, "")
    return {names[task]: trial for task, trial in best.items()}


def _title(folder: ResultsDir, trial: int) -> str:
    """What a best/ is of: drawn anew once the trial has more seeds, or another best one."""
    best, seeds = folder.best(trial), len(folder.rows_of(trial))
    network = f", the network of seed {best.seed}" if best is not None else ""
    return f"{named(trial)} of {folder.path.name}: {seeds} seed{'s' * (seeds != 1)}{network}"


def _draw_curves(folder: ResultsDir, config: Config, trial: int, path: Path) -> list[str]:
    problems: list[str] = []
    seeds = folder.rows()
    seeds = seeds.loc[seeds["trial"] == trial]
    for name in (RETURNS, LOSSES):
        with attempt(name, problems):
            from dqn.plotting import training_figures  # here: matplotlib may refuse settings

            figure, episodes = _figure(path, name), folder.episodes(trial)
            if name == LOSSES:
                training_figures.draw_losses(figure, episodes, seeds)
            else:
                solved = gymnasium_env.describe(config.env).solved_return
                training_figures.draw_returns(figure, episodes, seeds, solved)
    return problems


def _draw_network(folder: ResultsDir, config: Config, trial: int, path: Path) -> list[str]:
    """The best seed's network: model.keras, episode.gif and figures/q_values.png."""
    problems: list[str] = []
    with attempt(f"{MODEL}, no {EPISODE}", problems):
        if (best := folder.best(trial)) is None:
            return problems
        from dqn.agents.networks import trained_network
        from dqn.plotting import episode_recorder

        episode = None
        with attempt(MODEL, problems):
            network = trained_network(config, best.weights)
            episode_recorder.save_model(path / MODEL, network, best.weights)
        with attempt(EPISODE, problems):
            q_values = trained_network(config, best.weights).q_function(best.weights)
            episode, frames = episode_recorder.play(q_values, config.env, best.seed)
            if reason := episode_recorder.write_episode(path / EPISODE, frames):
                raise RunError(reason)
        with attempt(Q_VALUES, problems):
            if episode is None:
                raise RunError("no episode could be played")
            from dqn.plotting import training_figures

            title = f"Q-values along one greedy episode · the best seed, {best.seed}"
            bounds = bounds_of(config, len(episode.q))
            training_figures.draw_q_values(_figure(path, Q_VALUES), episode.q, bounds, title)
    return problems


def bounds_of(config: Config, length: int) -> dict[str, ArrayLike]:
    """`training_figures.q_bounds` of an episode of `length` steps in the task of `config`."""
    from dqn.plotting import training_figures

    return training_figures.q_bounds(
        config.env.id,
        length,
        gamma=config.gamma,
        reward_scale=config.reward_scale,
        timeout_terminal=config.timeout_terminal,
        max_episode_steps=gymnasium_env.describe(config.env).max_episode_steps,
    )


def _figure(path: Path, name: str) -> Path:
    return own_folder((path / name).parent) / Path(name).name
