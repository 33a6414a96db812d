"""A study that samples a configuration again, or whose trial failed: by what study.db says."""

import json
import math
import random

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from tabular import (
    CMAES,
    GRID,
    MEDIAN,
    QMC,
    RANDOM,
    TPE,
    World,
    compose,
    dying_before,
    edit_study,
    row_of,
    study_in,
    trials_in,
)

from dqn.runtime.errors import UserError
from sweeps.search import study_storage
from sweeps.search.settings import Settings
from sweeps.search.study import Study

FEW = ("lr=choice(1e-4,1e-3,1e-2)", "gamma=choice(0.9,0.99)")  # six configurations
WHOLE = ("train_freq=range(1,4)", "batch_size=range(16,19)")  # nine, all of whole numbers


def by_settings(config, seed):
    return -abs(math.log10(config.lr) + 3) - config.gamma - config.train_freq - config.batch_size


@pytest.mark.parametrize(("sampler", "texts"), [(TPE, FEW), (QMC, WHOLE)], ids=["learns", "counts"])
def test_a_configuration_that_is_sampled_again_is_trained_once(tmp_path, sampler, texts):
    settings = {"value": by_settings, "sampler": sampler, "n_trials": 14}
    calm, cut = worlds = [World(tmp_path / name, *texts, **settings) for name in ("calm", "cut")]
    assert calm.run(random.Random(0))
    cut.killed(1)
    assert calm.params == cut.params
    assert calm.rows == cut.rows
    trained = {n for n, _ in calm.rows}
    assert 0 < len(calm.same) == len(calm.params) - len(trained)
    sampled = [tuple(calm.params[n].values()) for n in sorted(trained)]
    assert len({*sampled}) == len(sampled)
    for world in worlds:
        trials = trials_in(world.path)
        assert {t.number: t.params for t in trials} == world.params
        for number, original in world.same.items():
            assert calm.params[number] == calm.params[original]
            assert trials[number].user_attrs == {"same_as": original}
            assert trials[number].state == TrialState.COMPLETE
            assert trials[number].value == trials[original].value
        assert study_in(world.path).best_trial.number in trained


def test_twenty_in_a_row_end_the_study_and_so_does_the_same_command_again(tmp_path):
    world = World(tmp_path, "lr=choice(1e-3,1e-2)", value=by_settings, sampler=RANDOM, n_trials=90)
    study = world.study()
    assert (study.total, study.ended_early) == (90, "")
    study.close()
    for _ in range(2):
        assert world.run(random.Random(0))
        assert len({n for n, _ in world.rows}) == 2
        first_twenty = max(n for n, _ in world.rows) + 20
        assert max(world.params) == first_twenty
        trials = trials_in(tmp_path)
        assert len(trials) == first_twenty + 1
        assert {t.state for t in trials} == {TrialState.COMPLETE}
    study = world.study()
    for _ in range(len(trials)):
        study.on_trial_end(study.next().number, list(world.rows.values())[:2])
    assert study.next() is None
    assert study.total == len(trials)
    assert f"it ends with {len(trials)} of 90 trials" in study.ended_early
    assert "\n" not in study.ended_early
    study.close()


def test_what_is_refused_counts_among_those_that_bring_nothing_new(tmp_path):
    texts = ("epsilon_start=choice(0.05,1.0)", "epsilon_min=choice(0.06,0.07)")
    world = World(tmp_path, *texts, value=lambda *of: 1.0, sampler=RANDOM, n_trials=200)
    assert world.run(random.Random(0))
    assert len({n for n, _ in world.rows}) == 2
    states = [t.state for t in trials_in(tmp_path)]
    assert len(states) < 60
    assert TrialState.FAIL in states[-20:]
    assert TrialState.COMPLETE in states[-20:]


def test_rows_that_an_earlier_version_trained_again_stay(tmp_path):
    world = World(tmp_path, "lr=choice(1e-3,1e-2)", value=by_settings, sampler=RANDOM)
    study = world.study()
    trials = [study.next() for _ in range(4)]
    study.close()
    for trial in trials:  # all four trained, whatever they are the same as
        config = compose(study._params[trial.number])
        for seed in range(2):
            row = row_of(trial.number, seed, config, by_settings(config, seed))
            world.rows[trial.number, seed] = row
    before = dict(world.rows)
    assert world.run(random.Random(0))
    assert before.items() <= world.rows.items()
    assert not {0, 1, 2, 3} & world.same.keys()
    assert world.same


