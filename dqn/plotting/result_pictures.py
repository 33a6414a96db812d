"""All that one looks at in a folder of results, drawn from what is on disk."""

import importlib
from collections.abc import Callable
from pathlib import Path

from pandas import DataFrame

from dqn.config import Config
from dqn.envs import gymnasium_env
from dqn.plotting.artefacts import (
    CURVES,
    EPISODE,
    MODEL,
    PRESET,
    Q_VALUES,
    NotMadeError,
    attempt,
    missing,
)
from dqn.runtime.atomic_write import own_folder, replacing_folder
from dqn.storage.best_weights import Best
from dqn.storage.columns import config_of
from dqn.storage.layout import BEST_FILES
from dqn.storage.manifest import write_preset
from dqn.storage.ranking import task_folders
from dqn.storage.results_dir import ResultsDir
from dqn.storage.trials import named


def load() -> None:
    """Import what the functions here import only when they come to it."""
    importlib.import_module("dqn.agents.networks")  # first: TensorFlow, without its lines
    importlib.import_module("dqn.agents.keras.backend")
    importlib.import_module("dqn.plotting.training_figures")
    from dqn.plotting import episode_recorder

    episode_recorder.load()


def draw_run(folder: ResultsDir, config: Config) -> list[str]:
    """All that one looks at of a run; a line for each file that could not be made, and why."""
    return draw_curves(folder, config) + draw_best(folder, config)


def draw_curves(folder: ResultsDir, config: Config) -> list[str]:
    """figures/returns.png and figures/losses.png of the seeds so far; nothing without any."""
    seeds = folder.rows()
    if seeds.empty:
        return []
    return _draw_curves(folder.path, lambda: folder.episodes(), seeds, config)


def draw_best(folder: ResultsDir, config: Config) -> list[str]:
    """The best seed's network: model.keras, episode.gif and figures/q_values.png."""
    problems: list[str] = []
    with attempt("model.keras, no episode.gif", problems):
        if (best := folder.best()) is not None:
            problems += _draw_network(folder.path, best, config)
    return problems


def draw_best_trial(folder: ResultsDir, base: Config) -> list[str]:
    """best/: what the above draw of a run, of the best trial, and its config.yaml; or nothing.

    It takes the place of the best/ before it as a whole, but for files that are not ours, and
    without those that could not be made: a line for each. `base` is the sweep's configuration;
    config.yaml has the trial's hyperparameters alone, and can be used as a preset. Of several tasks
    each has a folder in best/.
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
            problems += _draw_trial(folder, base, trial, path)
    return problems


def is_best_whole(folder: ResultsDir) -> bool:
    """Whether `draw_best_trial` would have nothing to add; it loads no TensorFlow."""
    return not any(
        missing(
            folder.path / "best" / name,
            _title(folder, trial),
            network=folder.best(trial) is not None,
        )
        for name, trial in _places(folder).items()
    )


def _places(folder: ResultsDir) -> dict[str, int]:
    """The best trial of each task by the name of its folder in best/; "" is best/ itself."""
    best = folder.best_trials()
    names = task_folders(best) if len(best) > 1 else dict.fromkeys(best, "")
    return {names[task]: trial for task, trial in best.items()}


def _draw_trial(folder: ResultsDir, base: Config, trial: int, path: Path) -> list[str]:
    config = config_of(folder.rows_of(trial)[0], base)
    seeds = folder.rows()
    write_preset(path / PRESET, config, _title(folder, trial))
    of_trial = seeds.loc[seeds["trial"] == trial]
    problems = _draw_curves(path, lambda: folder.episodes(trial), of_trial, config)
    if (best := folder.best(trial)) is not None:
        problems += _draw_network(path, best, config)
    return problems


def _title(folder: ResultsDir, trial: int) -> str:
    """What a best/ is of: drawn anew once the trial has more seeds, or another best one."""
    best, seeds = folder.best(trial), len(folder.rows_of(trial))
    network = f", the network of seed {best.seed}" if best is not None else ""
    return f"{named(trial)} of {folder.path.name}: {seeds} seed{'s' * (seeds != 1)}{network}"


def _draw_curves(
    path: Path, episodes: Callable[[], DataFrame], seeds: DataFrame, config: Config
) -> list[str]:
    returns, losses = CURVES
    problems: list[str] = []
    with attempt(returns, problems):
        from dqn.plotting import (
            training_figures,  # here: matplotlib may refuse the user's settings
        )

        solved = gymnasium_env.describe(config.env).solved_return
        training_figures.draw_returns(_figure(path, returns), episodes(), seeds, solved)
    with attempt(losses, problems):
        from dqn.plotting import training_figures

        training_figures.draw_losses(_figure(path, losses), episodes(), seeds)
    return problems


def _draw_network(path: Path, best: Best, config: Config) -> list[str]:
    from dqn.agents.networks import trained_network
    from dqn.plotting import episode_recorder

    problems: list[str] = []
    with attempt(MODEL, problems):
        network = trained_network(config, best.weights)
        episode_recorder.save_model(path / MODEL, network, best.weights)
    episode = None
    with attempt(EPISODE, problems):
        q_values = trained_network(config, best.weights).q_function(best.weights)
        episode, frames = episode_recorder.play(q_values, config.env, best.seed)
        if reason := episode_recorder.write_episode(path / EPISODE, frames):
            raise NotMadeError(reason)
    with attempt(Q_VALUES, problems):
        if episode is None:
            raise NotMadeError("no episode could be played")
        from dqn.plotting import training_figures

        bounds = training_figures.q_bounds(
            config.env.id,
            len(episode.q),
            gamma=config.gamma,
            reward_scale=config.reward_scale,
            timeout_terminal=config.timeout_terminal,
            max_episode_steps=gymnasium_env.describe(config.env).max_episode_steps,
        )
        title = f"Q-values along one greedy episode · the best seed, {best.seed}"
        training_figures.draw_q_values(_figure(path, Q_VALUES), episode.q, bounds, title)
    return problems


def _figure(path: Path, name: str) -> Path:
    return own_folder((path / name).parent) / Path(name).name
