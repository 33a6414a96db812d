"""The compile cache: whatever became of it, everything is compiled anew and nothing is wrong."""

import os
import time
from pathlib import Path

import pytest
import tensorflow as tf
from commands import own_lines, python

from dqn.runtime import cache_staging, compile_cache
from dqn.runtime.cache_staging import PREFIX, Staging
from dqn.runtime.errors import RunError
from dqn.runtime.traced import Compiled

DAMAGES = {
    "whole": lambda file: None,
    "cut": lambda file: file.write_bytes(file.read_bytes()[:100]),
    "empty": lambda file: file.write_bytes(b""),
    "noise": lambda file: file.write_bytes(os.urandom(5000)),
    "flipped": lambda file: file.write_bytes(flipped(file.read_bytes())),
    "folder": lambda file: (file.unlink(), file.mkdir(), (file / "inside").touch()),
    "dangling": lambda file: (file.unlink(), file.symlink_to("nowhere")),
    "another's": lambda file: file.write_bytes(
        sealed(file.read_bytes()[compile_cache._CHECKSUM :].partition(b"\n")[0] + b"\n\x0a\x03abc")
    ),
    "gone": lambda file: file.unlink(),
}
LOAD = """
import sys
from pathlib import Path
from dqn.runtime import compile_cache as runtime
runtime.prepare()
from dqn.runtime.tensorflow import import_tensorflow
import_tensorflow()
import tensorflow as tf
from dqn.runtime.traced import Compiled
for n, name in enumerate(sys.argv[1:]):
    times = Compiled(lambda x: x * 3.0 + n, f"times {name}", kept=runtime.graphs())
    print(float(times(tf.constant(2.0))))
"""


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def sealed(content: bytes) -> bytes:
    return compile_cache.hashlib.sha256(content).digest() + content


def stamp(file: Path) -> tuple[int, int]:
    """Another one of a file that was replaced: a number of an inode alone may be used again."""
    return file.lstat().st_ino, file.lstat().st_mtime_ns


def loaded(cache: Path, names):
    done = python("-c", LOAD, *names, env={compile_cache.SWITCH: str(cache)})
    assert done.returncode == 0, done.stderr
    assert [float(line) for line in done.stdout.split()] == [6.0 + n for n in range(len(names))]
    return done


def test_a_program_that_is_damaged_in_any_way_is_compiled_anew_and_replaced(tmp_path):
    loaded(tmp_path, DAMAGES)
    (folder,) = tmp_path.iterdir()
    before = {file.name: file.stat() for file in folder.iterdir()}
    assert len(before) == 2 * len(DAMAGES)  # a graph and a program each, and nothing else
    store = compile_cache.Graphs(folder)
    for name, damage in DAMAGES.items():
        damage(store._path("program", f"times {name} float32[]"))
        damage(store._path("graph", f"times {name} float32[]"))
    damaged = {file.name: stamp(file) for file in folder.iterdir()}
    done = loaded(tmp_path, DAMAGES)
    assert own_lines(done.stderr) == []
    after = {file.name: file.stat() for file in folder.iterdir()}
    assert after.keys() == before.keys()
    for name in DAMAGES:
        file = store._path("program", f"times {name} float32[]").name
        kept = damaged.get(file) == stamp(folder / file)
        assert kept == (name == "whole"), name
        if name != "another's":
            assert abs(after[file].st_size - before[file].st_size) < 200
        assert compile_cache._read(folder / file) is not None


def failing(error: Exception):
    def call(*_):
        raise error

    return call


@pytest.fixture
def places(tmp_path):
    """Two places to compile in, with room."""
    made = [tmp_path / "first", tmp_path / "second"]
    for place in made:
        place.mkdir()
    return made


def test_what_is_compiled_in_is_there_for_that_moment_alone(places):
    made = Staging(places)
    assert made.path.parent == places[0]
    with made.holding(places[0], "a.pb", b"program") as folder:
        assert [file.read_bytes() for file in folder.iterdir()] == [b"program"]
        assert folder.stat().st_mode & 0o77 == 0
    assert list(places[0].iterdir()) == []


def test_a_disk_that_is_full_when_a_program_is_written_is_done_without(tmp_path, places):
    made = Staging(places)
    store = compile_cache.Graphs(tmp_path, made)
    seen = []

    def call():
        seen.append(made.path.resolve().parent)
        if len(seen) == 1:
            raise OSError(f"{made.path}/xla.pb; No space left on device")
        (made.path / "xla.pb").write_bytes(b"program")
        return 5

    assert store.compiled("a", call, call) == 5
    assert seen == places
    assert compile_cache._read(store._path("program", "a")) == b"xla.pb\nprogram"
    assert [list(place.iterdir()) for place in places] == [[], []]


def test_where_no_place_has_room_one_line_says_what_to_do(tmp_path, places):
    made = Staging(places)

    call = failing(OSError(f"{made.path}/xla.pb; No space left on device"))
    with pytest.raises(RunError, match=r"no space in .* \(.*No space left.*\); free some, or"):
        compile_cache.Graphs(tmp_path, made).compiled("a", call, call)


def test_an_error_of_the_program_itself_is_none_of_the_cache(tmp_path, places):
    call = failing(ValueError("its own"))
    with pytest.raises(ValueError, match="its own"):
        compile_cache.Graphs(tmp_path, Staging(places)).compiled("a", call, call)


def test_a_kept_program_that_tensorflow_refuses_is_dropped_and_made_under_another_name(
    tmp_path, places
):
    store = compile_cache.Graphs(tmp_path, Staging(places))
    compile_cache._write(store._path("program", "a"), b"xla.pb\nof another day")

    refuse = failing(ValueError("Serialized cache key does not match."))
    assert store.compiled("a", refuse, lambda: 7) == 7
    assert list(tmp_path.glob("program-*")) == []


