"""Made-up sweeps of any size, written at once, whose numbers follow from their hyperparameters."""

import csv
import dataclasses
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dqn.config import Config
from dqn.statistics.metrics import metrics_of
from dqn.storage import manifest
from dqn.storage.columns import columns_of, hyperparameters
from dqn.storage.episodes import SCHEMA

TPE = {"_target_": "optuna.samplers.TPESampler"}
SPACE = {
    "lr": "tag(log,interval(0.0001,0.01))",
    "gamma": "interval(0.9,0.999)",
    "hidden": "choice([32,32],[64,64])",
    "train_freq": "range(1,9)",
}


def record(params=None, **changes):
    """What sweep.yaml says of a study."""
    return {
        "kind": "study", "seeds": 3, "n_trials": 30, "seed": 0, "objective": "mean_return",
        "racing": None, "sampler": TPE, "params": SPACE if params is None else params, **changes,
    }  # fmt: skip


def sampled(trials: int, base: Config, keys=tuple(SPACE)) -> list[Config]:
    """Points of `SPACE` at random; other `keys` than these stay as `base` has them."""
    rng = np.random.default_rng(1)
    draw = {
        "lr": lambda: float(10 ** rng.uniform(-4, -2)),
        "gamma": lambda: float(rng.uniform(0.9, 0.999)),
        "hidden": lambda: ((32, 32), (64, 64))[int(rng.integers(2))],
        "train_freq": lambda: int(rng.integers(1, 9)),
    }
    return [dataclasses.replace(base, **{key: draw[key]() for key in keys}) for _ in range(trials)]


def height(config: Config) -> float:
    """What the last episodes of a training return: best at lr 0.001, and with a frequent update."""
    return 180.0 - 60.0 * abs(math.log10(config.lr) + 3) - 4.0 * config.train_freq


def write(
    path, configs, sweep, *, base=None, seeds=3, episodes=30, status=None, level=height, swept=()
):
    """The folder of a sweep over `configs`; `status(trial, seed)` says how a training ended."""
    base = base or Config(seeds=seeds, episodes=episodes)
    path.mkdir(parents=True)
    manifest.check_or_write(path, base, sweep)
    rng = np.random.default_rng(0)
    rise = np.linspace(0.1, 1.0, episodes)
    parts, names = [], columns_of(hyperparameters(base, swept))
    with (path / "seeds.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        for trial, config in enumerate(configs):
            for seed in range(seeds):
                ended = status(trial, seed) if status else "done"
                n = {"done": episodes, "pruned": max(1, episodes // 3), "failed": 0}.get(ended, 2)
                returns = (level(config) * rise + rng.normal(0, 5, episodes))[:n]
                test = returns[-1:] if ended == "done" else ()
                row = {
                    "trial": trial, "seed": seed, **hyperparameters(config, swept), "status": ended,
                    "steps": n * 50, "episodes": n, "seconds": 1.0,
                    **metrics_of(returns, np.full(n, 50), 195.0, test),
                }  # fmt: skip
                blank = {k: "" for k, v in row.items() if v is None or v != v}
                writer.writerow({**row, **blank})
                parts.append((trial, seed, returns))
    folder = path / "episodes.parquet"
    folder.mkdir()
    count = [len(returns) for *_, returns in parts]
    total = sum(count)
    each = np.concatenate([np.arange(1, n + 1) for n in count])
    columns = {
        "trial": np.repeat([trial for trial, *_ in parts], count),
        "seed": np.repeat([seed for _, seed, _ in parts], count), "episode": each,
        "step": each * 50, "return": np.concatenate([returns for *_, returns in parts]),
        "length": np.full(total, 50), "epsilon": np.zeros(total), "loss": np.zeros(total),
        "q": np.zeros(total),
    }  # fmt: skip
    table = pa.table({f.name: pa.array(columns[f.name], f.type) for f in SCHEMA}, schema=SCHEMA)
    pq.write_table(table, folder / "part-00000.parquet")
    return path
