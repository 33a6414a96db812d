"""Small tasks whose Q-values are known: what an agent learns there, and what it fails to, says why.

The five of rejax's tests, each adding one thing that can be wrong; and CartPole-v0 itself.
"""

from typing import ClassVar

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from dqn.agents.keras.agent import DQNAgent
from dqn.agents.networks import create_model
from dqn.config import EnvConfig
from dqn.envs import gymnasium_env

GAMMA = 0.9


class Probe(gymnasium.Env):
    """Episodes of `steps` steps that end by termination; observes one number, -1 or 1."""

    observation_space = Box(-1.0, 1.0, (1,))
    action_space = Discrete(2)
    steps = 1
    q: ClassVar[dict[float, list[float]]]  # by what is observed, of each action

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        self.seen = self.start()
        return np.array([self.seen], np.float32), {}

    def step(self, action):
        reward = self.reward(action)
        self.t += 1
        self.seen = -self.seen if self.steps > 1 else self.seen
        return np.array([self.seen], np.float32), reward, self.t == self.steps, False, {}

    def start(self):
        return 1.0

    def reward(self, action):
        return 1.0


class ConstantReward(Probe):
    """Is the value of a terminal step its reward?"""

    q: ClassVar = {1.0: [1.0, 1.0]}


class RewardByObservation(Probe):
    """Does the value depend on what is observed?"""

    q: ClassVar = {1.0: [1.0, 1.0], -1.0: [-1.0, -1.0]}

    def start(self):
        return float(self.np_random.choice([-1.0, 1.0]))

    def reward(self, action):
        return self.seen


class RewardAfterTwoSteps(Probe):
    """Does it bootstrap, with its discount, and only to the end of the episode?"""

    steps = 2
    q: ClassVar = {1.0: [GAMMA, GAMMA], -1.0: [1.0, 1.0]}

    def reward(self, action):
        return float(self.t)


class RewardByAction(Probe):
    """Is the action taken the one that is credited?"""

    q: ClassVar = {1.0: [-1.0, 1.0]}

    def reward(self, action):
        return 2.0 * action - 1.0


class RewardByBoth(RewardByObservation):
    """Do observation and action stay together?"""

    q: ClassVar = {1.0: [-1.0, 1.0], -1.0: [1.0, -1.0]}

    def reward(self, action):
        return self.seen * (2.0 * action - 1.0)


PROBES = [
    ConstantReward,
    RewardByObservation,
    RewardAfterTwoSteps,
    RewardByAction,
    RewardByBoth,
]


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("probe", PROBES)
def test_the_agent_learns_the_known_q_values(probe, double):
    agent = DQNAgent(
        probe(),
        lambda env, lr: create_model(env, lr, hidden=(16,)),
        lr=0.01,
        gamma=GAMMA,
        batch_size=16,
        train_freq=1,
        target_update=20,
        epsilon_min=1.0,
        double=double,
        seed=0,
    )
    agent.train(500)
    for seen, expected in probe.q.items():
        np.testing.assert_allclose(agent.q_values([seen]), expected, atol=0.05)
    assert agent.test() == probe.steps


@pytest.mark.slow
def test_scaled_rewards_solve_cartpole_on_most_of_five_seeds():
    solved = []
    for seed in range(5):
        agent = DQNAgent(
            gymnasium_env.make(EnvConfig()), create_model, reward_scale=0.01, seed=seed
        )
        returns, _ = agent.train(150)
        solved.append(np.convolve(returns, np.full(10, 0.1), "valid").max() >= 195)
    assert sum(solved) >= 3
