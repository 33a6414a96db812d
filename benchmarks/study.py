"""The part `--agreement`: agent and lanes on CartPole-v0, in two settings, tested and drawn."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.agreement import CONFIG, agent_returns, lane_returns, p_value, power
from benchmarks.measure import Row
from dqn.config import Config

SETTINGS = {"the exercise": replace(Config(), test_episodes=0), "quick to learn": CONFIG}
"""The exercise's own seeds differ by 40 %, so its test sees little; the other one is sharp."""
Pair = tuple[np.ndarray, np.ndarray]


def rows(
    seeds: int, progress: Callable[[str], None], settings: dict[str, Config] = SETTINGS
) -> tuple[list[Row], dict[str, Pair], dict[str, str]]:
    """The table, each setting's mean returns (agent, lanes), and its verdict in words."""
    table, samples, titles = [], {}, {}
    for name, config in settings.items():
        progress(f"{name}: {seeds} seeds of lanes")
        lanes = lane_returns(config, seeds)
        progress(f"{name}: {seeds} seeds of DQNAgent")
        agent = agent_returns(config, seeds)
        p, seen = p_value(agent, lanes), power(agent, lanes)
        samples[name] = (agent, lanes)
        titles[name] = f"p = {p:.2f}, power to see 15 %: {seen:.2f}"
        table += [
            Row(f"{name}: mean_return of DQNAgent, {seeds} seeds", agent.tolist(), "steps"),
            Row(f"{name}: mean_return of lanes, {seeds} seeds", lanes.tolist(), "steps"),
            Row(f"{name}: ratio of means", [float(lanes.mean() / agent.mean())], ""),
            Row(f"{name}: p, permutation test of equal means", [p], "", 0.05),
            Row(f"{name}: power to see a difference of 15 %", [seen], ""),
        ]
    return table, samples, titles
