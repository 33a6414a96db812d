"""Workers import what the scheduler's process did, know what it registered, or say why not."""

import importlib
import json
import multiprocessing
import os
import subprocess
import sys
import time
import types
from dataclasses import replace
from pathlib import Path

import gymnasium
import pytest
from fake_workers import FakeBackend, FakeWorker
from gymnasium.envs.classic_control import CartPoleEnv

import dqn
from dqn import session
from dqn.config import Config, EnvConfig
from dqn.runtime import limits
from dqn.runtime.errors import RunError, UserError
from dqn.training.jobs import ChunkResult, Finished, Heartbeat, Job, WorkerError, WorkRequest
from dqn.workers import local, registrations
from dqn.workers.backend import WorkerLostError
from dqn.workers.local import LocalBackend, LocalWorker
from dqn.workers.pool import refuse_workers
from dqn.workers.remote_pool import RemotePool

STUB = str(Path(__file__).parents[2] / "support" / "stub_worker")
ROOT = Path(dqn.__file__).parents[1]


@pytest.fixture
def registry():
    """Gymnasium's, which is put back."""
    before = dict(gymnasium.registry)
    yield gymnasium.registry
    gymnasium.registry.clear()
    gymnasium.registry.update(before)


def config(env_id, **changes):
    return Config(env=EnvConfig(id=env_id), episodes=3, hidden=(8,), **changes)


def until_over(pool, jobs):
    deadline = time.monotonic() + 60
    while not pool.advance(jobs, []).finished:
        jobs = []
        assert time.monotonic() < deadline


def first_words(worker):
    try:
        assert worker.line.poll(60)
        return worker.poll()
    finally:
        worker.end()


def test_a_module_of_the_users_with_our_name_is_not_what_workers_import(tmp_path, monkeypatch):
    for name in ("dqn", "numpy", "json", "random", "types", "sweeps"):
        (tmp_path / f"{name}.py").write_text(f"raise RuntimeError('the user\\'s own {name}')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(STUB)
    assert [type(one) for one in first_words(LocalWorker())] == [Heartbeat]


def test_this_package_is_the_drivers_own_even_where_another_is_found_first(tmp_path, monkeypatch):
    (tmp_path / "dqn.py").write_text("raise RuntimeError('another')")
    monkeypatch.setattr(sys, "path", [str(tmp_path), STUB, *sys.path])
    assert [type(one) for one in first_words(LocalWorker())] == [Heartbeat]


def test_modules_are_found_in_a_folder_whose_name_would_end_a_path(tmp_path, monkeypatch):
    folder = tmp_path / "one:two"
    folder.mkdir()
    (folder / "my_envs.py").write_text("")
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    monkeypatch.setattr(
        local,
        "_START",
        local._START.replace("from dqn.workers import local", "import my_envs; 1 / 0"),
    )
    (text,) = first_words(LocalWorker())
    assert text == WorkerError("ZeroDivisionError: division by zero", "", unstarted=True)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("raise ImportError('no such library')", "ImportError: no such library"),
        ("sys.exit(3)", "SystemExit: 3"),
        ("import os; os._exit(3)", "it exited with status 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "it was killed by SIGILL"),
    ],
)
def test_workers_that_cannot_start_end_the_command_with_the_reason(monkeypatch, fault, reason):
    start = local._START.replace("    from dqn.workers import local", f"    {fault}")
    monkeypatch.setattr(local, "_START", start)
    pool = RemotePool(LocalBackend(2))
    with pytest.raises(RunError) as caught:
        until_over(pool, [Job(0, 0, config("CartPole-v1"))])
    pool.close()
    assert str(caught.value) == (
        f"a worker cannot start ({reason}); fleet=processes workers=0 needs none"
    )


