import logging
import threading
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from PIL import Image, ImageSequence

from dqn.agents.networks.mlp import MLP
from dqn.config import EnvConfig
from dqn.plotting import episode_recorder
from dqn.plotting.episode_recorder import record_episode, save_model, write_gif
from dqn.runtime.errors import EnvError

CARTPOLE = EnvConfig("CartPole-v0", max_episode_steps=200)


def balance(observations):
    """Q-values of a policy that holds the pole up."""
    push_right = observations @ np.array([0.1, 0.5, 3.0, 1.0])
    return np.stack([-push_right, push_right], -1)


def frames_of(path) -> list[Image.Image]:
    with Image.open(path) as gif:
        return [frame.convert("RGB") for frame in ImageSequence.Iterator(gif)]


class Blind(gymnasium.Env):
    """Ten steps, nothing to see; counts its resets."""

    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(3)
    resets = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.resets, self.left = self.resets + 1, 10
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.left -= 1
        return np.full(2, action, np.float32), float(action), self.left == 0, False, {}


def test_a_greedy_episode_is_played_to_its_end_and_seen(tmp_path):
    episode = record_episode(balance, tmp_path / "episode.gif", CARTPOLE)
    assert repr(episode) == "Episode(200 steps, return 200, truncated)"
    assert episode.observations.shape == (200, 4)
    q = balance(episode.observations)
    np.testing.assert_array_equal(episode.actions, q.argmax(-1))
    np.testing.assert_allclose(episode.q, q.max(-1))
    frames = frames_of(tmp_path / "episode.gif")
    assert frames[0].size == (600, 400)
    assert len(frames) > 20
    assert np.any(np.asarray(frames[0]) != np.asarray(frames[-1]))
    assert (tmp_path / "episode.gif").stat().st_size < 500_000


def test_an_episode_that_fails_is_terminated(tmp_path):
    episode = record_episode(lambda o: np.array([[1.0, 0.0]]), tmp_path / "episode.gif", CARTPOLE)
    assert episode.terminated
    assert not episode.truncated
    assert len(episode.rewards) < 15


