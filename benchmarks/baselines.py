"""What lanes are held against in this process: the exercise's recipe, and DQNAgent.

Both do the work that lanes do: CartPole-v0, 4-64-64-2, Adam, batch 32, an update every 4 steps and
a target copy every 100, with epsilon at its floor.
"""

from benchmarks.measure import Rate, repeat
from benchmarks.recipe import Recipe
from dqn.agents.keras.agent import DQNAgent
from dqn.agents.networks import create_model
from dqn.config import EnvConfig
from dqn.envs import gymnasium_env

WARM_STEPS = 100  # until every function is traced: updates begin at step 64, copies at 100


def exercise_recipe() -> Rate:
    """Environment steps a second of `predict`, `predict_on_batch` and `fit`."""
    return _rate(Recipe(_cartpole(), create_model, epsilon=0.05))


def dqn_agent() -> Rate:
    """Environment steps a second of DQNAgent: the same algorithm, compiled."""
    return _rate(DQNAgent(_cartpole(), create_model, epsilon_start=0.05))


def _cartpole():
    return gymnasium_env.make(EnvConfig(id="CartPole-v0"))


def _rate(learner) -> Rate:
    """That of a learner with `steps` and `train`, which is warm then; in whole episodes."""

    def episode() -> float:
        first = learner.steps
        learner.train(1)
        return learner.steps - first

    while learner.steps < WARM_STEPS:
        episode()
    return lambda seconds: repeat(episode, seconds)
