"""Where and with what a number came about: no number means anything without."""

import contextlib
import platform
from collections.abc import Iterable
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dqn.runtime import limits
from dqn.runtime.version import VERSION

OWN = "dqn-study"
PACKAGES = ("tensorflow", "keras", "numpy", "gymnasium", OWN)


def describe() -> dict:
    """Processor, cores, versions and the date, as plain values."""
    return {
        "date": date.today().isoformat(),
        "processor": processor(),
        "cores": limits.cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version()} | versions(PACKAGES),
    }


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Installed versions, and this program's own; what is not installed is left out."""
    found = {}
    for package in packages:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = VERSION if package == OWN else version(package)
    return found


def format_versions() -> str:
    """On one line: this package's version, and those of what it builds on."""
    found = versions((OWN, *PACKAGES, "hydra-core", "optuna"))
    return " ".join(f"{name} {number}" for name, number in found.items())


def processor() -> str:
    """The processor's model name and, where Linux says so, its L2 cache."""
    models = [line.partition(":")[2].strip() for line in cpuinfo("model name")]
    if not models:
        return platform.processor() or platform.machine()
    try:
        cache = Path("/sys/devices/system/cpu/cpu0/cache/index2/size").read_text().strip()
    except OSError:
        return models[0]
    return f"{models[0]}, {cache} L2 a core"


def cpuinfo(*names: str) -> list[str]:
    """Lines of /proc/cpuinfo of these names, in order and each once; none without such a file."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    return sorted({line for line in lines if line.startswith(names)})
