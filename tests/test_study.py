"""A study against results from a table: the same samples whatever the order, kill or damage."""

import math
import random
import sqlite3

import optuna
import pytest
from optuna.trial import TrialState
from tabular import TPE, World

from dqn.errors import UserError

RANDOM = {"_target_": "optuna.samplers.RandomSampler"}
NUMBERS = ("lr=tag(log,interval(1e-5,1e-1))", "gamma=interval(0.9,0.999)")
CHOICES = ("lr=choice(1e-4,1e-3,1e-2)", "gamma=choice(0.9,0.95,0.99)")
SAMPLERS = {
    "tpe": (TPE, NUMBERS),
    "random": (RANDOM, NUMBERS),
    "grid": ({"_target_": "optuna.samplers.GridSampler"}, CHOICES),
    "qmc": ({"_target_": "optuna.samplers.QMCSampler"}, NUMBERS),
    "cmaes": ({"_target_": "optuna.samplers.CmaEsSampler"}, NUMBERS),
    "one_at_a_time": (
        {"_target_": "sweeps.samplers.OneAtATime"},
        ("train_freq=choice(1,4,8)", "batch_size=choice(16,32,64)"),
    ),
}


def stored(path, name="s"):
    return optuna.load_study(study_name=name, storage=f"sqlite:///{path / 'study.db'}").trials


def killed(world, seed):
    """Run to the end through kills at random moments, in random orders."""
    rng = random.Random(seed)
    while not world.run(rng, stop_after=rng.randrange(1, 12)):
        pass
    return world


@pytest.mark.parametrize("name", SAMPLERS)
def test_samples_depend_on_neither_order_nor_kills(tmp_path, name):
    if name == "cmaes":
        pytest.importorskip("cmaes")
    sampler, texts = SAMPLERS[name]
    worlds = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        worlds.append(World(tmp_path / folder, *texts, sampler=sampler))
    assert worlds[0].run(random.Random(0))
    killed(worlds[1], 1)
    assert len(worlds[0].params) == min(16, {"grid": 9, "one_at_a_time": 5}.get(name, 16))
    assert worlds[0].params == worlds[1].params
    assert worlds[0].rows == worlds[1].rows
    trials = stored(tmp_path / "b")
    assert [t.number for t in trials] == [*range(len(worlds[0].params))]
    assert {t.number: t.params for t in trials} == worlds[0].params
    assert {t.state for t in trials} == {TrialState.COMPLETE}


def test_more_trials_go_on_as_if_asked_for_at_once(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    whole, raised = World(tmp_path / "a"), World(tmp_path / "b", n_trials=7)
    whole.run(random.Random(0))
    raised.run(random.Random(1))
    assert len(raised.params) == 7
    raised.run(random.Random(2), n_trials=16)
    assert raised.params == whole.params


@pytest.mark.parametrize("damage", ["gone", "truncated", "random", "journal", "content", "state"])
def test_a_damaged_or_missing_storage_is_written_anew(tmp_path, damage, capsys):
    world = World(tmp_path)
    world.run(random.Random(0), stop_after=17)
    file = tmp_path / "study.db"
    whole = file.read_bytes()
    if damage == "gone":
        file.unlink()
    elif damage == "truncated":
        file.write_bytes(whole[: len(whole) // 2])
    elif damage in ("content", "state"):  # whole to SQLite, but not what Optuna wrote
        changed = {
            "content": "trial_params set distribution_json='{'",
            "state": "trials set state=7",
        }
        connection = sqlite3.connect(file)
        connection.execute(f"update {changed[damage]}")
        connection.commit()
        connection.close()
    else:
        file.write_bytes(random.Random(3).randbytes(5000))
    if damage == "journal":
        file.with_name("study.db-journal").write_bytes(b"left over")
    broken = file.read_bytes() if file.exists() else None
    world.run(random.Random(1))
    aside = sorted(p for p in tmp_path.glob("study.db.damaged-*") if "journal" not in p.name)
    assert [p.read_bytes() for p in aside] == ([] if broken is None else [broken])
    assert ("is damaged" in capsys.readouterr().err) == (broken is not None)
    assert {t.number: t.params for t in stored(tmp_path)} == world.params
    (tmp_path / "b").mkdir()
    undisturbed = World(tmp_path / "b")
    undisturbed.run(random.Random(5))
    assert world.params == undisturbed.params


def test_another_study_of_the_name_is_refused(tmp_path):
    world = World(tmp_path)
    world.run(random.Random(0))
    with pytest.raises(UserError, match=r"^name=s is another study's in .*; choose another name$"):
        world.study(identity="b")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"seed": 1}, "hydra.sweeper.seed must stay 0 in the study s, met 1; "),
        ({"objective": "best_return"}, "hydra.sweeper.objective must stay mean_return"),
        ({"aggregate": "mean"}, "hydra.sweeper.aggregate must stay iqm"),
        ({"parallel": 5}, "hydra.sweeper.parallel must stay 4"),
        ({"sampler": RANDOM}, "hydra.sweeper.sampler must stay"),
        ({"racing": [1, 2]}, "hydra.sweeper.racing must stay None"),
    ],
)
def test_a_study_that_is_begun_keeps_its_settings(tmp_path, change, line):
    world = World(tmp_path)
    world.run(random.Random(0), stop_after=3)
    with pytest.raises(UserError) as caught:
        world.study(**change)
    assert str(caught.value).startswith(line)
    assert "choose another name" in str(caught.value)


