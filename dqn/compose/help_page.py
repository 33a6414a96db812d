"""The pages of `--help` and `--help all`, from what the keys say of themselves and from `conf/`.

Nothing but the standard library is imported: the page is there at once.
"""

import re
from collections.abc import Sequence
from dataclasses import Field
from pathlib import Path

from dqn.config import Config
from dqn.config.config import KEYS, key_of
from dqn.config.fields import override_text

_PACKAGE = Path(__file__).resolve().parents[1]
# In a wheel conf/ lies inside the package, in a checkout beside it.
CONF = _PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent / "conf"

DRY_RUN = "--dry-run"
"""The flag that Hydra does not know; `-h` and `--version` are ours too."""

# The heading above a key, here and in conf/config.yaml.
SECTIONS = {
    "env.id": "environment",
    "lr": "learning",
    "network": "network",
    "batch_size": "replay and updates",
    "target_update": "target network",
    "epsilon_start": "exploration",
    "reward_scale": "target and loss",
    "episodes": "budget, whichever is reached first",
    "seeds": "seeds and results",
}

_OPENING = """\
Train Deep Q-Networks, one configuration, a grid or a study, and see what each setting does.

  python -m dqn.run [key=value ...]      (dqn-run [key=value ...] where the package is installed)

examples
  python -m dqn.run lr=0.0005 target_update=200             one configuration, several seeds
  python -m dqn.run preset=scaled 'hidden=[32,32]' name=a   another network; into outputs/runs/a
  python -m dqn.run -m lr=1e-4,1e-3,1e-2 gamma=0.95,0.99    a grid: every pair; into outputs/sweeps
  python -m dqn.run sweep=tune name=cartpole                an Optuna study; again: resumes it
  python -m dqn.run -m 'lr=tag(log,interval(1e-4,1e-2))' hydra/sweeper=optuna      your own search
"""
_CLOSING = """\
* shape: another value needs another program; trainings that differ in other settings share one.

flags
  -m                    train every combination of key=value1,value2 side by side
  --dry-run             show what would be trained, how long that takes, and train nothing
  --cfg job             show the configuration that key=value ... makes; train nothing
  -sc install=bash      print shell completion: eval "$(dqn-run -sc install=bash)"
  --version             show the versions of this package and of its libraries
  --hydra-help          show all other flags; hydra.run.dir=PATH sets the folder
"""
_SHORT = """\
Train Deep Q-Networks, one configuration, a grid or a study, and see what each setting does.

  python -m dqn.run preset=recommended name=a                one configuration; outputs/runs/a
  python -m dqn.run -m lr=1e-4,1e-3 gamma=0.95,0.99 name=b   a grid: every pair; outputs/sweeps/b
  python -m dqn.run sweep=tune name=c                        an Optuna study; again: resumes it
"""
_REST = """\
--help all: every key with its meaning, range and default, and all flags
--dry-run: how long it will take; python -m sweeps --help: what to do with results"""
_MOST_USED = (
    "lr", "gamma", "hidden", "target_update", "epsilon_decay", "reward_scale", "episodes", "seeds",
)  # fmt: skip
_WIDEST_RANGE = 12
_DEFAULT = Config()


def asked_for(arguments: Sequence[str]) -> str:
    """The page that a command line asks for; "" where it asks for none."""
    if "--help=all" in arguments:
        return page()
    if {"-h", "--help"}.isdisjoint(arguments):
        return ""
    return page() if "all" in arguments else short_page()


def short_page() -> str:
    """What is needed first, in 20 lines at most."""
    rows = [(f"{group}=", _options(group)) for group in default_groups()]
    for name in _MOST_USED:
        about = key_of(KEYS[name])
        default = override_text(getattr(_DEFAULT, name))
        unit = f", {about.unit}" if about.unit.startswith("per ") else ""
        rows.append((f"{name}={default}", f"{about.meaning}{unit}"))
    width = max(len(word) for word, _ in rows)
    lines = [f"  {word:<{width}}  {text}" for word, text in rows]
    return "\n".join([_SHORT, *lines, "", _REST])


def _options(group: str) -> str:
    """Those of a group on a line, the one that is chosen unasked first."""
    default = default_groups()[group]
    options = sorted(file.stem for file in (CONF / group).glob("*.yaml"))
    if default in options:
        options.remove(default)
        options.insert(0, f"{default} (the default)")
    return ", ".join(options)


def page() -> str:
    """The whole page, lines of at most 120 characters."""
    return "\n".join([_OPENING, *_groups(), "", *_keys(), "", _CLOSING])


def default_groups() -> dict[str, str]:
    """The configuration groups a run is made of, each with the option that is chosen unasked."""
    return dict(re.findall(r"^  - (\w+): (\w+)$", (CONF / "config.yaml").read_text("utf-8"), re.M))


def _groups() -> list[str]:
    """One line an option of each group: its name and the first comment of its file."""
    lines = ["groups"]
    for group, default in default_groups().items():
        files = {file.stem: file for file in (CONF / group).glob("*.yaml")}
        for option in sorted(files, key=lambda name: (name != default, name)):
            about = re.search(r"^# (?!@)(.*)$", files[option].read_text("utf-8"), re.M)
            choice, mark = f"{group}={option}", " (default)" if option == default else ""
            lines.append(f"  {choice:<22}{about[1] if about else ''}{mark}")
    return lines


def _keys() -> list[str]:
    """The table of keys, a heading above each section."""
    titles = {"": ("key", "symbol", "default", "range", "unit", "meaning")}
    rows = titles | {name: _row(name, setting) for name, setting in KEYS.items()}
    widths = [max(map(len, column)) for column in zip(*rows.values(), strict=True)]
    lines = []
    for name, row in rows.items():
        lines += [SECTIONS[name]] if name in SECTIONS else []
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append(("  " + "  ".join(cells)).rstrip())
    return lines


def _row(name: str, setting: Field) -> tuple[str, ...]:
    about = key_of(setting)
    shape = "*" if about.kind == "shape" else ""
    span, meaning = about.range, about.meaning
    if len(span) > _WIDEST_RANGE:
        span, meaning = "a choice", f"{meaning}: {span.replace(' | ', ', ')}"
    default = getattr(_DEFAULT.env if name.startswith("env.") else _DEFAULT, setting.name)
    cells = (about.symbol, override_text(default), span, about.unit)
    return (name + shape, *(cell or "-" for cell in cells), meaning)
