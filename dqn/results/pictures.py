"""All that one looks at in the folder of one configuration, drawn from what is on disk."""

from pathlib import Path

from dqn.algorithm import network
from dqn.config import Config
from dqn.envs import host
from dqn.results import figures, recorder
from dqn.results.folder import Folder


def draw_curves(folder: Folder, config: Config) -> None:
    """figures/returns.png and figures/losses.png of the seeds so far; nothing without any."""
    seeds = folder.rows()
    if seeds.empty:
        return
    task = host.describe(config.env)
    episodes = folder.episodes()
    figures.draw_returns(_figure(folder, "returns"), episodes, seeds, task.solved_return)
    figures.draw_losses(_figure(folder, "losses"), episodes, seeds)


def draw_best(folder: Folder, config: Config) -> None:
    """The best seed's network: model.keras, episode.gif and figures/q_values.png."""
    best = folder.best()
    if best is None:
        return
    task = host.describe(config.env)

    q_values = network.q_function(best.weights, best.activation)
    model = folder.path / "model.keras"
    recorder.save_model(model, best.weights, best.activation, task.observation_size)
    gif = folder.path / "episode.gif"
    episode = recorder.record_episode(q_values, gif, config.env, seed=best.seed)
    bounds = figures.q_bounds(
        config.env.id,
        len(episode.q),
        gamma=config.gamma,
        reward_scale=config.reward_scale,
        timeout_terminal=config.timeout_terminal,
        max_episode_steps=task.max_episode_steps,
    )
    title = f"Q-values along one greedy episode · the best seed, {best.seed}"
    figures.draw_q_values(_figure(folder, "q_values"), episode.q, bounds, title)


def _figure(folder: Folder, name: str) -> Path:
    path = folder.path / "figures"
    path.mkdir(exist_ok=True)
    return path / f"{name}.png"