def test_a_worker_whose_users_code_ends_the_program_says_so(monkeypatch):
    def ends(**_):
        raise SystemExit("no simulator")

    monkeypatch.setattr(local.compile_cache, "prepare", ends)
    ours, theirs = multiprocessing.Pipe()
    local.serve(theirs)
    text = ours.recv()
    assert (text.reason, text.unstarted) == ("SystemExit: no simulator", True)


def test_parts_of_the_path_that_are_no_text_are_left_out(monkeypatch):
    monkeypatch.setattr(sys, "path", [STUB, Path("/nowhere"), *sys.path])
    assert [type(one) for one in first_words(LocalWorker())] == [Heartbeat]


def test_a_system_that_refuses_another_process_is_said_in_one_line(monkeypatch):
    def refused(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refused)
    before = set(os.listdir("/dev/fd"))
    with pytest.raises(
        RunError, match=r"another worker \(Resource temporarily unavailable\); write few"
    ):
        LocalBackend(2).start()
    assert set(os.listdir("/dev/fd")) == before


def test_a_later_worker_that_cannot_start_is_one_that_was_lost():
    backend = FakeBackend(capacity=1, make=lambda _: FakeWorker(Heartbeat(0.0)))
    pool = RemotePool(backend)
    pool.advance([Job(0, 0, config("CartPole-v1"))], [])
    backend.workers[0].reports = [WorkerLostError("not now", unstarted=True)]
    assert pool.advance([], []).notices == [
        "a worker was lost (not now): 1 training restarted in another"
    ]


def test_workers_that_can_never_start_are_done_without_and_cost_no_training():
    no_memory = WorkerLostError("no memory", unstarted=True)
    backend = FakeBackend(2, lambda made: FakeWorker(no_memory if made else Heartbeat(0.0)))
    pool, jobs, notices = (
        RemotePool(backend),
        [Job(n, 0, config("CartPole-v1")) for n in range(99)],
        [],
    )
    for _ in range(9):
        update = pool.advance(jobs, [])
        jobs = []
        notices += update.notices
        assert not update.finished
    assert len(backend.workers) == 1 + 3
    assert sum("a worker was lost (no memory)" in line for line in notices) == 3
    assert notices[-1] == "3 workers in a row could not start: no more are started, 1 worker left"
    # Now another is tried, and there is none at all.
    backend.workers[0].reports = [WorkerLostError("ended")]
    with pytest.raises(RunError, match=r"a worker cannot start \(no memory\)"):
        until_over(pool, [])


class Licensee(FakeWorker):
    """Trains a job a time; the second cannot make an environment while the first has some."""

    def __init__(self, first, never):
        self.given, self.first, self.never, self.sent = [], first or self, never, 0

    @property
    def reports(self):
        return self.given

    def send(self, request):
        super().send(request)
        self.sent += len(request.new)

    def poll(self):
        refused = self is not self.first and self.first.given
        jobs, self.given = (self.given, []) if refused else (self.given[:1], self.given[1:])
        over = [Finished.failed(job, "no licence", unmade=True) if refused or self.never
                else replace(Finished.pruned(job), status="done") for job in jobs]  # fmt: skip
        return [ChunkResult([], over)]


@pytest.mark.parametrize("never", [False, True])
def test_where_only_so_many_exist_workers_leave_trainings_to_those_that_have_them(never):
    backend = FakeBackend(2, lambda made: Licensee(made[0] if made else None, never))
    pool, jobs = RemotePool(backend), [Job(n, 0, config("Some-v0")) for n in range(60)]
    finished, new = [], jobs
    for _ in range(200):
        finished += pool.advance(new, []).finished
        new = ()
    assert sorted(one.key for one in finished) == [job.key for job in jobs]
    assert {one.status for one in finished} == {"failed" if never else "done"}
    assert backend.workers[1].sent < 60
    pool.close()


class Own(CartPoleEnv):
    """A class of this module, which a worker can import."""


def of_script(registry):
    """A class as a script or a notebook has it."""
    made = type("Scripts", (CartPoleEnv,), {"__module__": "__main__"})
    sys.modules["__main__"].Scripts = made
    return made