def test_a_repeated_configuration_is_one_rival_in_a_race(tmp_path):
    # Trials 0, 1, 2, 3 and then their repeats: were these rivals, the fourth new one would have to
    # be among the best third of many more.
    world = World(
        tmp_path, "lr=choice(1e-5,1e-4,1e-3,1e-2,1e-1,1.0)", value=by_settings, sampler=RANDOM,
        seeds=3, racing=(1, 3), parallel=1, n_trials=40,
    )  # fmt: skip
    assert world.run(random.Random(0))
    own = [n for n in sorted(world.params) if n not in world.same]
    assert len(own) >= 5
    assert len(world.params) > len(own) + 4
    # the first four have fewer than four rivals, each of which counts once
    assert [sum(n == number for n, _ in world.rows) for number in own[:4]] == [3] * 4


def test_what_a_race_leaves_behind_is_no_best_trial(tmp_path):
    values = {}
    order = [(5.0, 5.0), (6.0, 6.0), (7.0, 7.0), (20.0, 0.0), (9.0, 0.0), (19.0, 0.0)]

    def value(config, seed):
        return values.setdefault(config.lr, order[len(values) % len(order)])[seed > 0]

    settings = {"n_trials": 6, "parallel": 1, "racing": (1, 3), "sampler": RANDOM}
    world = World(tmp_path, value=value, seeds=3, racing_keep=0.1, **settings)
    assert world.run(random.Random(0))
    counts = [sum(n == number for n, _ in world.rows) for number in range(6)]
    assert counts == [3, 3, 3, 3, 1, 1]
    study = study_in(tmp_path)
    states = [t.state for t in study.trials]
    assert states == [TrialState.COMPLETE] * 4 + [TrialState.PRUNED] * 2
    assert [t.value for t in study.trials[4:]] == [9.0, 19.0]
    assert study.best_trial.number == 2  # the IQM of (20, 0, 0) is less
    edit_study(  # as an earlier version had it
        tmp_path / "study.db",
        "update trials set state='COMPLETE'",
        "delete from trial_user_attributes where key='raced'",
    )
    assert study_in(tmp_path).best_trial.number == 5
    rows = dict(world.rows)
    assert world.run(random.Random(0))
    assert world.rows == rows
    assert [t.state for t in trials_in(tmp_path)] == states


class Broken:
    """The trainings of a learning rate fail until it is mended; then they are the best."""

    def __init__(self, lr):
        self.lr, self.mended = lr, False

    def __call__(self, config, seed):
        if config.lr != self.lr:
            return by_settings(config, seed)
        return 100.0 if self.mended or seed == 0 else None


def lr_of(tmp_path, number, *texts, **settings):
    """What a study samples for a trial whose number is below `parallel`."""
    folder = tmp_path / "asked"
    study = World(folder, *texts, **settings, n_trials=number + 1, parallel=number + 1).study()
    lr = [study.next().config.lr for _ in range(number + 1)][-1]
    study.close()
    return lr


@pytest.mark.parametrize("sampler", [TPE, CMAES], ids=["tpe", "cmaes"])
def test_a_failed_trial_that_is_tried_again_is_a_success_everywhere(tmp_path, sampler):
    if sampler is CMAES:
        pytest.importorskip("cmaes")
    numbers = ("lr=tag(log,interval(1e-5,1e-1))", "gamma=interval(0.9,0.999)")
    broken = Broken(lr_of(tmp_path, 2, *numbers, sampler=sampler))
    world = World(tmp_path, *numbers, value=broken, sampler=sampler, n_trials=9, parallel=3)
    assert world.run(random.Random(0))
    failed = [t for t in trials_in(tmp_path) if t.state == TrialState.FAIL]
    assert len(failed) == 1
    (number,) = [t.number for t in failed]
    assert failed[0].user_attrs["reason"] == "a seed could not be trained"
    assert world.run(random.Random(0))  # it fails again
    assert [t.state for t in trials_in(tmp_path)].count(TrialState.FAIL) == 1
    broken.mended = True
    before = dict(world.params)
    assert world.run(random.Random(0), n_trials=12)
    assert before.items() <= world.params.items()
    study = study_in(tmp_path)
    assert {t.state for t in study.trials} == {TrialState.COMPLETE}
    assert study.best_trial.number == number
    assert "reason" not in study.best_trial.user_attrs
    assert world.killed(3, n_trials=15)
    assert len(trials_in(tmp_path)) == 15
    assert {t.number: t.params for t in trials_in(tmp_path)} == world.params


