"""A machine's processors and memory, less what the control groups around this process leave."""

import os
import resource

import pytest

from dqn.config import Config, EnvConfig
from dqn.runtime import limits, machine
from dqn.workers.pool import WORKER_BYTES, worker_count

GIB = 2**30
UNIFIED = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup rw,nsdelegate\n"
VERSION_1 = (
    "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
)
UNLIMITED = "9223372036854771712"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A machine of 64 processors and 64 GiB, whose /proc and /sys are here."""
    monkeypatch.setattr(limits, "ROOT", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)), raising=False)
    write(tmp_path, "proc/meminfo", f"MemTotal: 1 kB\nMemAvailable: {64 * GIB // 1024} kB\n")
    return tmp_path


def write(root, name, text):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def grouped(root, groups, mounts):
    write(root, "proc/self/cgroup", groups)
    write(root, "proc/self/mountinfo", mounts)


def test_without_control_groups_there_is_what_the_machine_has(root):
    assert limits.cores() == 64
    assert limits.free_bytes() == 64 * GIB


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("max 100000", 64),
     ("6400000 50000", 64), ("", 64), ("nonsense", 64), ("100000 0", 64)],
)  # fmt: skip
@pytest.mark.parametrize("group", ["", "/system.slice", "/system.slice/job.scope"])
def test_a_quota_of_any_enclosing_group_counts(root, group, quota, cores):
    grouped(root, "0::/system.slice/job.scope\n", UNIFIED)
    write(root, f"sys/fs/cgroup{group}/cpu.max", quota)
    assert limits.cores() == cores
    assert machine.describe()["cores"] == cores


@pytest.mark.parametrize("group", ["", "/kubepods", "/kubepods/pod1"])
def test_a_quota_of_version_1_counts_too(root, group):
    grouped(root, "9:name=systemd:/x\n4:cpu,cpuacct:/kubepods/pod1\n0::/\n", VERSION_1)
    write(root, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1")
    write(root, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000")
    write(root, f"sys/fs/cgroup/cpu,cpuacct{group}/cpu.cfs_quota_us", "300000")
    write(root, f"sys/fs/cgroup/cpu,cpuacct{group}/cpu.cfs_period_us", "100000")
    assert limits.cores() == 3


def test_a_container_that_sees_its_own_group_alone(root):
    """Of the host's path, which /proc still names, only the part below it is mounted."""
    grouped(root, "0::/docker/abc/inner\n", UNIFIED.replace(" / ", " /docker/abc ", 1))
    write(root, "sys/fs/cgroup/inner/cpu.max", "400000 100000")
    assert limits.cores() == 4
    write(root, "sys/fs/cgroup/cpu.max", "200000 100000")
    assert limits.cores() == 2


def test_groups_are_found_where_they_usually_are_if_nothing_is_listed(root):
    write(root, "sys/fs/cgroup/cpu.max", "200000 100000")
    write(root, "sys/fs/cgroup/memory.max", f"{2 * GIB}")
    write(root, "sys/fs/cgroup/memory.current", f"{GIB}")
    assert limits.cores() == 2
    assert limits.free_bytes() == GIB


@pytest.mark.parametrize("name", ["memory.max", "memory.high"])
@pytest.mark.parametrize("group", ["", "/user.slice", "/user.slice/job"])
def test_a_limit_of_memory_of_any_enclosing_group_counts(root, group, name):
    grouped(root, "0::/user.slice/job\n", UNIFIED)
    for one in ("", "/user.slice", "/user.slice/job"):
        write(root, f"sys/fs/cgroup{one}/memory.max", "max")
        write(root, f"sys/fs/cgroup{one}/memory.current", f"{3 * GIB}")
        write(root, f"sys/fs/cgroup{one}/memory.stat", f"anon 5\ninactive_file {GIB}\n")
    write(root, f"sys/fs/cgroup{group}/{name}", f"{8 * GIB}")
    assert limits.free_bytes() == 6 * GIB


def test_a_limit_of_memory_of_version_1_counts_too(root):
    grouped(root, "4:memory:/pods/one\n", VERSION_1)
    for one, limit in (("", UNLIMITED), ("/pods", f"{4 * GIB}"), ("/pods/one", UNLIMITED)):
        write(root, f"sys/fs/cgroup/memory{one}/memory.limit_in_bytes", limit)
        write(root, f"sys/fs/cgroup/memory{one}/memory.usage_in_bytes", f"{GIB}")
        write(root, f"sys/fs/cgroup/memory{one}/memory.stat", "total_inactive_file 0\n")
    assert limits.free_bytes() == 3 * GIB


def test_a_limit_of_addresses_counts(root, monkeypatch):
    write(root, "proc/self/statm", "1000 1 1 1 0 1 0\n")
    monkeypatch.setattr(resource, "getrlimit", lambda of: (GIB, GIB))
    assert limits.free_bytes() == GIB - 1000 * resource.getpagesize()


def test_auto_is_as_many_workers_as_the_quota_and_memory_allow(root):
    stepped = [Config(env=EnvConfig(id="Blackjack-v1"))]
    grouped(root, "0::/\n", UNIFIED)
    assert worker_count("auto", 1000, stepped) == 64
    write(root, "sys/fs/cgroup/cpu.max", "200000 100000")
    assert worker_count("auto", 1000, stepped) == 2
    assert worker_count(7, 1000, stepped) == 7
    write(root, "sys/fs/cgroup/cpu.max", "50000 100000")
    assert worker_count("auto", 1000, stepped) == 0
    write(root, "sys/fs/cgroup/cpu.max", "max 100000")
    write(root, "sys/fs/cgroup/memory.max", f"{3 * WORKER_BYTES + 1}")
    write(root, "sys/fs/cgroup/memory.current", "0")
    assert worker_count("auto", 1000, stepped) == 3
    write(root, "sys/fs/cgroup/memory.current", f"{9 * WORKER_BYTES}")
    assert worker_count("auto", 1000, stepped) == 0


def test_a_machine_that_says_nothing(root, monkeypatch):
    (root / "proc/meminfo").unlink()
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    monkeypatch.setattr(resource, "getrlimit", lambda of: (resource.RLIM_INFINITY,) * 2)
    assert limits.cores() == 1
    assert limits.free_bytes() is None
    assert machine.processor()
