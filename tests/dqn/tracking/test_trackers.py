"""Each tracker: what its library wrote with nothing to reach, read back as its tools read it."""

import importlib
import logging
import math
import os

import numpy as np
import pytest
import wandb_file
from scripted import EPISODES, CutError, FakePool, Scripted, opened, returns_of, table, trials
from tracked import track

from dqn.tracking import TRACKERS, background
from dqn.tracking.tracker import TrackedFolder, TrackedTraining
from dqn.training.jobs import EpisodeBatch

EVERY = [(trial, seed) for trial in range(2) for seed in range(3)]
STEPS = list(range(1, EPISODES + 1))
# MLflow's own, beside SQLAlchemy 2.1 and Python's sqlite3
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(autouse=True)
def nothing_to_reach(monkeypatch, tmp_path):
    for name in [n for n in os.environ if n.startswith(("WANDB_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(background, "PATIENCE", 250.0)  # the machine may be busy
    for name, value in {
        "HOME": str(tmp_path), "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true",
        "WANDB_ERROR_REPORTING": "false",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    yield
    if importlib.util.find_spec("wandb"):
        import wandb

        wandb.teardown()


def needs(name):
    pytest.importorskip(name, reason="needs the extra: pip install -e '.[test]'")


def read_wandb(folder):
    """By (trial, seed), the runs that are there: steps, returns, settings, final values, end."""
    import wandb

    wandb.teardown()  # its own process writes the end of a file when it ends
    found = {}
    for runs in wandb_file.runs(folder / "wandb").values():
        for run in runs:
            config = run["config"]
            key = config["trial"], config["seed"]
            own = {
                "steps": [row["_step"] for row in run["history"]],
                "returns": [row["episode/return"] for row in run["history"]],
                "settings": config, "group": run["run"].run_group, "final": run["summary"],
                "whole": run["ended"] == 0, "place": config["folder"],
            }  # fmt: skip
            found.setdefault(key, []).append(own)
    return found


def mlflow_client(folder):
    from mlflow.tracking import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    return MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")


def read_mlflow(folder):
    client, found = mlflow_client(folder), {}
    for experiment in client.search_experiments():
        for run in client.search_runs([experiment.experiment_id], max_results=1000):
            tags = run.data.tags
            history = client.get_metric_history(run.info.run_id, "episode/return")
            history.sort(key=lambda metric: metric.step)
            own = {
                "steps": [metric.step for metric in history],
                "returns": [metric.value for metric in history],
                "settings": run.data.params, "group": experiment.name,
                "final": run.data.metrics | {"status": tags.get("status")},
                "whole": run.info.status == "FINISHED", "place": tags["folder"],
            }  # fmt: skip
            found.setdefault((int(tags["trial"]), int(tags["seed"])), []).append(own)
    return found


def read_tensorboard(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    found = {}
    for path in (folder / "tensorboard").glob("trial-*/seed-*"):
        assert len(list(path.iterdir())) == 1
        events = EventAccumulator(str(path))
        events.Reload()
        history = events.Scalars("episode/return")
        content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
        begun = metadata.parse_session_start_info_plugin_data(content)
        settings = {
            name: getattr(value, value.WhichOneof("kind")) for name, value in begun.hparams.items()
        }
        final = {
            tag: events.Scalars(tag)[0].value
            for tag in events.Tags()["scalars"]
            if not tag.startswith("episode/")
        }
        own = {
            "steps": [event.step for event in history],
            "returns": [event.value for event in history],
            "settings": settings, "group": folder.name, "final": final | {"status": "done"},
            "whole": bool(final), "place": str(path.parents[2]),
        }  # fmt: skip
        assert begun.group_name == path.parent.name
        trial, seed = (int(part.rpartition("-")[2]) for part in path.parts[-2:])
        found.setdefault((trial, seed), []).append(own)
    return found


READERS = {"wandb": read_wandb, "mlflow": read_mlflow, "tensorboard": read_tensorboard}


def test_there_is_a_reader_for_each_tracker():
    assert READERS.keys() == TRACKERS.keys()


@pytest.mark.parametrize("name", READERS)
def test_each_training_is_there_once_with_curves_settings_and_final_row(tmp_path, name):
    needs(name)
    folder = tmp_path / "mine"
    _, notices, cost = track(folder, Scripted(trials(count=2)), FakePool(lost=(3,)), name=name)
    title = TRACKERS[name].title
    said = [line for line in notices if not line.startswith("waiting")]
    assert sorted(said) == sorted(
        [next(n for n in said if n.startswith(title)), "a worker was lost"]
    )
    assert f" episodes in {title}, " in cost
    found = READERS[name](folder)
    rows = {(row.trial, row.seed): row for row in table(folder).itertuples()}
    assert sorted(found) == EVERY
    for key, runs in found.items():
        (run,) = runs
        assert (run["steps"], run["returns"]) == (STEPS, returns_of(*key).tolist())
        assert float(run["settings"]["lr"]) == pytest.approx(rows[key].lr)
        assert run["settings"]["huber_delta"] == "inf"
        assert run["final"]["mean_return"] == pytest.approx(rows[key].mean_return)
        assert (run["final"]["status"], run["whole"]) == ("done", True)
        assert (run["group"], run["place"]) == ("mine", str(folder))


@pytest.mark.parametrize("name", READERS)
def test_a_resumed_command_leaves_no_run_twice(tmp_path, name):
    needs(name)
    with pytest.raises(CutError):
        track(tmp_path / "mine", Scripted(trials(count=2)), FakePool(cut=6), name=name)
    cut = READERS[name](tmp_path / "mine")
    assert [run for runs in cut.values() for run in runs if not run["whole"]]
    track(tmp_path / "mine", Scripted(trials(count=2)), FakePool(), name=name)
    found = READERS[name](tmp_path / "mine")
    assert sorted(found) == EVERY
    for key, runs in found.items():
        assert [run["returns"] for run in runs] == [returns_of(*key).tolist()]
        assert runs[0]["whole"]


@pytest.mark.parametrize("name", READERS)
def test_what_a_kill_has_left_is_replaced(tmp_path, name):
    needs(name)
    folder = tmp_path / "mine"
    with opened(folder):
        tracker = TRACKERS[name](TrackedFolder.at(folder))
        tracker.start(training := TrackedTraining(0, 1, {"lr": 0.5}))
        ones = np.ones(3)
        tracker.log(training, EpisodeBatch((0, 1), ones * [1, 2, 3], ones, ones, ones, ones, ones))
    if name == "wandb":
        import wandb

        wandb.teardown()
    track(folder, Scripted(trials(count=1)), FakePool(), name=name)
    found = READERS[name](folder)
    assert sorted(found) == EVERY[:3]
    for key, runs in found.items():
        assert [run["returns"] for run in runs] == [returns_of(*key).tolist()]


def test_wandb_asks_nothing_and_keeps_no_key(tmp_path, monkeypatch):
    needs("wandb")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    _, notices, _ = track(tmp_path / "a", Scripted(trials(count=1)), FakePool())
    said = [line for line in notices if not line.startswith("waiting")]
    assert said == [
        "W&B: no API key (wandb login, or WANDB_API_KEY): offline; "
        f"to send the runs: wandb sync {tmp_path / 'a' / 'wandb'}/offline-run-*"
    ]
    import wandb

    wandb.teardown()
    key = "0123456789abcdef0123456789abcdef01234567"
    monkeypatch.setenv("WANDB_API_KEY", key)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_PROJECT", "theirs")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "other"))
    (tmp_path / "other").mkdir()
    _, notices, _ = track(tmp_path / "b", Scripted(trials(count=1)), FakePool())
    said = [line for line in notices if not line.startswith("waiting")]
    assert said == [
        f"W&B: offline; to send the runs: wandb sync {tmp_path / 'other' / 'wandb'}/offline-run-*"
    ]
    wandb.teardown()
    found = wandb_file.runs(tmp_path / "other" / "wandb")
    assert {run["run"].project for runs in found.values() for run in runs} == {"theirs"}
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or key.encode() not in path.read_bytes(), path


def test_wandb_knows_a_key_where_its_users_keep_it(tmp_path, monkeypatch):
    from types import SimpleNamespace

    from dqn.tracking.wandb import _has_key

    own = SimpleNamespace(api_key=None, identity_token_file=None, base_url="https://api.wandb.ai")
    assert not _has_key(own)
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine else.example login user password x\n")
    netrc.chmod(0o600)
    assert not _has_key(own)
    netrc.write_text("machine api.wandb.ai login user password 0123\n")
    assert _has_key(own)
    netrc.write_text("no such thing")
    assert not _has_key(own)
    own.api_key = "0123"
    assert _has_key(own)


def test_mlflow_goes_where_its_users_say(tmp_path, monkeypatch):
    needs("mlflow")
    database = tmp_path / "theirs.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "ours")
    track(tmp_path / "a", Scripted(trials(count=1)), FakePool(), name="mlflow")
    track(tmp_path / "b", Scripted(trials(count=1)), FakePool(), name="mlflow")
    assert not (tmp_path / "a" / "mlflow.db").exists()
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{database}")
    experiment = client.get_experiment_by_name("ours")
    runs = client.search_runs([experiment.experiment_id])
    assert sorted((run.data.tags["study"], run.data.tags["seed"]) for run in runs) == [
        (study, seed) for study in "ab" for seed in "012"
    ]


def test_mlflow_tells_a_pruned_training_from_a_failed_one(tmp_path):
    needs("mlflow")
    training = TrackedTraining(0, 0, {"lr": 0.1, "env.kwargs.a(b)": "odd"})
    (tmp_path / "sweep.yaml").write_text("identity: aa\n")
    tracker = TRACKERS["mlflow"](TrackedFolder.at(tmp_path))
    for status in ("pruned", "failed", "diverged"):
        tracker.start(training)
        tracker.finish(training, {"status": status, "mean_return": None})
        (run,) = read_runs(tmp_path)
        ends = {"pruned": "KILLED", "failed": "FAILED", "diverged": "FINISHED"}
        assert (run.info.status, run.data.tags["status"]) == (ends[status], status)
    assert run.data.params == {"lr": "0.1", "env.kwargs.a_b_": "odd"}


def read_runs(folder):
    client = mlflow_client(folder)
    return client.search_runs([e.experiment_id for e in client.search_experiments()])


def test_a_password_of_an_environment_reaches_no_tracker(tmp_path):
    needs("tensorboard")
    url = "postgresql://me:hunter22@host/db"
    tracker = TRACKERS["tensorboard"](TrackedFolder.at(tmp_path))
    tracker.start(TrackedTraining(0, 0, {"env.kwargs.url": url, "lr": math.inf}))
    (file,) = (tmp_path / "tensorboard").rglob("events*")
    assert b"hunter22" not in file.read_bytes()
    assert b"postgresql://me:***@host/db" in file.read_bytes()


def test_validation_is_named_by_its_study(tmp_path):
    (tmp_path / "sweep.yaml").write_text("identity: aa\n")
    (tmp_path / "validation").mkdir()
    (tmp_path / "validation" / "sweep.yaml").write_text("identity: bb\n")
    inner = TrackedFolder.at(tmp_path / "validation")
    assert (inner.name, inner.id) == (f"{tmp_path.name}/validation", "bb")
    assert TrackedFolder.at(tmp_path).name == tmp_path.name
    run = TrackedFolder.at(tmp_path.parent)
    assert run.id == TrackedFolder.at(tmp_path.parent).id != "aa"
