"""The two presets on CartPole-v0 land where an independent program did (the design's table).

That program gave, over 64 seeds, mean ± standard deviation of `mean_return`: exercise 32 ± 13,
scaled 118 ± 12. With n seeds here, the difference of two such means has a standard error of
SD·sqrt(1/64 + 1/n); a right program is farther off than four of them once in 16,000 times.
"""

import math
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from dqn.config import Config
from dqn.statistics.metrics import running_mean
from dqn.training.engine import Engine
from dqn.training.jobs import Finished, Job

SEEDS = 32


def trained(preset: str) -> list[Finished]:
    conf = Path(__file__).parents[3] / "conf"
    values = OmegaConf.load(conf / "config.yaml")
    values = OmegaConf.merge(values, OmegaConf.load(conf / f"preset/{preset}.yaml"))
    keys = {key: value for key, value in values.items() if key not in ("defaults", "hydra", "env")}
    config = Config.from_mapping(OmegaConf.to_container(OmegaConf.create(keys)))
    engine, finished = Engine(), []
    new = [Job(0, seed, config) for seed in range(SEEDS)]
    while new or engine.busy:
        finished += engine.advance(new)[1]
        new = []
    return finished


@pytest.mark.parametrize(
    ("preset", "mean", "deviation", "steps"),
    [("exercise", 32, 13, 4_800), ("scaled", 118, 12, 17_700)],
)
def test_a_preset_lands_where_an_independent_program_did(preset, mean, deviation, steps):
    finished = trained(preset)
    means = np.array([result.episodes.returns.mean() for result in finished])
    error = math.sqrt(1 / 64 + 1 / SEEDS)
    assert [result.status for result in finished] == ["done"] * SEEDS
    assert abs(means.mean() - mean) < 4 * deviation * error
    assert 0.5 < means.std() / deviation < 2
    # Steps are 150 episodes' returns, which in CartPole are lengths.
    assert abs(np.mean([r.steps for r in finished]) - steps) < 4 * 150 * deviation * error + 100
    if preset == "scaled":
        solved = [np.nanmax(running_mean(result.episodes.returns)) >= 195 for result in finished]
        assert np.mean(solved) > 0.5