BOUND = {
    "a class of the script": of_script,
    "a name in the script": lambda registry: "__main__:Scripts",
    "a function without a name": lambda registry: lambda **given: CartPoleEnv(**given),
    "a module that is in no file": lambda registry: in_no_file(),
}


def in_no_file():
    module = sys.modules["made_up"] = types.ModuleType("made_up")
    module.Made = type("Made", (CartPoleEnv,), {"__module__": "made_up"})
    return module.Made


@pytest.mark.parametrize("name", BOUND)
def test_an_environment_of_the_script_itself_trains_here_with_a_line(
    registry, capsys, monkeypatch, name
):
    monkeypatch.setattr(limits, "cores", lambda: 4)
    gymnasium.register("Script-v0", entry_point=BOUND[name](registry), max_episode_steps=9)
    asked = config("Script-v0", seeds=2)
    with session.pool_for(asked, 2, [asked]) as pool:
        assert not pool.is_remote
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("only this script registers Script-v0: this process trains everything")
    refuse_workers(asked, [asked])


@pytest.mark.parametrize("changes", [{"workers": 2}, {"fleet": "ray"}])
@pytest.mark.parametrize("name", BOUND)
def test_workers_for_it_are_refused_before_anything_is_made(registry, tmp_path, name, changes):
    gymnasium.register("Script-v0", entry_point=BOUND[name](registry), max_episode_steps=9)
    with pytest.raises(UserError, match=r"(workers=2|fleet=ray) needs environments .* 'Script-v0'"):
        session.train(config("Script-v0", seeds=2, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_is_registered_with_a_class_that_can_be_imported_is_known_to_workers(registry):
    gymnasium.register("Own-v0", entry_point=Own, max_episode_steps=9, kwargs={"render_mode": None})
    jobs = [Job(0, 0, config("Own-v0")), Job(0, 1, config("Own-v0"))]
    assert not registrations.bound_here(job.config for job in jobs)
    (spec,) = registrations.registered(jobs)
    assert spec.entry_point == f"{__name__}:Own"
    del registry["Own-v0"]
    registrations.take_in([spec])
    with gymnasium.make("Own-v0") as made:
        assert type(made.unwrapped).__name__ == "Own"


def test_another_registration_of_a_known_id_is_the_one_that_workers_have(registry):
    registry["Blackjack-v1"] = gymnasium.envs.registration.EnvSpec("Blackjack-v1", entry_point=Own)
    (spec,) = registrations.registered([Job(0, 0, config("Blackjack-v1"))])
    assert spec.entry_point == f"{__name__}:Own"


@pytest.mark.parametrize(
    "env_id", ["CartPole-v1", "cases:Any-v0", "Unknown-v0", f"{__name__}:A-v0"]
)
def test_nothing_is_sent_of_what_a_worker_finds_by_itself(env_id):
    assert registrations.bound_here([config(env_id)]) == ""
    assert registrations.registered([Job(0, 0, config(env_id))]) == []


def test_an_order_that_names_environments_is_a_pickle():
    import pickle

    spec = gymnasium.registry["Blackjack-v1"]
    assert pickle.loads(pickle.dumps(WorkRequest([], [], [spec]))).environments == [spec]


def test_a_package_of_the_users_named_sweeps_is_not_ours(tmp_path):
    (tmp_path / "sweeps.py").write_text("raise RuntimeError('the user\\'s own')")
    code = (
        "import json; from dqn.runtime.sweeps_package import load_sweeps; load_sweeps(); "
        "import sweeps.plugins.grid; "
        "print(json.dumps(sweeps.__file__))"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, cwd=tmp_path,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == str(ROOT / "sweeps" / "__init__.py")
    assert importlib.util.find_spec("sweeps").origin == str(ROOT / "sweeps" / "__init__.py")
