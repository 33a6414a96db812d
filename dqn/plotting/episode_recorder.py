"""One greedy episode, step by step and as a GIF; and the network as a Keras file."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from PIL import Image

from dqn.config import EnvConfig
from dqn.envs.adapter import Adapter, flat_size, name_of
from dqn.envs.gymnasium_env import counted_from_zero
from dqn.plotting.frames import GIF_FPS, Frames, drawable
from dqn.runtime.atomic_write import replacing
from dqn.runtime.errors import EnvError

QValues = Callable[[np.ndarray], np.ndarray]
"""Observations [N, D] → Q-values [N, A]."""

MAX_FRAMES = 150
MAX_STEPS = 10_000  # of a task without a time limit that the policy never ends
COLOURS = 128

log = logging.getLogger(__name__)


@dataclass(frozen=True, repr=False)
class Rollout:
    """What happened in one episode of T steps, seen from the state before each step."""

    observations: np.ndarray
    """[T, D]."""
    actions: np.ndarray
    """[T], int."""
    rewards: np.ndarray
    """[T], raw."""
    q: np.ndarray
    """[T]: Q-value of the chosen action."""
    terminated: bool
    truncated: bool

    def __repr__(self) -> str:
        end = "terminated" if self.terminated else "truncated"
        return f"Episode({len(self.rewards)} steps, return {self.rewards.sum():g}, {end})"


def record_episode(
    policy: Any,
    path: str | Path = "episode.gif",
    env: EnvConfig | gymnasium.Env | None = None,
    seed: int = 0,
) -> Rollout:
    """Play one episode, greedy to its end, and write it to `path` as a GIF.

    `policy` is a `DQNAgent`, or any function from observations [N, D] to Q-values [N, A]; `env` a
    configuration of an environment or a Gymnasium one, by default the agent's own. It is played in
    a copy, wrappers included; in itself if it was not made by `gymnasium.make` or cannot exist
    twice. `seed` fixes the start.

    The GIF, written whole or not at all, has 25 frames a second and at most 150: longer episodes
    play faster. Where the environment cannot draw itself, a line of the log says so and the episode
    is played all the same. Raises `TypeError` for a function without an `env`, `EnvError` where it
    cannot be played.

    >>> import dqn, gymnasium
    >>> agent = dqn.DQNAgent(gymnasium.make("CartPole-v1"), dqn.create_model, seed=1)
    >>> dqn.record_episode(agent, "episode.gif")
    Episode(... steps, return ..., terminated)
    """
    given = getattr(policy, "env", None) if env is None else env
    if given is None:
        raise TypeError("record_episode must know where to play: give env, the policy has none")
    episode, frames = play(getattr(policy, "q_values", policy), given, seed)
    if reason := write_episode(Path(path), frames):
        log.warning("no %s: %s", path, reason)
    return episode


def play(q_values: QValues, env: EnvConfig | gymnasium.Env, seed: int) -> tuple[Rollout, Frames]:
    """One greedy episode, and what could be seen of it."""
    made, reason = drawable(env)
    name = env.id if isinstance(env, EnvConfig) else name_of(made)
    adapter = Adapter(counted_from_zero(made), name, flat_size(made))
    try:
        frames = Frames(adapter, MAX_FRAMES, reason)
        return _play(q_values, adapter, seed, frames), frames
    finally:
        if made is not env:
            adapter.close()


def write_episode(path: Path, frames: Frames) -> str:
    """What was seen of an episode as a GIF; why there is nothing to write, or ""."""
    if images := frames.images():
        write_gif(path, images)
    return "" if images else frames.reason


def write_gif(path: Path, frames: Sequence[np.ndarray]) -> None:
    """Frames, uint8 [height, width, 3] each, as an endless GIF with one palette for all.

    Each shows for 1 / `GIF_FPS` seconds, the last for one second.
    """
    # A few frames from the whole episode have every colour of it.
    sample = [frames[i] for i in np.linspace(0, len(frames) - 1, num=4).astype(int)]
    palette = Image.fromarray(np.concatenate(sample)).quantize(COLOURS, Image.Quantize.FASTOCTREE)
    first, *rest = [
        Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in frames
    ]
    with replacing(path) as temporary:
        first.save(
            temporary, format="GIF", save_all=True, append_images=rest,
            duration=[round(1000 / GIF_FPS)] * len(rest) + [1000], loop=0,
        )  # fmt: skip


def save_model(path: Path, network: Any, weights: Sequence[np.ndarray]) -> None:
    """A network of `dqn.agents.networks` as a file that plain Keras loads, whole or not at all."""
    with replacing(path) as temporary:
        network.to_keras(weights).save(temporary)


def _play(q_values: QValues, env: Adapter, seed: int, frames: Frames) -> Rollout:
    steps, rewards = [], []
    terminated = truncated = False
    try:
        observation = env.reset(seed)
        while not (terminated or truncated):
            frames.see(len(steps))
            values = np.asarray(q_values(observation[None]))[0]  # [A]
            action = int(values.argmax())
            steps.append((observation, action, values[action]))
            observation, reward, terminated, truncated = env.step(action)
            rewards.append(float(reward))
            truncated = truncated or len(steps) == MAX_STEPS
    except EnvError as error:
        raise error.at(seed, len(steps)) from error
    frames.see(len(steps))
    observations, actions, q = map(np.array, zip(*steps, strict=True))
    return Rollout(observations, actions, np.array(rewards), q, terminated, truncated)