def test_the_storage_is_read_while_the_study_is_open(tmp_path):
    study = World(tmp_path).study()
    trial = study.next()
    assert trial is not None
    (seen,) = stored(tmp_path)
    assert seen.state == TrialState.RUNNING
    assert seen.params == study._params[0]
    study.close()


def test_a_trial_whose_seeds_all_diverged_has_failed_without_a_nan(tmp_path):
    def value(config, seed):
        return math.nan if config.lr > 1e-3 else 1.0 + seed

    world = World(tmp_path, value=value)
    assert world.run(random.Random(0))
    trials = stored(tmp_path)
    failed = [t for t in trials if t.params["lr"] > 1e-3]
    assert 0 < len(failed) < len(trials)
    for trial in failed:
        assert trial.state == TrialState.FAIL
        assert trial.user_attrs["reason"] == "no finite mean_return: 2 of 2 seeds diverged"
    with sqlite3.connect(tmp_path / "study.db") as connection:
        for table in ("trial_values", "trial_intermediate_values"):
            column = "value" if table == "trial_values" else "intermediate_value"
            for (number,) in connection.execute(f"select {column} from {table}"):
                assert math.isfinite(number)
    connection.close()


def test_what_config_refuses_fails_and_the_study_goes_on(tmp_path):
    texts = ("epsilon_start=choice(0.05,1.0)", "epsilon_min=interval(0.06,0.1)")
    world = World(tmp_path, *texts, value=lambda config, seed: 1.0, sampler=RANDOM)
    assert killed(world, 0)
    trials = stored(tmp_path)
    assert len(trials) == 16
    for trial in trials:
        refused = trial.params["epsilon_start"] == 0.05
        assert trial.state == (TrialState.FAIL if refused else TrialState.COMPLETE)
        assert ("epsilon_min" in trial.user_attrs.get("reason", "")) == refused


def test_twenty_refused_in_a_row_end_the_study(tmp_path):
    texts = ("epsilon_start=interval(0.01,0.02)", "epsilon_min=interval(0.06,0.1)")
    world = World(tmp_path, *texts, n_trials=50)
    with pytest.raises(UserError, match="met 20 in a row that cannot, the last: "):
        world.run(random.Random(0))
    assert len(stored(tmp_path)) == 20


def test_a_race_leaves_behind_what_its_first_seeds_say(tmp_path):
    # One trial at a time, in order 4, 3, 2, 1, 5: 4 rivals are known for the last alone, which
    # beats them; the sixth (0) is behind ceil(0.34 * 6) = 3 of them.
    order = [4.0, 3.0, 2.0, 1.0, 5.0, 0.0, 4.5, 3.5]
    values = {}

    def value(config, seed):
        return values.setdefault(config.lr, order[len(values) % len(order)])

    settings = {"n_trials": 8, "parallel": 1, "racing": (1, 3), "sampler": RANDOM}
    world = World(tmp_path, value=value, seeds=3, **settings)
    world.run(random.Random(0))
    counts = [sum(n == number for n, _ in world.rows) for number in range(8)]
    # the seventh: one ahead (5), of ceil(0.34 * 7) = 3; the eighth: 5, 4.5, 4, as many as its 3
    assert counts == [3, 3, 3, 3, 3, 1, 3, 1]


@pytest.mark.parametrize(
    "pruner",
    [
        {"_target_": "optuna.pruners.MedianPruner", "n_startup_trials": 3},
        {"_target_": "optuna.pruners.HyperbandPruner"},
    ],
)
def test_rungs_are_reported_once_and_prune_the_bad(tmp_path, pruner):
    values = {}

    def value(config, seed):
        return values.setdefault(config.lr, -100.0 if len(values) == 12 else 1.0)

    world = World(tmp_path, value=value, parallel=1, sampler=RANDOM, pruner=pruner)
    killed(world, 4)
    trials = stored(tmp_path)
    assert all(t.state.is_finished() for t in trials)
    assert any(t.intermediate_values for t in trials)
    if "n_startup_trials" in pruner:
        assert [t.number for t in trials if t.state == TrialState.PRUNED] == [12]


def test_wilcoxon_compares_the_same_seeds(tmp_path):
    values = {}

    def value(config, seed):
        level = values.setdefault(config.lr, -10.0 if len(values) == 3 else 1.0)
        return level + seed

    pruner = {"_target_": "optuna.pruners.WilcoxonPruner", "n_startup_steps": 2}
    settings = {"n_trials": 4, "parallel": 1, "sampler": RANDOM, "pruner": pruner}
    world = World(tmp_path, value=value, seeds=10, **settings)
    world.run(random.Random(0))
    assert [t.state for t in stored(tmp_path)] == [TrialState.COMPLETE] * 3 + [TrialState.PRUNED]
    assert 0 < sum(r["status"] == "pruned" for (n, _), r in world.rows.items() if n == 3) < 10
