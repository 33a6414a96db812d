"""DQNAgent, the exercise's own class: one seed, any Gymnasium task, any Keras model.

Deep Q-learning with experience replay (Mnih et al. 2015, Algorithm 1). It is the oracle that lanes
are held against: the same mathematics (`losses`, `exploration`), stepped in plain Python.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from gymnasium.spaces import Box, Discrete

from dqn.agents import exploration
from dqn.agents.keras.backend import keras
from dqn.agents.keras.network_pair import NetworkPair
from dqn.agents.keras.replay_buffer import ReplayBuffer, boolean, real, whole
from dqn.agents.random import Stream
from dqn.agents.replay import Transition
from dqn.envs.adapter import Adapter, flat_size, name_of
from dqn.runtime.errors import EnvError, UserError, must_be

_EPSILONS = 1000  # computed at once: eager TensorFlow takes longer over one than a step may


class DQNAgent:
    """A Q-network that learns a task by acting in it.

    What it takes; the defaults are the exercise's own values:
        env: a Gymnasium environment with A Discrete actions and a flat Box of observations [D].
        create_model: `create_model(env, lr)` → a Keras model from [B, D] to [B, A], any, compiled
            with any Keras optimizer. Called for the online and for the target network. The loss
            it was compiled with is not used: `huber_delta` chooses it.
        lr: learning rate, for `create_model`.
        gamma: discount of a step, γ.
        buffer_size, batch_size: transitions kept, and drawn for one update.
        learning_starts: environment steps before the first update; at least 2·batch_size are.
        train_freq, target_update: environment steps per update, and per target copy.
        tau: a target copy is target ← τ·online + (1 - τ)·target.
        epsilon_start, epsilon_min: how likely an action is a random one, at first and at last.
        epsilon_decay: of epsilon lost per action, when epsilon_schedule is "exponential".
        exploration_steps: actions until epsilon_min, when it is "linear".
        reward_scale: factor on rewards, inside the Bellman target only.
        double: van Hasselt et al. 2016.
        huber_delta, grad_clip: |TD error| beyond which the loss grows linearly, and the limit of
            the gradient's global norm; infinite for neither.
        timeout_terminal: a truncated episode ends the return, where it would bootstrap.
        seed: makes weights, starts, exploration and minibatches reproducible. It sets the global
            seeds of Python, NumPy and TensorFlow, from which Keras draws weights. None: fresh ones.

    `steps` counts environment steps of training; `test_return` is the return of the last `test`.
    Raises UserError for spaces, models and settings it cannot work with; where the environment
    raises, or gives what cannot be taken, EnvError, which names method, seed and step.

    >>> import gymnasium
    >>> from dqn import DQNAgent, create_model
    >>> agent = DQNAgent(gymnasium.make("CartPole-v1"), create_model, lr=5e-4, seed=1)
    >>> returns, losses = agent.train(nb_episodes=2)
    >>> len(returns), len(losses)
    (2, 2)
    """

    def __init__(
        self,
        env,
        create_model,
        *,
        lr: float = 1e-3,
        gamma: float = 0.99,
        buffer_size: int = 5000,
        batch_size: int = 32,
        learning_starts: int = 0,
        train_freq: int = 4,
        target_update: int = 100,
        tau: float = 1.0,
        epsilon_start: float = 1.0,
        epsilon_min: float = 0.05,
        epsilon_decay: float = 5e-4,
        epsilon_schedule: str = "exponential",
        exploration_steps: int = 5000,
        reward_scale: float = 1.0,
        double: bool = False,
        huber_delta: float = float("inf"),
        grad_clip: float = float("inf"),
        timeout_terminal: bool = False,
        seed: int | None = None,
    ):
        self._action_count = _actions(env)
        lr, gamma, tau, reward_scale, huber_delta, grad_clip = _each(
            real, lr=lr, gamma=gamma, tau=tau, reward_scale=reward_scale, huber_delta=huber_delta,
            grad_clip=grad_clip,
        )  # fmt: skip
        epsilon_start, epsilon_min, epsilon_decay = _each(
            real, epsilon_start=epsilon_start, epsilon_min=epsilon_min, epsilon_decay=epsilon_decay
        )
        batch_size, train_freq, target_update, exploration_steps = _each(
            functools.partial(whole, least=1), batch_size=batch_size, train_freq=train_freq,
            target_update=target_update, exploration_steps=exploration_steps,
        )  # fmt: skip
        learning_starts = whole("learning_starts", learning_starts)
        double, timeout_terminal = _each(boolean, double=double, timeout_terminal=timeout_terminal)
        schedules = {
            "exponential": (exploration.exponential, epsilon_decay),
            "linear": (exploration.linear, exploration_steps),
        }
        if epsilon_schedule not in schedules:
            raise must_be("epsilon_schedule", f"one of {', '.join(schedules)}", epsilon_schedule)
        buffer_size = whole("buffer_size", buffer_size)
        if buffer_size < 2 * batch_size:
            rule = f"at least 2·batch_size = {2 * batch_size}"
            why = "learning starts once that many transitions are held"
            raise must_be("buffer_size", rule, buffer_size, why)
        if seed is not None:
            seed = whole("seed", seed, least=0)
            if seed >= 2**32:
                raise must_be("seed", "less than 2^32", seed, "NumPy takes no other")
            keras.utils.set_random_seed(seed)
        self.env = env
        self._adapter = Adapter(env, name_of(env), flat_size(env))
        clipped = grad_clip < float("inf")
        self._pair = NetworkPair(env, create_model, lr, double=double, clipped=clipped)
        self.model, self.target_model = self._pair.model, self._pair.target
        self.buffer = ReplayBuffer(buffer_size, seed=_stream(seed, Stream.MINIBATCH))
        self.steps = 0
        self.test_return = float("nan")
        self._settings = tf.constant([gamma, reward_scale, huber_delta, grad_clip], tf.float32)
        self._tau = tf.constant(tau, tf.float32)
        self._batch_size = batch_size
        self._first_update = max(learning_starts, 2 * batch_size)
        self._train_freq, self._target_update = train_freq, target_update
        self._timeout_terminal = timeout_terminal
        schedule, pace = schedules[epsilon_schedule]

        @functools.lru_cache(maxsize=1)
        def epsilons(part: int) -> np.ndarray:
            actions = part * _EPSILONS + tf.range(_EPSILONS)
            return schedule(actions, epsilon_start, epsilon_min, pace).numpy()

        self._epsilons = epsilons
        self._exploration = np.random.default_rng(_stream(seed, Stream.EXPLORATION))
        self._actions = 0
        self._seed = self._start_seed = seed
        self._losses: list[float] = []

    @property
    def epsilon(self) -> float:
        """How likely the next action is a random one: a function of the actions taken so far."""
        part, i = divmod(self._actions, _EPSILONS)
        return float(self._epsilons(part)[i])

    def q_values(self, observations) -> np.ndarray:
        """Q-values float32 [..., A] of observations [..., D]."""
        observations = np.asarray(observations, np.float32)
        rows = observations.reshape(-1, observations.shape[-1])
        return self._pair.q_values(rows).reshape(*observations.shape[:-1], self._action_count)

    def act(self, observation, greedy: bool = False) -> int:
        """An action in 0 … A-1 for one observation [D]: ε-greedy, or greedy and nothing else.

        An ε-greedy action is one of training: it moves epsilon on.
        """
        if not greedy:
            epsilon = self.epsilon
            self._actions += 1
            if self._exploration.random() < epsilon:
                return int(self._exploration.integers(self._action_count))
        return int(self._pair.q_values(np.asarray(observation, np.float32)[None])[0].argmax())

    def update(self, batch) -> float:
        """One step of the optimizer on a `Transition` of B, or five arrays in its order.

        Returns the mean of the squared TD error (of `losses.loss`, with a finite huber_delta) over
        the B transitions. The exercise fits all [B, A] outputs, all but the chosen action's to
        themselves: its loss is this one divided by A.
        """
        kinds = Transition(np.float32, np.int32, np.float32, np.float32, np.float32)
        transitions = (np.asarray(part, kind) for part, kind in zip(batch, kinds, strict=True))
        return float(self._pair.update(*transitions, self._settings))

    def train(self, nb_episodes: int) -> tuple[np.ndarray, np.ndarray]:
        """Learn for so many whole episodes; a further call goes on where this one ended.

        Returns two arrays [nb_episodes]: each episode's return (raw rewards), and the mean loss of
        its updates, NaN where there was none. An episode's record closes with its last step, before
        the update that may follow: that loss counts to the next episode.
        """
        nb_episodes = whole("nb_episodes", nb_episodes, least=0)
        returns, losses = np.zeros(nb_episodes), np.full(nb_episodes, np.nan)
        for episode in range(nb_episodes):
            observation, ended = self._reset(), False
            while not ended:
                action = self.act(observation)
                step = self._ask(self.steps + 1, self._adapter.step, action)
                following, reward, terminated, truncated = step
                ended = terminated or truncated
                terminal = terminated or (truncated and self._timeout_terminal)
                self.buffer.append(observation, action, reward, following, terminal)
                observation = following
                self.steps += 1
                returns[episode] += reward
                if ended and self._losses:
                    losses[episode] = np.mean(self._losses)
                    self._losses.clear()
                self._learn()
        return returns, losses

    def test(self) -> int:
        """One episode, greedy from its first action to its last; learns nothing.

        Returns its number of steps, and leaves its return in `test_return`.
        """
        steps, total = 0, 0.0
        observation, ended = self._reset(), False
        while not ended:
            action = self.act(observation, greedy=True)
            steps += 1
            step = self._ask(steps, self._adapter.step, action)
            observation, reward, terminated, truncated = step
            ended = terminated or truncated
            total += float(reward)
        self.test_return = total
        return steps

    def _learn(self) -> None:
        """What may follow an environment step: first the update, then the target copy."""
        if self.steps % self._train_freq == 0 and self.steps >= self._first_update:
            self._losses.append(self.update(self.buffer.sample(self._batch_size)))
        if self.steps % self._target_update == 0:
            self._pair.sync(self._tau)

    def _reset(self) -> np.ndarray:
        seed, self._start_seed = self._start_seed, None  # twice it would give the same start again
        return self._ask(self.steps, self._adapter.reset, seed)

    def _ask(self, step: int, method: Callable[[Any], Any], argument: int | None) -> Any:
        """What the environment's method gives; what it does wrong is of this step."""
        try:
            given = method(argument)
            self._adapter.refuse_not_finite()
            return given
        except EnvError as error:
            self._adapter.not_finite = None
            raise error.at(self._seed, step) from error


def _each(read: Callable[[str, Any], Any], **given: Any) -> list[Any]:
    return [read(name, value) for name, value in given.items()]


def _stream(seed: int | None, purpose: Stream) -> list[int] | None:
    return None if seed is None else [seed, int(purpose)]


def _actions(env) -> int:
    """How many actions (A) an environment has; UserError for spaces that DQN is not for."""
    actions, observations = env.action_space, env.observation_space
    if not isinstance(actions, Discrete) or actions.start != 0:
        raise UserError(
            f"env must have Discrete actions that count from 0, got {actions}: choose another, or "
            "wrap it in gymnasium.wrappers.TransformAction"
        )
    if not isinstance(observations, Box) or len(observations.shape) != 1:
        raise UserError(
            f"env must observe a flat Box, got {observations}: choose another, or wrap it in "
            "gymnasium.wrappers.FlattenObservation"
        )
    return int(actions.n)