@pytest.mark.parametrize("name", ["with a space", 'quo"ted'])
def test_a_place_whose_name_tensorflow_would_misread_is_passed_over(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / "plain").mkdir()
    assert Staging([tmp_path / name, tmp_path / "plain"]).path.parent == tmp_path / "plain"
    assert Staging([tmp_path / name]).path is None


def test_a_place_that_is_nearly_full_or_cannot_be_written_is_passed_over(
    tmp_path, places, monkeypatch
):
    (tmp_path / "file").touch()
    assert Staging([tmp_path / "missing", tmp_path / "file", places[1]]).path.parent == places[1]
    monkeypatch.setattr(cache_staging, "_LEAST", 1 << 62)
    assert Staging(places).path is None


def test_what_a_killed_process_has_left_is_removed_when_it_is_old(places):
    for name, age in ((f"{PREFIX}1-old", 10**5), (f"{PREFIX}2-new", 0), ("mine", 10**5)):
        (places[0] / name).mkdir()
        os.utime(places[0] / name, (time.time() - age,) * 2)
    Staging(places)
    assert {path.name for path in places[0].iterdir()} == {f"{PREFIX}2-new", "mine"}


@pytest.fixture
def fresh(monkeypatch):
    """As before `prepare` was ever called."""
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=0")
    monkeypatch.delenv(compile_cache.SWITCH, raising=False)
    monkeypatch.setattr(compile_cache, "_stores", {})
    return monkeypatch


def test_without_a_home_it_is_said_once_that_nothing_is_kept(fresh, capsys):
    homeless = failing(RuntimeError("Could not determine home directory."))
    fresh.setattr(compile_cache.platformdirs, "user_cache_dir", homeless)
    compile_cache.prepare()
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "compiled programs cannot be cached: Could not determine home directory.; each command "
        "compiles them again, DQN_COMPILE_CACHE=FOLDER caches them elsewhere"
    )
    assert os.environ["TF_XLA_FLAGS"] == "--tf_xla_auto_jit=0"
    compile_cache.prepare(quiet=True)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("odd", ["file", "file/below", "/dev/null", "/proc/none"])
def test_a_cache_folder_that_cannot_be_made_is_done_without(fresh, tmp_path, capsys, odd):
    (tmp_path / "file").touch()
    fresh.setenv(compile_cache.SWITCH, str(tmp_path / odd))
    compile_cache.prepare()
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot be cached" in line
    assert compile_cache.graphs() is None


def test_a_cache_that_is_read_only_is_read(fresh, tmp_path, capsys):
    fresh.setenv(compile_cache.SWITCH, str(tmp_path))
    folder = compile_cache.cache_folder()
    folder.mkdir()
    compile_cache.Graphs(folder)["a"] = b"graph"
    write = cache_staging.tempfile.TemporaryFile

    def refused(**options):
        if options.get("dir") == folder:
            raise PermissionError(30, "Read-only file system")
        return write(**options)

    fresh.setattr(cache_staging.tempfile, "TemporaryFile", refused)
    compile_cache.prepare()
    assert "Read-only file system" in capsys.readouterr().err
    assert compile_cache.graphs().get("a") == b"graph"


def test_a_cache_on_a_full_disk_is_done_without_with_a_line(fresh, tmp_path, capsys):
    fresh.setenv(compile_cache.SWITCH, str(tmp_path))
    fresh.setattr(cache_staging, "_LEAST", 1 << 62)
    compile_cache.prepare()
    assert f"{compile_cache.cache_folder()}: the disk is full" in capsys.readouterr().err


def test_another_users_cache_is_not_trusted(fresh, tmp_path, capsys):
    fresh.setattr(compile_cache.platformdirs, "user_cache_dir", lambda name: str(tmp_path / name))
    folder = compile_cache.cache_folder()
    folder.mkdir(parents=True)
    fresh.setattr(compile_cache.os, "geteuid", lambda: 12345)
    if folder.stat().st_uid == 0:
        os.chown(folder, 54321, -1)
    compile_cache.prepare()
    assert f"{folder} is another user's" in capsys.readouterr().err
    assert compile_cache.graphs() is None


def test_a_worker_compiles_in_a_folder_of_its_own(fresh, tmp_path):
    """It inherits the flags of its driver."""
    fresh.setenv(compile_cache.SWITCH, str(tmp_path))
    compile_cache.prepare()
    drivers, folder = os.environ["TF_XLA_FLAGS"], compile_cache.cache_folder()
    fresh.setattr(compile_cache, "_stores", {})
    compile_cache.prepare()
    workers = os.environ["TF_XLA_FLAGS"]
    assert workers.count(PREFIX) == drivers.count(PREFIX) == 1
    assert workers != drivers
    assert compile_cache.cache_folder() == folder


def test_a_cache_of_the_users_own_choosing_is_left_to_tensorflow(fresh):
    fresh.setenv("TF_XLA_FLAGS", "--tf_xla_persistent_cache_directory=/mine")
    compile_cache.prepare()
    assert os.environ["TF_XLA_FLAGS"] == "--tf_xla_persistent_cache_directory=/mine"
    assert compile_cache.graphs() is None


def test_a_folder_among_the_programs_does_not_count(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(bytes(10))
    compile_cache._shrink(tmp_path, most=5)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_the_program_of_a_new_name_gives_the_same():
    class Refusing(dict):
        def compiled(self, name, call, anew):
            return call(), anew()

    doubled = Compiled(lambda x: 2.0 * x, "doubled", kept=Refusing())
    assert [float(x) for x in doubled(tf.constant(4.0))] == [8.0, 8.0]
    assert float(doubled(tf.constant(5.0))) == 10.0
