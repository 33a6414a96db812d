"""Samplers, pruners and the settings of a study: what each takes, and what is refused."""

import pytest
from tabular import TPE, World, refused, space_of

from dqn.config import Config
from sweeps.search.pruners import pruner
from sweeps.search.samplers import one_at_a_time, sampling
from sweeps.search.settings import Settings, refuse_unsound

NUMBERS = ("lr=tag(log,interval(1e-5,1e-1))", "gamma=interval(0.9,0.999)")
CMAES = {"_target_": "optuna.samplers.CmaEsSampler"}
GRID = {"_target_": "optuna.samplers.GridSampler"}
TABLE = {"_target_": "sweeps.search.samplers.OneAtATime"}
MEDIAN = {"_target_": "optuna.pruners.MedianPruner"}
HYPERBAND = {"_target_": "optuna.pruners.HyperbandPruner"}


def test_one_at_a_time_moves_one_hyperparameter_from_the_base():
    space = space_of("train_freq=choice(1,4,8)", "batch_size=choice(16,32)")
    base = Config(train_freq=4, batch_size=16)
    assert [tuple(p.values()) for p in one_at_a_time(space, base)] == [
        (4, 16), (1, 16), (8, 16), (4, 32),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("node", "texts", "parts"),
    [
        ({"_target_": "os.system"}, NUMBERS, "sampler._target_ must be one of … got 'os.system'"),
        ({"_target_": ["a"]}, NUMBERS, "sampler._target_ must be one of … got ['a']"),
        ({**TPE, "n_startup": 1}, NUMBERS, "unknown key … did you mean … n_startup_trials?"),
        ({**TPE, "n_startup_trials": -1}, NUMBERS, "n_startup_trials must … got -1"),
        ({**TPE, "group": True, "multivariate": False}, NUMBERS,
         "settings that go together … group=true … leave"),
        (GRID, NUMBERS, "lr must be a choice or a range for the sampler grid … lr=choice(A,B)"),
        (GRID, ("buffer_size=range(1000,200000)",), "at most 100,000 points … got 199,000"),
        (CMAES, ("lr=choice(0.1,0.2)", NUMBERS[1]), "lr must be an interval … sampler=tpe"),
        (CMAES, NUMBERS[:1], "two parameters at least … add one"),
        (TABLE, NUMBERS, "lr must be a choice or a range that holds … add the base value"),
        (TABLE, ("lr=choice(0.5,0.25)",), "lr must be a choice … add the base value"),
    ],
)  # fmt: skip
def test_a_sampler_that_cannot_take_it_is_refused(node, texts, parts):
    if node is CMAES:
        pytest.importorskip("cmaes")
    refused(lambda: sampling(node, space_of(*texts), Config(), 0), parts)


@pytest.mark.parametrize(
    ("node", "rungs", "parts"),
    [
        ({"_target_": "MedianPruner"}, (0.5,), "pruner._target_ must be one of … MedianPruner?"),
        (MEDIAN, (), "rungs must be fractions of the budget … got [] (for example"),
        ({**HYPERBAND, "min_resource": 4}, (0.5,), "min_resource must be at most 2 … got 4"),
        ({**HYPERBAND, "reduction_factor": 1}, (0.5,), "reduction_factor must … got 1"),
    ],
)
def test_a_pruner_that_cannot_be_is_refused(node, rungs, parts):
    refused(lambda: pruner(node, rungs), parts)


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"n_trials": 0}, "n_trials must … got 0"),
        ({"objective": "meanreturn"}, "objective must … mean_return … got 'meanreturn'"),
        ({"aggregate": "max"}, "aggregate must … iqm … got 'max'"),
        ({"racing": [10, 3]}, "racing must be a rising list … got [10,3] (for example"),
        ({"racing_keep": 0.0}, "racing_keep must … got 0.0"),
        ({"rungs": [0.5, 0.25]}, "rungs must be a rising list … got [0.5,0.25]"),
        ({"rungs": [1.5]}, "rungs must be a rising list … got [1.5]"),
        ({"rungs": ["0.5", True]}, "rungs must be a rising list … got [0.5,true]"),
        ({"parallel": 0}, "parallel must … got 0"),
        ({"sampler": "tpe"}, "sampler must be a mapping … got … choose one"),
        ({"validate": {"top": 0}}, "validate.top must be >= 1 … got 0"),
        ({"validate": {"seeds": 1}}, "validate.seeds must … got 1 … validate.seeds=50"),
        ({"validate": {"tops": 3}}, "validate must be null or have seeds and top … 'tops': 3"),
        ({"validate": True}, "validate must be null or have … got true … {top:5,seeds:50}"),
        ({"n_trails": 5}, "n_trails … did you mean hydra.sweeper.n_trials?"),
    ],
)
def test_a_setting_that_is_unsound_is_refused(settings, parts):
    refused(lambda: Settings.from_mapping(settings, "s"), parts)


@pytest.mark.parametrize("value", [None, 0, False])
def test_null_or_0_is_no_validation(value):
    assert Settings.from_mapping({"validate": value}, "s").validate is None


@pytest.mark.parametrize("key", ["episodes=10,20", "env.max_episode_steps=100,200"])
def test_a_study_of_environments_or_budgets_is_not_validated(key):
    settings = Settings.from_mapping({"validate": {"top": 3}}, "s")
    assert (settings.validate.top, settings.validate.seeds) == (3, 50)
    space, name = space_of("lr=0.1,0.2", key), key.partition("=")[0]
    parts = f"validate must be null where … got {name} in the space"
    refused(lambda: refuse_unsound(settings, space, Config()), parts)
    refuse_unsound(settings, space_of("lr=0.1,0.2"), Config())


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"racing": [1, 3]}, "racing must be a race that ends with seeds=2 … "
         "write seeds=3, or for these seeds hydra.sweeper.racing=null"),
        ({"racing": [1, 2], "aggregate": "low"}, "aggregate must be … single seed … raise"),
        ({"storage": "nonsense"}, "storage must be a URL … got 'nonsense' … sqlite:///study.db"),
        ({"storage": "nosuch://x"}, "storage must be a URL … got 'nosuch://x' … driver"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_the_study_are_refused(tmp_path, settings, parts):
    refused(lambda: World(tmp_path, **settings).study(), parts)