def test_the_repeats_of_a_failed_trial_succeed_with_it(tmp_path):
    texts = ("lr=choice(1e-4,1e-3,1e-2)",)
    broken = Broken(lr_of(tmp_path, 0, *texts, sampler=RANDOM))
    world = World(tmp_path, *texts, value=broken, sampler=RANDOM, n_trials=12, parallel=1)
    assert world.run(random.Random(0))
    of_first = [0, *(n for n, original in world.same.items() if original == 0)]
    assert len(of_first) > 1
    failed = [t.number for t in trials_in(tmp_path) if t.state == TrialState.FAIL]
    assert failed == of_first
    broken.mended = True
    assert world.run(random.Random(0))
    trials = trials_in(tmp_path)
    assert {t.state for t in trials} == {TrialState.COMPLETE}
    assert {trials[n].value for n in of_first} == {trials[0].value}
    assert [n for n in of_first if trials[n].user_attrs.get("same_as") == 0] == of_first[1:]


def test_a_pruned_study_tries_a_failed_trial_again_and_asks_the_pruner_anew(tmp_path):
    settings = {"sampler": RANDOM, "pruner": MEDIAN}
    broken = Broken(lr_of(tmp_path, 3, **settings))
    world = World(tmp_path, value=broken, n_trials=10, parallel=1, **settings)
    assert world.run(random.Random(0))
    assert trials_in(tmp_path)[3].state == TrialState.FAIL
    broken.mended = True
    assert world.run(random.Random(0))
    states = [t.state for t in trials_in(tmp_path)]
    assert TrialState.FAIL not in states
    pruned = {n for (n, _), row in world.rows.items() if row["status"] == "pruned"}
    assert {n for n, state in enumerate(states) if state == TrialState.PRUNED} == pruned


def test_a_kill_before_any_write_of_a_retry_changes_nothing(tmp_path, monkeypatch):
    """Of what makes a failed trial, and a repeat of it, a success in the storage."""

    texts = ("lr=choice(1e-4,1e-3)",)
    lr = lr_of(tmp_path, 0, *texts, sampler=RANDOM)

    def history(folder):
        broken = Broken(lr)
        world = World(folder, *texts, value=broken, sampler=RANDOM, n_trials=6, parallel=1)
        kills = world.survive()
        broken.mended = True
        kills += world.survive()
        return kills, [(t.state, t.value, t.user_attrs) for t in trials_in(folder)]

    kills, whole = history(tmp_path / "whole")
    assert kills == 0
    names = ("set_trial_user_attr", "set_trial_state_values", "_create_new_trial")
    calls = [*((RDBStorage, name) for name in names), (study_storage, "reopened")]
    died = dying_before(monkeypatch, *calls)
    kills, cut = history(tmp_path / "killed")
    assert kills == len(died) > len(whole)
    assert cut == whole


def test_the_study_of_a_renamed_folder_is_found_and_stays_the_only_one(tmp_path):
    world = World(tmp_path / "old", value=by_settings, name="old", sampler=RANDOM, n_trials=4)
    world.run(random.Random(0))
    world.path = world.path.rename(tmp_path / "new")
    assert world.run(random.Random(0), name="new", n_trials=6)
    assert len(trials_in(world.path)) == 6


