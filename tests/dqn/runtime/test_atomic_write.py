"""File systems that lack what a disk has: locks, and a sync of files or of folders."""

import errno
import fcntl
import os
import stat

import pytest
from trainings import CONFIG, pairs, result

from dqn.runtime import atomic_write
from dqn.runtime.errors import RunError, UserError
from dqn.storage.results_dir import ResultsDir

NO_LOCKS = [errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.EIO, errno.EPERM]
REFUSED = [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS]


@pytest.fixture
def path(tmp_path):
    atomic_write._say_once.cache_clear()
    return tmp_path / "run"


def failing(number, concerns=lambda *_: True, otherwise=None):
    def call(*arguments):
        if concerns(*arguments):
            raise OSError(number, os.strerror(number))
        return otherwise(*arguments)

    return call


def of_folders(descriptor):
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


def of_files(descriptor):
    return not of_folders(descriptor)


@pytest.mark.parametrize("number", NO_LOCKS)
def test_without_locks_it_trains_and_says_that_two_must_not(path, monkeypatch, capsys, number):
    monkeypatch.setattr(fcntl, "flock", failing(number))
    with ResultsDir(path, CONFIG) as folder:
        folder.add(result(seed=0))
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{path}: this file system has no locks ({os.strerror(number)})" in line
    assert "two commands must not use this folder at the same time" in line
    assert (path / "seeds.csv").read_text().count("\n") == 2


def test_a_lock_that_is_held_is_refused_in_one_line(path, capsys):
    with ResultsDir(path, CONFIG):
        with pytest.raises(UserError, match=f"one run at a time .* process {os.getpid()} does"):
            ResultsDir(path, CONFIG)
        assert (path / ".lock").read_text() == str(os.getpid())
    ResultsDir(path, CONFIG).close()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("number", [*REFUSED, errno.EIO, errno.EBADF, errno.EACCES])
def test_a_folder_that_cannot_be_synced_is_done_without(path, monkeypatch, capsys, number):
    monkeypatch.setattr(os, "fsync", failing(number, of_folders, os.fsync))
    with ResultsDir(path, CONFIG) as folder:
        folder.add(result(seed=0))
        assert pairs(folder.episodes()) == [(0, 0)]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("number", REFUSED)
def test_files_that_cannot_be_synced_are_done_without_in_one_line(
    path, monkeypatch, capsys, number
):
    monkeypatch.setattr(os, "fsync", failing(number))
    with ResultsDir(path, CONFIG) as folder:
        folder.add(result(seed=0))
        folder.add(result(seed=1))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("this file system cannot sync files (")
    with ResultsDir(path, CONFIG) as folder:
        assert folder.finished() == {(0, 0), (0, 1)}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("concerns", [of_files, of_folders])
def test_a_disk_that_is_full_or_broken_stays_an_error(path, monkeypatch, number, concerns):
    if (number, concerns) == (errno.EIO, of_folders):
        return  # what some network file systems answer
    with ResultsDir(path, CONFIG) as folder:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", failing(number, concerns, os.fsync))
            with pytest.raises(RunError, match="writing failed"):
                folder.add(result(seed=0))
        assert folder.finished() == set()
