"""A study against results from a table: the same samples whatever the order, kill or damage."""

import contextlib
import math
import random
import sqlite3

import pytest
from optuna.pruners import HyperbandPruner, MedianPruner
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from tabular import (
    CMAES,
    GRID,
    HYPERBAND,
    QMC,
    RANDOM,
    TPE,
    TRIALS,
    KillError,
    World,
    dying_before,
    edit_study,
    quadratic,
    space_of,
    trials_in,
)
from tabular import MEDIAN as MEDIAN_DEFAULTS

from dqn.runtime.errors import RunError, UserError
from dqn.storage.results_dir import ResultsDir
from sweeps.plugins.study import GROWS, record_of
from sweeps.search.settings import Settings
from sweeps.search.space import written

MEDIAN = {**MEDIAN_DEFAULTS, "n_startup_trials": 3}
NUMBERS = ("lr=tag(log,interval(1e-5,1e-1))", "gamma=interval(0.9,0.999)")
CHOICES = ("lr=choice(1e-4,1e-3,1e-2)", "gamma=choice(0.9,0.95,0.99)")
SAMPLERS = {
    "tpe": (TPE, NUMBERS),
    "random": (RANDOM, NUMBERS),
    "grid": (GRID, CHOICES),
    "qmc": (QMC, NUMBERS),
    "cmaes": (CMAES, NUMBERS),
    "gp": ({"_target_": "optuna.samplers.GPSampler", "n_startup_trials": 4}, NUMBERS),
    "one_at_a_time": (
        {"_target_": "sweeps.search.samplers.OneAtATime"},
        ("train_freq=choice(1,4,8)", "batch_size=choice(16,32,64)"),
    ),
}
PACKAGES = {"cmaes": "cmaes", "gp": "torch"}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What a study of all defaults samples."""
    world = World(tmp_path_factory.mktemp("undisturbed"))
    assert world.run(random.Random(5))
    return world.params


@pytest.mark.parametrize("name", SAMPLERS)
def test_samples_depend_on_neither_order_nor_kills(tmp_path, name):
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name])
    sampler, texts = SAMPLERS[name]
    calm, cut = (World(tmp_path / name, *texts, sampler=sampler) for name in "ab")
    assert calm.run(random.Random(0))
    cut.killed(1)
    assert len(calm.params) == min(TRIALS, {"grid": 9, "one_at_a_time": 5}.get(name, TRIALS))
    assert (calm.params, calm.rows) == (cut.params, cut.rows)
    trials = trials_in(tmp_path / "b")
    assert [t.number for t in trials] == [*range(len(calm.params))]
    assert {t.number: t.params for t in trials} == calm.params
    assert {t.state for t in trials} == {TrialState.COMPLETE}


def test_more_trials_go_on_as_if_asked_for_at_once(tmp_path, undisturbed):
    raised = World(tmp_path, n_trials=7)
    raised.run(random.Random(1))
    assert len(raised.params) == 7
    raised.run(random.Random(2), n_trials=TRIALS)
    assert raised.params == undisturbed


# whole to SQLite, but not what Optuna wrote
DAMAGE = {
    "content": "update trial_params set distribution_json='{'",
    "state": "update trials set state=7",
    "samples": "delete from trial_params",
    "sample": "delete from trial_params where trial_id=3 and param_name='lr'",
    "value": "delete from trial_values",
    "text": "update trial_params set param_name=cast(x'ff6c72' as text) where param_name='lr'",
    "parameter": "update trial_params set distribution_json=replace(distribution_json,'low','lOw')",
    "another": "update trial_params set param_value=0.001 where trial_id=1 and param_name='lr'",
}


@pytest.mark.parametrize("damage", ["gone", "truncated", "random", "journal", *DAMAGE])
def test_a_damaged_or_missing_storage_is_written_anew(tmp_path, damage, undisturbed, capsys):
    world = World(tmp_path)
    world.run(random.Random(0), stop_after=13)
    file = tmp_path / "study.db"
    whole = file.read_bytes()
    if damage == "gone":
        file.unlink()
    elif damage == "truncated":
        file.write_bytes(whole[: len(whole) // 2])
    elif damage in DAMAGE:
        edit_study(file, DAMAGE[damage])
    else:
        file.write_bytes(random.Random(3).randbytes(5000))
    if damage == "journal":
        file.with_name("study.db-journal").write_bytes(b"left over")
    broken = file.read_bytes() if file.exists() else None
    world.run(random.Random(1))
    aside = sorted(p for p in tmp_path.glob("study.db.damaged-*") if "journal" not in p.name)
    assert [p.read_bytes() for p in aside] == ([] if broken is None else [broken])
    assert ("is damaged" in capsys.readouterr().err) == (broken is not None)
    assert {t.number: t.params for t in trials_in(tmp_path)} == world.params
    assert world.params == undisturbed


def flipped(whole: bytes, at: int, bit: int) -> bytes:
    return whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]


def test_a_storage_with_a_bit_flipped_or_cut_anywhere_changes_no_sample(tmp_path, undisturbed):
    first = World(tmp_path)
    first.run(random.Random(0), stop_after=13)
    file, rng = tmp_path / "study.db", random.Random(8)
    whole, rows = file.read_bytes(), dict(first.rows)
    for time in range(10):
        world = World(tmp_path)
        world.rows.update(rows)
        at = rng.randrange(len(whole))
        file.write_bytes(whole[:at] if time % 5 == 0 else flipped(whole, at, rng.randrange(8)))
        with contextlib.suppress(RunError):  # damage that is got on the way: it is set aside then
            world.run(random.Random(1))
        assert world.run(random.Random(2))
        assert world.params == undisturbed, at
        assert rows.items() <= world.rows.items()


def test_damage_to_the_storage_that_is_met_on_the_way_costs_nothing(tmp_path, undisturbed, capsys):
    world = World(tmp_path)
    world.run(random.Random(0), stop_after=13)
    left = iter(range(4))

    def value(config, seed):
        if next(left, None) == 3:
            (tmp_path / "study.db").write_bytes(b"no database" * 9000)
        return quadratic(config, seed)

    world.value = value
    with pytest.raises(RunError, match=r"was damaged \(.*; what was finished is safe in seeds.csv"):
        world.run(random.Random(1))
    assert "it is kept as study.db.damaged-" in capsys.readouterr().err
    assert world.run(random.Random(2))
    assert world.params == undisturbed


def test_a_damaged_storage_of_a_url_is_left_alone(tmp_path):
    world = World(tmp_path, storage=f"sqlite:///{tmp_path / 'other.db'}")
    world.run(random.Random(0), stop_after=5)
    edit_study(tmp_path / "other.db", DAMAGE["samples"])
    before = (tmp_path / "other.db").read_bytes()
    with pytest.raises(RunError, match=r"trial 0 must have lr, gamma as .* has nothing.; mend it,"):
        world.study()
    assert (tmp_path / "other.db").read_bytes() == before
    assert not (tmp_path / "study.db").exists()


@pytest.mark.parametrize("full", ["at once", "later"])
def test_a_full_disk_costs_nothing_that_was_finished(tmp_path, full, undisturbed, monkeypatch):
    world = World(tmp_path, n_trials=2 * TRIALS)
    if full == "later":
        world.run(random.Random(0), stop_after=1)
    file, connect = tmp_path / "study.db", sqlite3.connect
    if file.exists():
        edit_study(file, "vacuum")
    pages = file.stat().st_size // 4096 if file.exists() else 10

    def connected(*arguments, **named):
        connection = connect(*arguments, **named)
        connection.execute(f"pragma max_page_count={pages}")  # SQLite's own full disk
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", connected)
        patch.setattr(random, "random", lambda: 0.0)  # of a second, between Optuna's own tries
        with pytest.raises(RunError, match=r"cannot be used \(database or disk is full\); what"):
            world.run(random.Random(1))
    kept = dict(world.rows)
    assert world.run(random.Random(2))
    assert kept.items() <= world.rows.items()
    assert not list(tmp_path.glob("*damaged*"))
    assert undisturbed.items() <= world.params.items()
    assert {t.number: t.params for t in trials_in(tmp_path)} == world.params


def test_another_study_of_the_name_is_refused(tmp_path):
    world = World(tmp_path)
    world.run(random.Random(0))
    with pytest.raises(UserError, match=r"^name=s is another study's in .*; choose another name$"):
        world.study(identity="b")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"seed": 1}, "seed was 0 and is now 1"),
        ({"objective": "best_return"}, "objective was mean_return and is now best_return"),
        ({"aggregate": "mean"}, "aggregate was iqm and is now mean"),
        ({"parallel": 5}, "parallel was 4 and is now 5"),
        ({"sampler": {**TPE, "n_startup_trials": 5}}, "sampler.n_startup_trials was 4 and is now"),
        ({"racing": [1, 2]}, "racing was null and is now [1, 2]"),
        ({"racing_keep": 0.5}, "racing_keep was 0.34 and is now 0.5"),
        ({"rungs": [0.5]}, "rungs was [0.25, 0.5, 0.75] and is now [0.5]"),
        ({"pruner": MEDIAN}, "pruner._target_ was optuna.pruners.NopPruner and is now"),
        (
            {"space": space_of("lr=tag(log,interval(1e-5,1.0))")},
            "params.lr was tag(log,interval(1e-05,0.1)) and is now",
        ),
        (
            {"space": space_of("hidden=choice([8],[16])")},
            "params.hidden was null and is now choice([8],[16])",
        ),
    ],
)
def test_a_study_that_is_begun_keeps_its_settings(tmp_path, change, line):
    world = World(tmp_path)

    def begun(space=(), **changes):
        settings = Settings(**{**world.settings, **changes})
        params = {name: written(of) for name, of in {**world.space, **dict(space)}.items()}
        record = record_of(settings, params, world.base)
        ResultsDir(tmp_path, world.base, record, growable_keys=GROWS).close()

    begun()
    begun(n_trials=99)
    with pytest.raises(UserError) as caught:
        begun(**change)
    assert f"holds one sweep, but {line}" in str(caught.value)
    assert "name=NAME, or go back to what it was" in str(caught.value)


def test_the_storage_is_read_while_the_study_is_open(tmp_path):
    study = World(tmp_path).study()
    trial = study.next()
    assert trial is not None
    (seen,) = trials_in(tmp_path)
    assert seen.state == TrialState.RUNNING
    assert seen.params == study._params[0]
    study.close()


def test_a_trial_whose_seeds_all_diverged_has_failed_without_a_nan(tmp_path):
    def value(config, seed):
        return math.nan if config.lr > 1e-3 else 1.0 + seed

    world = World(tmp_path, value=value)
    assert world.run(random.Random(0))
    trials = trials_in(tmp_path)
    failed = [t for t in trials if t.params["lr"] > 1e-3]
    assert 0 < len(failed) < len(trials)
    for trial in failed:
        assert trial.state == TrialState.FAIL
        assert trial.user_attrs["reason"] == "no finite mean_return: 2 of 2 seeds diverged"
    with contextlib.closing(sqlite3.connect(tmp_path / "study.db")) as connection:
        for table in ("trial_values", "trial_intermediate_values"):
            column = "value" if table == "trial_values" else "intermediate_value"
            for (number,) in connection.execute(f"select {column} from {table}"):
                assert math.isfinite(number)


def test_what_config_refuses_fails_and_the_study_goes_on(tmp_path):
    texts = ("epsilon_start=choice(0.05,1.0)", "epsilon_min=interval(0.06,0.1)")
    world = World(tmp_path, *texts, value=lambda config, seed: 1.0, sampler=RANDOM)
    assert world.killed(0)
    trials = trials_in(tmp_path)
    assert len(trials) == TRIALS
    for trial in trials:
        refused = trial.params["epsilon_start"] == 0.05
        assert trial.state == (TrialState.FAIL if refused else TrialState.COMPLETE)
        assert ("epsilon_min" in trial.user_attrs.get("reason", "")) == refused


def test_twenty_refused_in_a_row_end_the_study(tmp_path):
    texts = ("epsilon_start=interval(0.01,0.02)", "epsilon_min=interval(0.06,0.1)")
    world = World(tmp_path, *texts, n_trials=50)
    with pytest.raises(UserError, match="got 20 in a row that cannot, the last: "):
        world.run(random.Random(0))
    assert len(trials_in(tmp_path)) == 20


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


@pytest.mark.parametrize(("node", "kind"), [(MEDIAN, MedianPruner), (HYPERBAND, HyperbandPruner)])
def test_a_kill_at_any_report_changes_no_answer(tmp_path, node, kind, monkeypatch):
    """Killed after each report: none is asked for or made twice, and what was answered stays."""
    values, asked, reported = {}, [], []
    prune, report = kind.prune, RDBStorage.set_trial_intermediate_value

    def value(config, seed):
        return values.setdefault(config.lr, [2.0, 3.0, 1.0, 5.0, 0.0, 4.0][len(values) % 6])

    def asking(pruner, study, trial):
        asked.append((trial.number, trial.last_step))
        return prune(pruner, study, trial)

    def reporting(storage, trial_id, step, value):
        report(storage, trial_id, step, value)
        reported.append((trial_id - 1, step))

    def dying(*arguments):
        reporting(*arguments)
        raise KillError

    def history(folder, report):
        monkeypatch.setattr(RDBStorage, "set_trial_intermediate_value", report)
        settings = {"n_trials": 9, "parallel": 1, "sampler": RANDOM, "pruner": node}
        world = World(folder, value=value, **settings)
        del asked[:], reported[:]
        world.survive()
        assert asked == reported
        assert len(set(asked)) == len(asked)
        return [(t.state, t.value, t.intermediate_values) for t in trials_in(folder)]

    monkeypatch.setattr(kind, "prune", asking)
    whole = history(tmp_path / "whole", reporting)
    assert {state for state, *_ in whole} == {TrialState.COMPLETE, TrialState.PRUNED}
    assert history(tmp_path / "killed", dying) == whole


def test_a_kill_before_any_write_changes_nothing_that_hyperband_decides(tmp_path, monkeypatch):
    """Of its answer, its own notes in the storage, and the value that it was asked about."""

    def value(config, seed):
        return 100 * abs(math.sin(1e6 * config.lr)) + seed

    def history(folder):
        settings = {"n_trials": 12, "parallel": 1, "sampler": RANDOM, "pruner": HYPERBAND}
        kills = World(folder, value=value, **settings).survive()
        return kills, [(t.state, t.value, t.intermediate_values) for t in trials_in(folder)]

    kills, whole = history(tmp_path / "whole")
    assert kills == 0
    assert {state for state, *_ in whole} == {TrialState.COMPLETE, TrialState.PRUNED}

    names = ("set_trial_user_attr", "set_trial_system_attr", "set_trial_intermediate_value")
    died = dying_before(monkeypatch, *((RDBStorage, name) for name in names))
    kills, killed = history(tmp_path / "killed")
    assert kills == len(died) > 3 * len(whole)
    assert killed == whole


def test_a_trial_far_below_the_median_is_pruned_at_its_first_rung(tmp_path):
    values = {}

    def value(config, seed):
        return values.setdefault(config.lr, -100.0 if len(values) == 6 else 1.0)

    world = World(tmp_path, value=value, n_trials=8, parallel=1, sampler=RANDOM, pruner=MEDIAN)
    world.killed(4)
    trials = trials_in(tmp_path)
    assert [t.number for t in trials if t.state == TrialState.PRUNED] == [6]
    assert [{*t.intermediate_values} for t in trials] == [{1, 2, 3}] * 6 + [{1}] + [{1, 2, 3}]
    assert {n for (n, _), row in world.rows.items() if row["status"] == "pruned"} == {6}


def test_wilcoxon_compares_the_same_seeds(tmp_path):
    values = {}

    def value(config, seed):
        level = values.setdefault(config.lr, -10.0 if len(values) == 3 else 1.0)
        return level + seed

    pruner = {"_target_": "optuna.pruners.WilcoxonPruner", "n_startup_steps": 2}
    settings = {"n_trials": 4, "parallel": 1, "sampler": RANDOM, "pruner": pruner}
    world = World(tmp_path, value=value, seeds=10, **settings)
    world.run(random.Random(0))
    assert [t.state for t in trials_in(tmp_path)] == [TrialState.COMPLETE] * 3 + [TrialState.PRUNED]
    assert 0 < sum(r["status"] == "pruned" for (n, _), r in world.rows.items() if n == 3) < 10
