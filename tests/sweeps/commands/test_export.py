"""`python -m sweeps export`, read back as TensorBoard reads it."""

import dataclasses
import sys

import numpy as np
import pytest
from sweep_commands import plain, refusal
from tracked import Remembering
from trainings import CONFIG, filled, result

from dqn.statistics.metrics import METRICS
from dqn.tracking import TRACKERS
from sweeps.__main__ import main

pytest.importorskip("tensorboard", reason="needs the extra: pip install -e '.[test]'")


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    path = tmp_path_factory.mktemp("grid") / "lr"
    configs = [
        dataclasses.replace(CONFIG, lr=0.01, huber_delta=np.inf),
        dataclasses.replace(CONFIG, lr=0.1, huber_delta=1.0),
    ]
    pairs = [(trial, seed) for trial in range(2) for seed in range(2)]
    of_seeds = [
        result(t, seed, config=configs[t], returns=[10.0 * (t + 1)] * 12) for t, seed in pairs
    ]
    filled(path, *of_seeds, sweep={"kind": "grid"}, swept=("lr",))
    assert main(["export", str(path), "--to", "tensorboard"]) == 0
    return path


def scalars(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_each_training_has_its_episodes_by_environment_step(grid):
    found = scalars(grid / "tensorboard" / "trial-1" / "seed-1")
    assert {*found} == {f"episode/{name}" for name in ("return", "length", "epsilon", "loss", "q")}
    steps = [20 * n for n in range(1, 13)]
    assert found["episode/return"] == [(step, 20.0) for step in steps]
    marks = [110.0 + episode for episode in range(12)]  # see trainings.result
    assert found["episode/q"] == [
        (step, pytest.approx(mark + 0.3)) for step, mark in zip(steps, marks, strict=True)
    ]
    assert [step for step, _ in found["episode/loss"]] == steps[1:]  # the first had no update


def hparams(folder):
    """What TensorBoard's HParams page would be sent: the experiment, and its groups by name."""
    from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.context import RequestContext
    from tensorboard.plugins.base_plugin import TBContext
    from tensorboard.plugins.hparams import api_pb2
    from tensorboard.plugins.hparams.backend_context import Context
    from tensorboard.plugins.hparams.get_experiment import Handler as Experiment
    from tensorboard.plugins.hparams.list_session_groups import Handler as Groups

    runs = EventMultiplexer()
    runs.AddRunsFromDirectory(str(folder)).Reload()
    context = Context(TBContext(data_provider=MultiplexerDataProvider(runs, str(folder))))
    every = (api_pb2.STATUS_UNKNOWN, api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE)
    asked = api_pb2.ListSessionGroupsRequest(slice_size=100, allowed_statuses=every)
    groups = Groups(RequestContext(), context, "", asked).run().session_groups
    whole = api_pb2.GetExperimentRequest()
    experiment = Experiment(RequestContext(), context, "", whole).run()
    return experiment, {group.name: group for group in groups}


def test_hparams_has_each_trial_with_its_settings_and_metrics(grid):
    experiment, groups = hparams(grid / "tensorboard")
    assert [info.name for info in experiment.hparam_infos[:2]] == ["huber_delta", "lr"]
    assert {"gamma", "hidden", "budget_episodes"} < {i.name for i in experiment.hparam_infos}
    assert {info.name.tag for info in experiment.metric_infos} == {*METRICS}
    assert {*groups} == {"trial-0", "trial-1"}
    settings = groups["trial-1"].hparams
    assert settings["lr"].number_value == 0.1
    assert settings["double"].bool_value is False
    assert (settings["hidden"].string_value, settings["huber_delta"].string_value) == (
        "64x64", "1.0",
    )  # fmt: skip
    assert groups["trial-0"].hparams["huber_delta"].string_value == "inf"
    metrics = {value.name.tag: value.value for value in groups["trial-1"].metric_values}
    assert (metrics["mean_return"], metrics["collapse"]) == (20.0, 0.0)
    assert "solved_at" not in metrics  # never solved: no number


def test_what_is_there_is_not_overwritten(grid, tmp_path, capsys):
    before = sorted((grid / "tensorboard").rglob("*"))
    status, text = refusal(capsys, "export", grid)
    assert status == 2
    assert f"--out must be a new or empty folder, got {grid / 'tensorboard'}; move it" in text
    assert sorted((grid / "tensorboard").rglob("*")) == before
    (tmp_path / "file").touch()
    assert main(["export", str(grid), "--out", str(tmp_path / "file")]) == 2
    assert main(["export", str(grid), "--out", str(tmp_path / "file" / "below")]) == 2
    assert "must be a folder that can be written" in capsys.readouterr().err


def test_a_run_is_exported_where_it_is_wanted(tmp_path, capsys):
    filled(tmp_path / "run", result(0, 3), config=dataclasses.replace(CONFIG, first_seed=3))
    out = tmp_path / "deep" / "a b"
    status, text = plain(capsys, "export", tmp_path / "run", "--out", out)
    assert (status, text["trials"], text["trainings"]) == (0, 1, 1)
    assert text["open"] == f"tensorboard --logdir '{out}'"
    assert [value for _, value in scalars(out / "trial-0" / "seed-3")["episode/return"]] == [
        10.0, 20.0, 30.0,
    ]  # fmt: skip
    assert not [path for path in out.parent.iterdir() if path != out]  # nothing half-written


def test_a_tracker_hears_of_each_training_and_has_nothing_twice(tmp_path, capsys, monkeypatch):
    class Listed(Remembering):
        where = "here"

    monkeypatch.setitem(TRACKERS, "mlflow", Listed)
    config = dataclasses.replace(CONFIG, lr=0.25)
    filled(tmp_path / "run", result(0, 3, config=config), result(0, 4), config=CONFIG)
    status, text = plain(capsys, "export", tmp_path / "run", "--to", "mlflow")
    assert (status, text) == (0, {"where": "here", "trials": 1, "trainings": 2})
    made = Listed.made
    assert made.begun == [(0, 3), (0, 4)]
    assert made.runs == {key: [10.0, 20.0, 30.0] for key in made.begun}
    assert [made.rows[key]["test_return"] for key in made.begun] == [198.0, 199.0]
    assert made.is_closed
    assert plain(capsys, "export", tmp_path / "run", "--to", "mlflow")[0] == 0
    assert Listed.made.folder.id == made.folder.id


def test_a_tracker_that_cannot_be_had_costs_one_line(tmp_path, capsys, monkeypatch):
    filled(tmp_path / "run", result())
    status, text = refusal(capsys, "export", tmp_path / "run", "--to", "mlflow", "--out", "x")
    assert (status, text.split(";")[0]) == (
        2, "--out only applies to --to tensorboard: leave it out\n",
    )  # fmt: skip

    class Failing(Remembering):
        fails_at = "log"

    monkeypatch.setitem(TRACKERS, "mlflow", Failing)
    assert main(["export", str(tmp_path / "run"), "--to", "mlflow"]) == 1
    assert "--to mlflow failed (no route); give the same command again" in capsys.readouterr().err
    monkeypatch.setattr(Failing, "fails_at", "import")
    monkeypatch.setattr(Failing, "error", ModuleNotFoundError("x"))
    assert main(["export", str(tmp_path / "run"), "--to", "mlflow"]) == 2
    err = capsys.readouterr().err
    assert "--to mlflow needs Remembering: pip install remembering" in err


def test_without_tensorboard_one_line_says_what_to_install(tmp_path, capsys, monkeypatch):
    filled(tmp_path / "run", result())
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["export", str(tmp_path / "run")]) == 2
    assert "pip install tensorboard" in capsys.readouterr().err
    assert not (tmp_path / "run" / "tensorboard").exists()
