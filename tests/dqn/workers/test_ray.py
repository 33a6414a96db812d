"""Studies over Ray's own multi-node test cluster: nodes lost, nodes added, the driver killed."""

import signal
import subprocess
import sys
from contextlib import contextmanager
from unittest import mock

import pandas as pd
import pytest
from commands import argv, ended, here, wait_for_rows

from dqn.runtime.errors import RunError, UserError
from dqn.workers.backend import WorkerLostError
from dqn.workers.ray import RayBackend, RayWorker

# Half a minute of work, in trainings of several lengths, so that there are moments to choose from.
SMALL = ["hidden=[32]", "test_episodes=2", "train_freq=1", "preset=scaled"]
GRID = ["-m", "episodes=10,40,80,120", "seeds=8"]


def asked(folder, *overrides):
    return *GRID, *SMALL, f"hydra.sweep.dir={folder}", *overrides


def table(folder):
    """seeds.csv without the seconds: what no fleet may change."""
    frame = pd.read_csv(folder / "seeds.csv")
    assert not frame.duplicated(["trial", "seed"]).any()
    return frame.drop(columns="seconds")


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """The table of a grid that was trained in this process, where Ray is there to compare it."""
    pytest.importorskip("ray")
    folder = tmp_path_factory.mktemp("calm")
    assert here(*asked(folder, "workers=0")) == 0
    return table(folder)


@contextmanager
def cluster(nodes):
    """A cluster of one machine without a core for workers, and `nodes` of one core each."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        yield made, [made.add_node(num_cpus=1) for _ in range(nodes)]
    finally:
        made.shutdown()


def started(folder, made):
    return subprocess.Popen(
        argv(*asked(folder, "fleet=ray", f"ray_address={made.address}")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def whole(process):
    out, err = process.communicate(timeout=250)
    assert process.returncode == 0, err
    assert "Traceback" not in err, err
    return out, err


def test_without_ray_it_is_said_what_to_install(tmp_path, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert here(*asked(tmp_path / "grid", "fleet=ray")) == 2
    assert capfd.readouterr().err.splitlines() == ["fleet=ray needs Ray: pip install 'ray>=2.50'"]


def test_no_worker_at_all_and_a_cluster_do_not_go_together(tmp_path, capfd):
    assert here(*asked(tmp_path / "grid", "fleet=ray", "workers=0")) == 2
    assert "workers must be auto or >= 1 with fleet=ray, got 0" in capfd.readouterr().err


def test_a_worker_that_cannot_begin_ends_the_command_and_is_not_begun_for_ever():
    exceptions = pytest.importorskip("ray.exceptions")

    class Ray:
        def get(self, asked):
            failed = ModuleNotFoundError("No module named 'dqn'")
            lost = exceptions.ActorDiedError()
            lost._actor_init_failed, lost.error_msg = True, f"creation task\n{failed}\n"
            raise lost

    Ray.exceptions = exceptions
    with pytest.raises(RunError, match=r"cannot start on the cluster \(No module named 'dqn'\); "):
        RayWorker(Ray(), mock.MagicMock()).poll()


def test_what_ray_says_is_told_without_passwords_also_where_it_says_nothing(monkeypatch):
    exceptions = pytest.importorskip("ray.exceptions")

    class Ray:
        message = ""

        def get(self, asked):
            raise exceptions.RayTaskError("f", self.message, None) if self.message else RayError()

    class RayError(exceptions.RayError):
        pass

    Ray.exceptions = exceptions
    monkeypatch.setattr("dqn.workers.ray._alive", lambda ray, node: True)
    worker = RayWorker(Ray(), mock.MagicMock())
    worker._node = "one"
    for Ray.message, text in (
        ("", "RayError"),
        ("at http://me:hunter2@host/", "http://me:***@host/"),
    ):
        with pytest.raises(WorkerLostError) as gone:
            worker.poll()
        assert text in str(gone.value)
        assert "hunter2" not in str(gone.value)


def test_a_cluster_that_does_not_answer_without_a_word_is_refused(monkeypatch):
    ray = mock.MagicMock()
    ray.is_initialized.return_value, ray.init.side_effect = False, RuntimeError()
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(UserError, match=r"that responds, got local \(RuntimeError\); start one"):
        RayBackend(None, 1)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_address_where_no_cluster_answers_is_refused(tmp_path):
    done = ended(*asked(tmp_path / "grid", "fleet=ray", "ray_address=127.0.0.1:1"))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("ray_address must be of a Ray cluster that responds, got 127.0.0.1:1 (")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_inline_processes_and_ray_give_the_same_table(tmp_path, calm):
    for fleet in (["workers=2"], ["fleet=ray", "workers=2"]):
        folder = tmp_path / str(len(fleet))
        done = ended(*asked(folder, *fleet))
        assert done.returncode == 0, done.stderr
        assert "on 2 workers" in done.stdout
        pd.testing.assert_frame_equal(table(folder), calm)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_component_of_ones_own_is_where_its_module_is(tmp_path, own_module, monkeypatch):
    monkeypatch.chdir(own_module.file.parent)  # where Ray's workers look, too
    tables = []
    for fleet in (["workers=0"], ["fleet=ray", "workers=1"]):
        folder = tmp_path / fleet[0]
        words = [*SMALL, "episodes=5", "seeds=2", *fleet, f"hydra.run.dir={folder}"]
        done = ended(f"network={own_module['Wide']}", *words)
        assert done.returncode == 0, done.stderr
        tables.append(table(folder))
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nodes_may_be_lost_and_added_and_the_driver_killed_during_a_study(tmp_path, calm):
    with cluster(2) as (made, nodes):
        process = started(tmp_path / "nodes", made)
        wait_for_rows(process, tmp_path / "nodes", 3)
        made.remove_node(nodes[0], allow_graceful=False)
        wait_for_rows(process, tmp_path / "nodes", 5)
        made.add_node(num_cpus=1)
        _, err = whole(process)
        assert "a worker was lost (its machine has left the cluster)" in err
        pd.testing.assert_frame_equal(table(tmp_path / "nodes"), calm)

        process = started(tmp_path / "driver", made)
        wait_for_rows(process, tmp_path / "driver", 3)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        before = table(tmp_path / "driver")
        assert 3 <= len(before) < len(calm)
        whole(started(tmp_path / "driver", made))
        pd.testing.assert_frame_equal(table(tmp_path / "driver"), calm)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_where_ray_sees_gpus_there_is_a_worker_on_each_and_none_elsewhere(tmp_path, calm):
    """One that Ray was told of: to place workers it asks for no more."""
    with cluster(1) as (made, _):
        made.add_node(num_cpus=2, num_gpus=1)
        out, _ = whole(started(tmp_path / "grid", made))
    assert " on 1 worker; utilisation" in out
    pd.testing.assert_frame_equal(
        table(tmp_path / "grid").sort_values(["trial", "seed"], ignore_index=True),
        calm.sort_values(["trial", "seed"], ignore_index=True),
    )
