"""`python -m sweeps validate`, end to end with tiny networks, and its rule by hand."""

import csv
import dataclasses
import json
import shutil

import pytest
import yaml
from sweep_commands import refusal
from trainings import filled, result

from dqn.compose.compose import CONFIG_NAME, VERSION_BASE
from dqn.compose.help_page import CONF
from dqn.config import Config
from dqn.statistics.formatting import Estimate
from dqn.storage.reader import read
from dqn.storage.results_dir import ResultsDir
from dqn.storage.trials import EXERCISE
from dqn.training.time_limit import TimeLimit
from sweeps.__main__ import main
from sweeps.analysis.held_out import _held
from sweeps.analysis.objective import Objective
from sweeps.analysis.validation import (
    ValidatedTrial,
    objective_of,
    recommended_trial,
    validated_trials,
)
from sweeps.search.settings import Validate

BASE = Config(hidden=(8,), batch_size=8, episodes=12, seeds=2, test_episodes=2, workers=0)
LRS = (1e-3, 1e-2, 1e-4)


def study(path, claims=(30.0, 20.0, 40.0), **changes):
    """Trials whose claims are made up; what they hold is trained."""
    of_seeds = [
        result(
            trial,
            seed,
            returns=[claim + seed] * 12,
            config=dataclasses.replace(BASE, lr=lr, **changes),
        )
        for trial, (lr, claim) in enumerate(zip(LRS, claims, strict=True))
        for seed in range(2)
    ]
    filled(path, *of_seeds, config=BASE, sweep={"kind": "grid"}, swept=("lr",))
    return path


