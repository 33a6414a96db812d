"""Made-up trainings, for the tests of what is written about them."""

import dataclasses

import numpy as np

from dqn.config import Config
from dqn.storage.finished import FinishedTraining
from dqn.storage.results_dir import ResultsDir
from dqn.storage.seeds import read_text

CONFIG = Config(seeds=3)


def result(
    trial=0, seed=0, *, returns=(10.0, 20.0, 30.0), config=CONFIG, **changes
) -> FinishedTraining:
    """A training whose every entry tells which training and episode it is of."""
    returns = np.array(returns, float)
    mark = 100.0 * trial + 10.0 * seed + np.arange(len(returns))
    made = FinishedTraining(
        trial=trial,
        seed=seed,
        config=config,
        status="done",
        steps=int(returns.sum()),
        returns=returns,
        lengths=np.maximum(returns, 1).astype(int),
        step=returns.cumsum().astype(int),
        epsilon=mark + 0.1,
        loss=np.where(np.arange(len(returns)) == 0, np.nan, mark + 0.2),
        q=mark + 0.3,
        test_returns=np.array([190.0 + seed, 200.0 + seed]),
        weights=[np.full((4, 2), mark.sum(), np.float32), np.full(2, seed, np.float32)],
        seconds=1.5 + seed,
    )
    return dataclasses.replace(made, **changes)


def filled(path, *results, config=CONFIG, **of_sweep) -> None:
    with ResultsDir(path, config, **of_sweep) as folder:
        for one in results:
            folder.add(one)


def pairs(frame) -> list[tuple[int, int]]:
    return list(frame[["trial", "seed"]].drop_duplicates().itertuples(index=False, name=None))


def read_seeds(path) -> list:
    """The rows of the seeds.csv at `path`, in their order; a blank cell is None."""
    return list(read_text(path).rows.values())
