"""All that one looks at in a folder of results, drawn from what is on disk."""

import importlib
from pathlib import Path

from pandas import DataFrame

from dqn.algorithm import network
from dqn.config import Config
from dqn.envs import host
from dqn.results import figures, recorder
from dqn.results.atomic import own_folder, replacing_folder
from dqn.results.best import Best
from dqn.results.columns import config_of
from dqn.results.composed import write_preset
from dqn.results.folder import Folder
from dqn.results.trials import named


def load() -> None:
    """Import what the functions here import only when they come to it."""
    importlib.import_module("dqn.algorithm.backend")
    recorder.load()


def draw_curves(folder: Folder, config: Config) -> None:
    """figures/returns.png and figures/losses.png of the seeds so far; nothing without any."""
    seeds = folder.rows()
    if seeds.empty:
        return
    _draw_curves(folder.path, folder.episodes(), seeds, config)


def draw_best(folder: Folder, config: Config) -> None:
    """The best seed's network: model.keras, episode.gif and figures/q_values.png."""
    best = folder.best()
    if best is not None:
        _draw_network(folder.path, best, config)


def draw_best_trial(folder: Folder, base: Config) -> None:
    """best/: what the above draw of a run, of the best trial, and its config.yaml; or nothing.

    It takes the place of the best/ before it as a whole. `base` is the sweep's configuration;
    config.yaml has the trial's hyperparameters alone, and can be used as a preset.
    """
    trial = folder.best_trial()
    if trial is None:
        return
    config = config_of(folder.rows_of(trial)[0], base)
    seeds = folder.rows()
    with replacing_folder(folder.path / "best") as fresh:
        write_preset(fresh / "config.yaml", config, f"{named(trial)} of {folder.path.name}")
        _draw_curves(fresh, folder.episodes(trial), seeds.loc[seeds["trial"] == trial], config)
        if (best := folder.best(trial)) is not None:
            _draw_network(fresh, best, config)


def _draw_curves(path: Path, episodes: DataFrame, seeds: DataFrame, config: Config) -> None:
    task = host.describe(config.env)
    figures.draw_returns(_figure(path, "returns"), episodes, seeds, task.solved_return)
    figures.draw_losses(_figure(path, "losses"), episodes, seeds)


def _draw_network(path: Path, best: Best, config: Config) -> None:
    task = host.describe(config.env)

    q_values = network.q_function(best.weights, best.activation)
    recorder.save_model(path / "model.keras", best.weights, best.activation, task.observation_size)
    episode = recorder.record_episode(q_values, path / "episode.gif", config.env, seed=best.seed)
    bounds = figures.q_bounds(
        config.env.id,
        len(episode.q),
        gamma=config.gamma,
        reward_scale=config.reward_scale,
        timeout_terminal=config.timeout_terminal,
        max_episode_steps=task.max_episode_steps,
    )
    title = f"Q-values along one greedy episode · the best seed, {best.seed}"
    figures.draw_q_values(_figure(path, "q_values"), episode.q, bounds, title)


def _figure(path: Path, name: str) -> Path:
    return own_folder(path / "figures") / f"{name}.png"