@pytest.fixture(scope="module", autouse=True)
def _without_pictures():
    """They are test_best_trial's, and take longer than the training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dqn.plotting.result_pictures.draw_best_trial", lambda folder, base: None)
        yield


@pytest.fixture(scope="module")
def done(_without_pictures, tmp_path_factory):
    path = study(tmp_path_factory.mktemp("study") / "a, <b>")
    assert main(["validate", str(path), "--top", "2", "--seeds", "3"]) == 0
    return path


@pytest.fixture
def copy(done, tmp_path):
    return shutil.copytree(done, tmp_path / done.name)


def table(path):
    with (path / "validation.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_best_and_the_exercise_are_trained_on_new_seeds(done):
    held = read(done / "validation")
    assert [[row["seed"] for row in rows] for rows in held.rows.values()] == [[2, 3, 4]] * 3
    exercise = Config(episodes=12, seeds=3, first_seed=2, test_episodes=2, workers=0)
    assert held.config(EXERCISE) == exercise
    assert sorted(held.rows) == [0, 2, EXERCISE]
    lr = [held.config(number).lr for number in (2, 0)]
    assert lr == [1e-4, 1e-3]  # trials 2 and 0 of the study: the best claims
    assert held.config(2).hidden == (8,)


def test_the_table_says_what_was_claimed_and_what_held(done):
    best, second, exercise = table(done)
    assert [one["trial"] for one in (best, second, exercise)] == ["2", "0", ""]
    assert (float(best["claimed"]), float(second["claimed"])) == (40.5, 30.5)
    held = read(done / "validation")
    mean = sum(float(row["mean_return"]) for row in held.rows[2]) / 3
    assert float(best["held_out"]) == pytest.approx(mean)
    assert float(best["optimism"]) == pytest.approx(40.5 - mean)
    assert 0.0 <= float(best["improvement_low"]) <= float(best["improvement_high"]) <= 1.0
    assert exercise["claimed"] == exercise["improvement"] == ""
    test = sum(float(row["test_return"]) for row in held.rows[2]) / 3
    assert float(best["test_return"]) == pytest.approx(test)
    assert (best["solved"], best["aggregate"]) == ("0.0", "iqm")
    collapsed = sum(float(row["collapse"]) > 0.5 for row in held.rows[EXERCISE]) / 3
    assert float(exercise["collapsed"]) == pytest.approx(collapsed)
    assert [one["seeds"] for one in (best, second, exercise)] == ["3"] * 3
    lows = [float(one["held_out_low"]) for one in (best, second, exercise)]
    recommended = [one["recommended"] == "True" for one in (best, second, exercise)]
    assert recommended == [low == max(lows) for low in lows]


def test_what_is_recommended_is_a_preset(done, tmp_path):
    import hydra
    from omegaconf import OmegaConf

    (tmp_path / "preset").mkdir()
    shutil.copy(done / "recommended.yaml", tmp_path / "preset" / "found.yaml")
    with hydra.initialize_config_dir(str(CONF), version_base=VERSION_BASE):
        search = f"hydra.searchpath=[file://{tmp_path}]"
        composed = hydra.compose(CONFIG_NAME, overrides=["preset=found", search])
    chosen = next(place for place, one in enumerate(table(done)) if one["recommended"] == "True")
    number = (2, 0, EXERCISE)[chosen]
    config = Config.from_mapping(yaml.safe_load(OmegaConf.to_yaml(composed)))
    assert config.hyperparameters() == read(done / "validation").config(number).hyperparameters()
    assert "of 3 seeds it was not chosen by" in (done / "recommended.yaml").read_text()


def test_again_trains_nothing_and_says_the_same(copy, capsys, monkeypatch):
    monkeypatch.setattr("dqn.training.engine.Engine", None)
    before = (copy / "validation.csv").read_bytes()
    assert main(["validate", str(copy), "--top", "2", "--seeds", "3", "--json"]) == 0
    text = capsys.readouterr()
    assert "nothing to do" in text.err
    plain = json.loads(text.out)
    assert plain["seeds"] == [2, 4]
    assert [one["trial"] for one in plain["findings"]] == [2, 0, None]
    assert (copy / "validation.csv").read_bytes() == before


def test_what_was_killed_on_the_way_is_the_same_in_the_end(copy):
    whole = (copy / "validation.csv").read_bytes()
    seeds = copy / "validation" / "seeds.csv"
    lines = seeds.read_text().splitlines(keepends=True)
    seeds.write_text("".join(lines[:4]))
    (copy / "validation.csv").unlink()
    assert main(["validate", str(copy), "--top", "2", "--seeds", "3"]) == 0
    assert (copy / "validation.csv").read_bytes() == whole


def test_more_seeds_are_added(copy):
    assert main(["validate", str(copy), "--top", "2", "--seeds", "4"]) == 0
    assert [one["seeds"] for one in table(copy)] == ["4"] * 3
    assert main(["validate", str(copy), "--top", "2", "--seeds", "3"]) == 0
    assert [one["seeds"] for one in table(copy)] == ["3"] * 3


def test_the_table_lines_up(copy, capsys):
    assert main(["validate", str(copy), "--top", "2", "--seeds", "3"]) == 0
    text = capsys.readouterr().out
    rows = [line for line in text.splitlines() if "→" in line]
    assert len(rows) == 2
    assert rows[0].index("→") == rows[1].index("→")
    assert "2 to 4 were never used by the study" in text
    assert "IQM of seeds" in text
    assert text.count("by the lower end of the interval on new seeds, not by the IQM") == 1 - (
        "stays recommended" in text
    )
    rows = map(str.strip, text.splitlines())
    metrics = [row for row in rows if row.startswith(("trial 2 ", "exercise "))]
    assert len(metrics) == 4  # what was claimed and held; and every metric on the new seeds
    assert all("0 of 3" in line for line in metrics[2:])  # solved in 12 episodes


def test_its_folder_is_ranked_as_the_study_is(tmp_path, monkeypatch):
    path = tmp_path / "study"
    lucky, steady = (10.0, 10.0, 10.0, 10.0, 100.0), (20.0,) * 5
    of_study(path, "mean", lucky, steady)
    about = []
    monkeypatch.setattr(
        "dqn.session.sweep",
        lambda base, path, of, source: (about.append(of), (130, 0))[1],
    )
    assert main(["validate", str(path)]) == 130
    assert (about[0].objective, about[0].ordered_by) == ("mean_return", "mean")
    assert about[0].over(read(path).rows[0]) == 28.0
    assert about[0].record == {
        "kind": "validation", "objective": "mean_return", "aggregate": "mean",
    }  # fmt: skip


def test_a_folder_of_before_its_objective_was_on_record_goes_on(copy):
    record = copy / "validation" / "sweep.yaml"
    lines = record.read_text().splitlines(keepends=True)
    old = "".join(line for line in lines if line.startswith(("identity", "kind")))
    assert len(lines) == 4
    record.write_text(old)
    assert main(["validate", str(copy), "--top", "2", "--seeds", "3"]) == 0
    assert record.read_text() == old


def test_of_what_is_better_the_less_the_least_is_first(tmp_path):
    path = tmp_path / "validation"
    with ResultsDir(path, BASE, {"kind": "validation"}) as folder:
        for trial, first in ((0, 0.0), (1, 200.0), (EXERCISE, 0.0)):
            for seed in range(2):
                folder.add(result(trial, seed, returns=[first] * 10 + [200.0] * 10, config=BASE))
    objective = Objective("solved_at", "mean")
    held = _held(path, BASE, [0, 1, EXERCISE], objective)
    assert held.ranked(objective.of_rows) == [1, 0, EXERCISE]


def test_the_exercise_has_no_number_for_a_person(copy, capsys):
    shutil.rmtree(copy / "validation")
    assert main(["validate", str(copy), "--top", "1", "--seeds", "2"]) == 0
    text = capsys.readouterr()
    assert "1 trial and the exercise, on 2 new seeds" in text.err
    board = text.err[: text.err.index("results:")]
    assert [line.split()[1] for line in board.splitlines() if line.startswith((" 1 ", " 2 "))]
    assert " exercise " in board


def test_another_trial_is_added_and_what_was_trained_stays(copy, capsys):
    before = (copy / "validation" / "seeds.csv").read_text().splitlines()
    assert main(["validate", str(copy), "--top", "3", "--seeds", "3"]) == 0
    assert [one["trial"] for one in table(copy)] == ["2", "0", "1", ""]
    after = (copy / "validation" / "seeds.csv").read_text().splitlines()
    assert len(after) == len(before) + 3
    assert {*before} < {*after}  # the seconds that they took included: nothing was trained again
    capsys.readouterr()
    assert main(["validate", str(copy), "--top", "1", "--seeds", "3"]) == 0
    assert [one["trial"] for one in table(copy)] == ["2", ""]
    assert "trial 0" not in capsys.readouterr().out


def test_seeds_that_the_study_has_used_since_are_refused(copy, capsys):
    with ResultsDir(copy, BASE, {"kind": "grid"}, swept=("lr",)) as folder:
        config = dataclasses.replace(BASE, lr=1e-4)
        folder.add(result(2, 2, returns=[40.0] * 12, config=config))
    status, text = refusal(capsys, "validate", copy, "--top", "2", "--seeds", "3")
    assert status == 2
    assert "must begin with seed 3, the first that the study has not used, begins with 2" in text


def test_what_is_stopped_writes_no_table_and_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    path = study(tmp_path / "study")
    monkeypatch.setattr("dqn.session.sweep", lambda *arguments: (130, None))
    assert main(["validate", str(path)]) == 130
    assert capsys.readouterr().out == "to resume: the same command\n"
    assert not (path / "validation.csv").exists()


def test_a_study_whose_validation_is_stopped_ends_as_any_that_is(capsys, monkeypatch):
    from sweeps.plugins import study

    monkeypatch.setattr(study, "validate_trials", lambda path, top, seeds, on, limit: None)
    assert study._validated(None, Validate(top=3, seeds=20), Config(), TimeLimit()) == 130
    assert capsys.readouterr().out == "\nvalidation\n"


def test_what_cannot_be_validated_is_refused_in_one_line(tmp_path, capsys):
    filled(tmp_path / "run", result())
    assert refusal(capsys, "validate", tmp_path / "run")[0] == 2
    assert refusal(capsys, "validate", tmp_path / "none")[0] == 2
    assert refusal(capsys, "validate", tmp_path / "run", "--seeds", "1") == (
        2,
        "python -m sweeps validate: argument --seeds: must be a whole number >= 2, got 1; "
        "--help shows examples\n",
    )
    longer = study(tmp_path / "longer", episodes=13)
    status, text = refusal(capsys, "validate", longer)
    assert (status, "trial 2 has another episodes than the study's" in text) == (2, True)
    assert not (longer / "validation").exists()


def of_study(path, aggregate, *trials, exercise=None):
    """Made-up mean returns of each trial's seeds; with the exercise's they are a validation."""
    first_seed = len(trials[0]) if exercise else 0
    base = dataclasses.replace(BASE, seeds=len(trials[0]), first_seed=first_seed)
    record = {"kind": "study", "objective": "mean_return", "aggregate": aggregate}
    numbered = dict(enumerate(trials)) | ({EXERCISE: exercise} if exercise else {})
    of_seeds = [
        result(trial, seed, returns=[level] * 12, config=base)
        for trial, levels in numbered.items()
        for seed, level in enumerate(levels, first_seed)
    ]
    filled(path, *of_seeds, config=base, sweep=record)
    return read(path)


@pytest.mark.parametrize(
    ("aggregate", "claimed", "best"), [("mean", 28.0, 0), ("median", 10.0, 1), ("iqm", 10.0, 1)]
)
def test_a_study_is_judged_by_its_own_statistic(tmp_path, aggregate, claimed, best):
    lucky, steady = (10.0, 10.0, 10.0, 10.0, 100.0), (20.0,) * 5
    study = of_study(tmp_path / "study", aggregate, lucky, steady)
    held = of_study(tmp_path / "held", aggregate, lucky, steady, exercise=(1.0,) * 5)
    chosen = study.ranked(objective_of(study).of_rows)
    assert chosen[0] == best
    found = {one.trial: one for one in validated_trials(study, chosen, held)}
    assert (found[0].search_score.value, found[0].held_out_score.value) == (claimed, claimed)
    assert (found[1].search_score.value, found[1].held_out_score.ends) == (20.0, (20.0, 20.0))
    assert found[best].held_out_rank == 1
    assert found[0].optimism.value == 0.0
    assert found[EXERCISE].held_out_score.value == 1.0
    assert found[0].improvement.value == 1.0
    assert (
        recommended_trial(found.values(), objective_of(study)).trial == 1
    )  # 10 can be counted on, or 20


def test_the_lower_end_is_what_is_ranked_where_the_study_ranks_it(tmp_path):
    wide, narrow = (0.0, 50.0, 50.0, 50.0, 90.0), (30.0,) * 5
    study = of_study(tmp_path / "study", "low", wide, narrow)
    assert study.ranked() == [0, 1]
    assert study.ranked(objective_of(study).of_rows) == [1, 0]
    held = of_study(tmp_path / "held", "low", wide, narrow, exercise=(1.0,) * 5)
    first, second, _ = validated_trials(study, [1, 0], held)
    assert (first.trial, first.search_score.value, first.held_out_rank) == (1, 30.0, 1)
    assert (second.search_score.value, second.held_out_rank) == (50.0, 2)


def finding(trial, low, high):
    held = Estimate.of((low + high) / 2 if low is not None else 100.0, low, high)
    return ValidatedTrial(trial, 1, 1, *[held] * 4, seeds=2)


def test_the_winner_has_the_best_bound_and_not_the_best_middle():
    wide, narrow, unknown = finding(1, 50, 190), finding(2, 90, 110), finding(3, None, None)
    assert recommended_trial([wide, narrow, unknown], Objective("mean_return", "iqm")) is narrow
    assert (
        recommended_trial([wide, narrow, unknown], Objective("solved_at", "iqm")) is narrow
    )  # 110 < 190
    assert recommended_trial([unknown], Objective("mean_return", "iqm")) is None