def test_a_seed_fixes_the_episode_and_the_bytes(tmp_path):
    a, b, c = (
        record_episode(balance, tmp_path / f"{name}.gif", CARTPOLE, seed=seed)
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    np.testing.assert_array_equal(a.observations, b.observations)
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()
    assert np.any(a.observations[0] != c.observations[0])


def test_an_agent_is_recorded_in_a_copy_of_its_own_environment(tmp_path):
    class Agent:
        env = gymnasium.make("CartPole-v1", max_episode_steps=30)
        q_values = staticmethod(balance)

    before, _ = Agent.env.reset(seed=0)
    episode = record_episode(Agent(), str(tmp_path / "episode.gif"))
    assert len(episode.rewards) == 30
    np.testing.assert_allclose(Agent.env.unwrapped.state, before, atol=1e-6)
    assert frames_of(tmp_path / "episode.gif")


def test_the_copy_has_the_wrappers_of_the_original(tmp_path):
    env = gymnasium.wrappers.RescaleObservation(
        gymnasium.make("MountainCar-v0", max_episode_steps=5), np.float32(-1), np.float32(1)
    )
    episode = record_episode(lambda o: np.ones((1, 3)), tmp_path / "episode.gif", env)
    assert -0.34 < episode.observations[0, 0] < -0.11  # as it is, it starts in [-0.6, -0.4]


def test_what_cannot_draw_itself_is_played_all_the_same_and_said_in_one_line(tmp_path, caplog):
    env = Blind()
    with caplog.at_level(logging.WARNING):
        episode = record_episode(lambda o: np.array([[0, 0, 1]]), tmp_path / "episode.gif", env)
    assert len(caplog.messages) == 1
    assert "Blind cannot draw itself" in caplog.messages[0]
    assert episode.rewards.sum() == 20
    assert env.resets == 1
    assert list(tmp_path.iterdir()) == []


def test_a_function_must_be_told_where_to_play(tmp_path):
    with pytest.raises(TypeError, match="give env"):
        record_episode(balance, tmp_path / "episode.gif")


def test_a_long_episode_is_thinned_evenly(tmp_path, monkeypatch):
    monkeypatch.setattr(episode_recorder, "MAX_FRAMES", 10)
    seen = []
    monkeypatch.setattr(episode_recorder, "write_gif", lambda path, frames: seen.extend(frames))

    class Counting(Blind):
        metadata = {"render_modes": ["rgb_array"], "render_fps": 25}  # noqa: RUF012
        render_mode = "rgb_array"

        def reset(self, *, seed=None, options=None):
            observation = super().reset(seed=seed)
            self.left = 45
            return observation

        def render(self):
            return np.full((1, 1, 3), 45 - self.left, np.uint8)

    record_episode(lambda o: np.ones((1, 3)), tmp_path / "episode.gif", Counting())
    assert [int(frame[0, 0, 0]) for frame in seen] == [0, 8, 16, 24, 32, 40]


def test_a_policy_that_never_ends_an_endless_task_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(episode_recorder, "MAX_STEPS", 7)
    episode = record_episode(lambda o: np.ones((1, 3)), tmp_path / "episode.gif", Blind())
    assert len(episode.rewards) == 7
    assert episode.truncated


def test_a_gif_shows_each_frame_for_its_time_and_the_last_for_a_second(tmp_path):
    frames = [np.full((4, 6, 3), value, np.uint8) for value in (0, 120, 252)]
    write_gif(tmp_path / "a.gif", frames)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.info["loop"] == 0
        durations = [frame.info["duration"] for frame in ImageSequence.Iterator(gif)]
    assert durations == [40, 40, 1000]
    for frame, shown in zip(frames, frames_of(tmp_path / "a.gif"), strict=True):
        assert np.abs(np.asarray(shown).astype(int) - frame).max() < 16


# Keras 3.15 converts TensorFlow's tensors in a way that NumPy 2 deprecates.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_model_loads_in_plain_keras_and_says_what_the_weights_say(tmp_path):
    import keras

    rng = np.random.default_rng(0)
    shapes = [(4, 8), (8,), (8, 6), (6,), (6, 2), (2,)]
    weights = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    path = Path(tmp_path / "model.keras")
    save_model(path, MLP(4, (8, 6), "tanh", 2), weights)
    observations = rng.normal(size=(5, 4)).astype(np.float32)
    hidden = observations
    for W, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        hidden = np.tanh(hidden @ W + b)
    model = keras.models.load_model(path)
    assert model is not None
    expected = hidden @ weights[-2] + weights[-1]
    np.testing.assert_allclose(model.predict(observations, verbose=0), expected, rtol=1e-4)
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


# Environments as they draw


class Painter(Blind):
    """Draws what `paint` gives for each step."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 25}  # noqa: RUF012
    render_mode = "rgb_array"
    paint = staticmethod(lambda step: np.full((4, 6, 3), 20 * step, np.uint8))

    def render(self):
        return self.paint(10 - self.left)


RED = np.zeros((4, 6, 3), np.uint8)
RED[..., 0] = 200
BUFFER = RED.copy()
SPOILT = RED.astype(float)
SPOILT[0, 0] = 200, np.nan, -np.inf
DRAWN = {
    "as it should": lambda t: RED,
    "one buffer": lambda t: np.copyto(BUFFER, RED) or BUFFER,
    "transparent": lambda t: np.dstack([RED, np.full((4, 6), 9, np.uint8)]),
    "of ones": lambda t: RED / 255.0,
    "of ones, but one": lambda t: [SPOILT / 255.0, RED / 255.0][t % 2],
    "floats": lambda t: RED.astype(np.float32),
    "whole numbers": lambda t: RED.astype(np.int64),
    "lists": lambda t: RED.tolist(),
    "channels first": lambda t: RED.transpose(2, 0, 1),
    "several frames": lambda t: [np.zeros_like(RED), RED],
    "none at first": lambda t: [] if t == 0 else [RED],
    "an image": lambda t: Image.fromarray(RED),
    "read-only": lambda t: np.broadcast_to(RED[:1, :1], RED.shape),
}


@pytest.mark.parametrize("kind", DRAWN)
def test_a_frame_is_one_however_it_is_given(tmp_path, kind, caplog):
    env = Painter()
    env.paint = DRAWN[kind]
    record_episode(lambda o: np.ones((1, 3)), tmp_path / "a.gif", env)
    assert not caplog.messages
    for frame in frames_of(tmp_path / "a.gif"):
        assert frame.size == (6, 4)
        assert np.abs(np.asarray(frame).astype(int) - RED).max() < 16


def test_frames_of_changing_sizes_and_grey_ones_have_one_canvas(tmp_path):
    env = Painter()
    env.paint = lambda t: np.full((4 + t, 6), 25 * t)
    record_episode(lambda o: np.ones((1, 3)), tmp_path / "a.gif", env)
    assert {frame.size for frame in frames_of(tmp_path / "a.gif")} == {(6, 14)}


def boom(step):
    raise RuntimeError("no display\nat all")


@pytest.mark.parametrize(("paint", "reason"), [
    (lambda t: None, "Painter: render gave None, must give an array"),
    (lambda t: "text\nof two lines", "Painter: render gave 'text\\nof two lines', must give"),
    (lambda t: np.zeros(5), "render gave an array of shape (5,) of float64, must give"),
    (lambda t: np.zeros((0, 0, 3)), "render gave an array of shape (0, 0, 3)"),
    (lambda t: np.zeros((7, 6, 5)), "render gave an array of shape (7, 6, 5)"),
    (lambda t: np.full((4, 6, 3), 300), "render gave whole numbers up to 300, must give"),
    (lambda t: {"a": 1}, "render gave {'a': 1}, must give"),
    (boom, "Painter: render raised RuntimeError: no display at all"),
], ids=["none", "text", "flat", "empty", "five", "large", "dict", "raises"])  # fmt: skip
def test_what_is_no_frame_costs_the_gif_and_one_line(tmp_path, caplog, paint, reason):
    env = Painter()
    env.paint = paint
    episode = record_episode(lambda o: np.ones((1, 3)), tmp_path / "a.gif", env)
    assert len(episode.rewards) == 10
    (message,) = caplog.messages
    assert reason in message
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("metadata", [
    None, {}, {"render_fps": None}, {"render_fps": "many"}, {"render_fps": 0}, {"render_fps": -1},
    {"render_fps": float("inf")}, {"render_fps": "25"},
], ids=str)  # fmt: skip
def test_metadata_of_any_kind_is_no_hindrance(tmp_path, metadata):
    env = Painter()
    env.metadata = metadata
    record_episode(lambda o: np.ones((1, 3)), tmp_path / "a.gif", env)
    assert frames_of(tmp_path / "a.gif")


def test_an_environment_that_breaks_while_it_is_played_is_named(tmp_path):
    env = Painter()
    env.step = lambda action: None
    with pytest.raises(EnvError, match=r"Painter: step gave None, must give 5: .* \(seed 3, step"):
        record_episode(lambda o: np.ones((1, 3)), tmp_path / "a.gif", env, seed=3)


class Tilted(gymnasium.ObservationWrapper):
    """A wrapper as tutorials write them, with something of its own; records no arguments."""

    def __init__(self, env, factor):
        super().__init__(env)
        self.factor, self.seen = factor, []

    def observation(self, observation):
        self.seen.append(observation)
        return self.factor * observation


class Locked(Tilted):
    """One that cannot be copied."""

    def __init__(self, env, factor):
        super().__init__(env, factor)
        self.lock = threading.Lock()


def test_a_wrapper_of_ones_own_is_played_in_a_copy_with_all_it_holds(tmp_path, caplog):
    env = gymnasium.wrappers.TimeLimit(Tilted(gymnasium.make("CartPole-v1"), -2.0), 30)
    start, _ = env.reset(seed=5)
    seen = list(env.env.seen)
    episode = record_episode(lambda o: balance(o / -2), tmp_path / "a.gif", env, seed=5)
    np.testing.assert_array_equal(episode.observations[0], start)
    assert len(episode.rewards) == 30
    assert len(env.env.seen) == len(seen)
    assert frames_of(tmp_path / "a.gif")[0].size == (600, 400)
    assert not caplog.messages


def test_one_that_cannot_be_copied_is_played_in_itself(tmp_path, caplog):
    for mode in ("rgb_array", None):
        env = Locked(gymnasium.make("CartPole-v1", render_mode=mode, max_episode_steps=9), 1.0)
        assert len(record_episode(balance, tmp_path / f"{mode}.gif", env).rewards) == 9
        assert env.seen
    assert len(frames_of(tmp_path / "rgb_array.gif")) > 1
    assert not (tmp_path / "None.gif").exists()
    assert [message.split(": ")[1] for message in caplog.messages] == [
        "CartPole-v1 cannot draw itself"
    ]


def test_one_whose_class_takes_no_render_mode_is_played_all_the_same(tmp_path, caplog):
    gymnasium.register("Blind-v0", Blind)
    try:
        env = gymnasium.make("Blind-v0")
        record_episode(lambda o: np.ones((1, 3)), tmp_path / "a.gif", env)
        record_episode(lambda o: np.ones((1, 3)), tmp_path / "a.gif", EnvConfig("Blind-v0"))
    finally:
        del gymnasium.registry["Blind-v0"]
    assert len(caplog.messages) == 2
    assert all("Blind-v0 cannot draw itself" in message for message in caplog.messages)


def test_a_seed_of_more_than_31_bits_is_one_of_31(tmp_path):
    one, other = (
        record_episode(balance, tmp_path / "a.gif", EnvConfig("CartPole-v0", 3), seed=seed)
        for seed in (np.int64(2**31 + 7), 7)
    )
    np.testing.assert_array_equal(one.observations, other.observations)
