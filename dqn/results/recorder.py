"""One greedy episode, step by step and as a GIF; and the network as a Keras file."""

import contextlib
import importlib
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from PIL import Image

from dqn.config import EnvConfig
from dqn.envs import host
from dqn.results.atomic import replacing

QValues = Callable[[np.ndarray], np.ndarray]
"""Observations [N, D] → Q-values [N, A]."""

GIF_FPS = 25  # a GIF counts in 1/100 s, so 25 a second is exact where 30 is not
MAX_FRAMES = 150
MAX_STEPS = 10_000  # of a task without a time limit that the policy never ends
COLOURS = 128

log = logging.getLogger(__name__)


@dataclass(frozen=True, repr=False)
class Episode:
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
) -> Episode:
    """Play one episode, greedy to its end, and write it to `path` as a GIF.

    `policy` is a `DQNAgent`, or any function from observations [N, D] to Q-values [N, A]. `env`
    says where to play: an environment's configuration, or a Gymnasium environment, by default the
    agent's own. It is played in a copy, so that a training is not disturbed; one that was not made
    by `gymnasium.make`, and so cannot be copied, is played in itself. `seed` fixes the start.

    The GIF has 25 frames a second of the environment's own time and at most 150, so that a longer
    episode plays faster; the last is held for a second. An environment that cannot draw itself is
    played all the same: one line of the log says that there is no GIF. The file is there whole or
    not at all. Raises `TypeError` for a function without an `env`.
    """
    given = getattr(policy, "env", None) if env is None else env
    if given is None:
        raise TypeError("record_episode must know where to play: give env, the policy has none")
    made = _drawable(given)
    frames = _Frames(made)
    try:
        episode = _play(getattr(policy, "q_values", policy), made, seed, frames)
    finally:
        if made is not given:
            made.close()
    if frames.kept:
        write_gif(Path(path), frames.kept)
    else:
        name = made.spec.id if made.spec else type(made.unwrapped).__name__
        log.warning("no %s: %s cannot draw itself", path, name)
    return episode


def write_gif(path: Path, frames: Sequence[np.ndarray], fps: float = GIF_FPS) -> None:
    """Frames, uint8 [height, width, 3] each, as an endless GIF with one palette for all.

    Each shows for 1 / `fps` seconds, the last for one second.
    """
    images = [Image.fromarray(frame) for frame in frames]
    width, height = images[0].size
    # A few frames from the whole episode have every colour of it.
    sample = [images[i] for i in np.linspace(0, len(images) - 1, num=4).astype(int)]
    strip = Image.new("RGB", (width, height * len(sample)))
    for number, image in enumerate(sample):
        strip.paste(image, (0, number * height))
    palette = strip.quantize(COLOURS, Image.Quantize.FASTOCTREE)
    first, *rest = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    with replacing(path) as temporary:
        first.save(
            temporary, format="GIF", save_all=True, append_images=rest,
            duration=[round(1000 / fps)] * len(rest) + [1000], loop=0,
        )  # fmt: skip


def save_model(
    path: Path, weights: Sequence[np.ndarray], activation: str, observation_size: int
) -> None:
    """The network as a file that plain `keras.models.load_model` reads, whole or not at all."""
    from dqn.algorithm import network  # loads TensorFlow, which a GIF does not need

    with replacing(path) as temporary:
        network.to_keras(weights, activation, observation_size).save(temporary)


class _Frames:
    """The frames worth keeping: evenly spaced, never more than MAX_FRAMES."""

    def __init__(self, env: gymnasium.Env):
        self.kept: list[np.ndarray] = []
        self._env = env
        fps = float(env.metadata.get("render_fps") or GIF_FPS)
        self._stride = max(1, round(fps / GIF_FPS))

    def see(self, step: int) -> None:
        if self._env.render_mode != "rgb_array" or step % self._stride:
            return
        if len(self.kept) == MAX_FRAMES:
            del self.kept[1::2]
            self._stride *= 2
            if step % self._stride:
                return
        self.kept.append(np.asarray(self._env.render()))


def _play(q_values: QValues, env: gymnasium.Env, seed: int, frames: _Frames) -> Episode:
    observations, actions, rewards, q = [], [], [], []
    observation, _ = env.reset(seed=seed)
    terminated = truncated = False
    while not (terminated or truncated):
        frames.see(len(actions))
        values = np.asarray(q_values(np.asarray(observation)[None]))[0]  # [A]
        action = int(values.argmax())
        observations.append(observation)
        actions.append(action)
        q.append(values[action])
        observation, reward, terminated, truncated, _ = env.step(action)
        rewards.append(float(reward))
        truncated = truncated or len(actions) == MAX_STEPS
    frames.see(len(actions))
    return Episode(
        np.array(observations),
        np.array(actions),
        np.array(rewards),
        np.array(q),
        bool(terminated),
        bool(truncated),
    )


def load() -> None:
    """Import what most environments draw themselves with, where it is installed."""
    _stay_off_screen()
    with contextlib.suppress(ImportError):
        importlib.import_module("pygame")


def _stay_off_screen() -> None:
    """Neither a window nor, where there is no screen, SDL's complaint about that."""
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")


def _drawable(env: EnvConfig | gymnasium.Env) -> gymnasium.Env:
    """A new environment like `env` that draws itself if it can; where it has no spec, `env`."""
    _stay_off_screen()
    if isinstance(env, EnvConfig):
        return host.make(env, render=True)
    if env.spec is None:
        return env
    draws = "rgb_array" in (env.metadata.get("render_modes") or ())
    return gymnasium.make(env.spec, render_mode="rgb_array" if draws else None)