def test_of_two_studies_that_an_earlier_version_made_one_is_left(tmp_path, capsys):
    world = World(tmp_path, value=by_settings, name="old", sampler=RANDOM, n_trials=4)
    world.run(random.Random(0))
    url = f"sqlite:///{tmp_path / 'study.db'}"
    second = optuna.create_study(storage=url, study_name="new", direction="maximize")
    second.set_user_attr("dqn-study", "a")
    for trial in study_in(tmp_path, "old").trials:
        second.add_trial(trial)
    second.ask(world.space)
    assert world.run(random.Random(0), name="new", n_trials=6)
    assert len(trials_in(tmp_path)) == 6
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    (copy,) = tmp_path.glob("study.db.twice-*")
    assert copy.name in text
    assert len(optuna.get_all_study_names(f"sqlite:///{copy}")) == 2


def test_a_shared_storage_holds_each_folders_study_once(tmp_path):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    worlds = {}
    for name in ("a", "b"):
        worlds[name] = World(tmp_path / name, value=by_settings, sampler=RANDOM, storage=url,
                             name=name, n_trials=3)  # fmt: skip
        study = worlds[name].study(identity=name)
        study.close()
    study = worlds["a"].study(identity="a", name="renamed")
    study.close()
    assert sorted(optuna.get_all_study_names(url)) == ["a", "b"]
    with pytest.raises(UserError, match="name=b is another study's in "):
        worlds["a"].study(identity="c", name="b")


def test_the_study_of_another_folder_in_the_place_of_this_ones_is_refused(tmp_path):
    world = World(tmp_path, value=by_settings, name="theirs", sampler=RANDOM, n_trials=2)
    world.run(random.Random(0))
    with pytest.raises(UserError, match=r"study.db must hold the study of this folder, got that "):
        world.study(identity="b", name="mine")
    assert len(trials_in(tmp_path)) == 2


def test_parameters_with_a_plus_are_those_without(tmp_path):
    """An earlier version kept the + of `+env.kwargs.x=` in the names of study.db."""
    world = World(tmp_path, *FEW, value=by_settings, sampler=RANDOM, n_trials=3)
    world.run(random.Random(0))
    plus = "update trial_params set param_name='+gamma' where param_name='gamma'"
    edit_study(tmp_path / "study.db", plus)
    world.run(random.Random(0), n_trials=5)
    trials = trials_in(tmp_path)
    assert {t.number: t.params for t in trials} == world.params
    assert {frozenset(t.params) for t in trials} == {frozenset({"lr", "gamma"})}
    assert not list(tmp_path.glob("*damaged*"))


def test_samplers_know_a_parameter_by_the_name_the_study_was_begun_with(tmp_path):
    """They sort names: a grid under other names would be another order of the same points."""

    def order(folder, names):
        world = World(folder, *FEW)
        settings = Settings(name="s", n_trials=6, sampler=GRID)
        study = Study(settings, world.space, folder, world.base, compose, "a", {}, sampled_as=names)
        params = [study._params[study.next().number] for _ in range(6)]
        study.close()
        return params

    plain = order(tmp_path / "plain", None)
    plus = order(tmp_path / "plus", {"lr": "+lr"})  # before gamma, in the alphabet
    assert plain != plus
    assert {json.dumps(p, sort_keys=True) for p in plain} == {
        json.dumps(p, sort_keys=True) for p in plus
    }
    assert all({*params} == {"lr", "gamma"} for params in plus)


def test_a_repeat_ends_as_what_it_repeats_pruned_or_diverged(tmp_path):
    def value(config, seed):
        return {1e-4: math.nan, 1e-3: -1.0, 1e-2: 1.0}[config.lr] + config.gamma

    pruner = {**MEDIAN, "n_startup_trials": 2}
    settings = {"sampler": RANDOM, "pruner": pruner, "rungs": [0.5], "parallel": 1}
    world = World(tmp_path, *FEW, value=value, n_trials=20, **settings)
    world.killed(2)
    trials = trials_in(tmp_path)
    seen = {trials[original].state for original in world.same.values()}
    assert seen == {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}
    for number, original in world.same.items():
        one, other = trials[number], trials[original]
        assert (one.state, one.value) == (other.state, other.value)
        assert one.user_attrs["same_as"] == original
        assert one.intermediate_values == {}  # a pruner counts what it repeats once
    assert {n for n, _ in world.rows}.isdisjoint(world.same)
