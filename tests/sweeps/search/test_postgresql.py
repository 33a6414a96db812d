"""A study whose storage is a server: killed, and the server restarted, in the middle of it.

Runs where Debian's package `postgresql` and the extra `postgresql` are installed.
"""

import getpass
import random
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest
from tabular import World

from dqn.runtime.errors import RunError
from sweeps.search import study_storage

pytestmark = pytest.mark.slow
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


class Server:
    """PostgreSQL on a socket in a folder of its own, with the database `postgres`."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
        self._as = ["runuser", "-u", "postgres", "--"] if getpass.getuser() == "root" else []
        self._run("initdb", "--username=postgres", "--auth=trust", "--no-sync")

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as, str(PROGRAMS[-1] / program), "-D", str(self.folder / "data")]
        with (self.folder / "log").open("a") as log:
            subprocess.run([*command, *arguments], stdout=log, stderr=log, cwd="/", check=True)

    def start(self) -> None:
        self._run("pg_ctl", "-w", "start", "-o", f"-k {self.folder} -c listen_addresses= -F")

    def stop(self) -> None:
        """As a crash does it: connections are cut."""
        if (self.folder / "data" / "postmaster.pid").exists():
            self._run("pg_ctl", "-w", "stop", "-m", "immediate")


@pytest.fixture(scope="module")
def server():
    pytest.importorskip("psycopg")
    if not PROGRAMS:
        pytest.skip("no server: apt-get install postgresql")
    with tempfile.TemporaryDirectory(prefix="dqn-") as folder:  # a path of a socket must be short
        if getpass.getuser() == "root":
            shutil.chown(folder, "postgres", "postgres")
        made = Server(Path(folder))
        made.start()
        try:
            yield made
        finally:
            made.stop()


@pytest.fixture
def world(server, tmp_path):
    """A study in the server, by the name of the test's folder, and of an identity of its own."""
    return World(tmp_path, storage=server.url, name=tmp_path.name, identity=tmp_path.name)


@pytest.fixture(scope="module")
def params(tmp_path_factory):
    """What an undisturbed study samples."""
    undisturbed = World(tmp_path_factory.mktemp("undisturbed"))
    assert undisturbed.run(random.Random(0))
    return undisturbed.params


def test_a_study_is_killed_and_goes_on(world, params):
    moments = random.Random(1)
    while not world.run(moments, stop_after=moments.randrange(1, 12)):
        pass
    assert world.params == params
    assert not (world.path / study_storage.FILE).exists()


def test_a_server_that_is_restarted_is_waited_for(world, params, server, monkeypatch):
    """It is stopped as Optuna is about to use it, and started while the study waits."""
    waits = []

    def stopped_at(moments):
        if moments.random() < 0.2:
            server.stop()

    def waited(seconds):
        waits.append(seconds)
        if len(waits) % 3 == 0:
            server.start()

    monkeypatch.setattr(study_storage.time, "sleep", waited)
    assert disturbed(world, stopped_at).run(random.Random(0))
    assert waits
    assert world.params == params


def test_a_server_that_is_away_for_twenty_seconds_is_waited_for(world, params, server):
    back = threading.Timer(20.0, server.start)
    seeds = iter(range(9))

    def stopped_at(moments):
        if next(seeds, None) == 8:
            server.stop()
            back.start()

    began = time.monotonic()
    assert disturbed(world, stopped_at).run(random.Random(0))
    assert time.monotonic() - began > 20
    assert world.params == params


def test_a_server_that_stays_away_costs_nothing(world, params, server, monkeypatch):
    seeds = iter(range(9))

    def stopped_at(moments):
        if next(seeds, None) == 8:
            server.stop()

    with monkeypatch.context() as patch:
        patch.setattr(study_storage, "_AWAY", 0.1)
        with pytest.raises(RunError, match=r"cannot be used .*; what was finished is safe"):
            disturbed(world, stopped_at).run(random.Random(0))
    kept = dict(world.rows)
    with pytest.raises(RunError, match=r"hydra.sweeper.storage=.* cannot be opened .*once it can$"):
        world.study()
    server.start()
    assert world.run(random.Random(1))
    assert kept.items() <= world.rows.items()
    assert world.params == params


def disturbed(world, disturb):
    """A world in which something happens now and then as a seed has been trained."""
    value, moments = world.value, random.Random(2)

    def disturbing(config, seed):
        disturb(moments)
        return value(config, seed)

    world.value = disturbing
    return world
