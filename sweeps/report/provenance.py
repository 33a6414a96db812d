"""The end of a report's page: the commands that do it again, and what it was made with."""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.types import Quote, QuotedString

from dqn.compose.arguments import grammar_text
from dqn.compose.help_page import CONF
from dqn.config import Config, EnvConfig
from dqn.config.config import NON_RESULT_KEYS
from dqn.config.fields import override_text
from dqn.runtime.secrets import without_passwords
from dqn.storage import machines
from dqn.storage.safe_yaml import plain_of, written
from dqn.storage.trials import named
from sweeps.report.data import ReportData
from sweeps.report.page import Part, Section, Table, code, paragraph, terms

_WORD = re.compile(r"[A-Za-z_][\w-]*")
_OPEN = "gymnasium"  # the option of the group env that takes any id
_NOT_OF_A_TRIAL = ("seeds", "first_seed", *NON_RESULT_KEYS)


def again(data: ReportData) -> Section:
    """The commands for the best trial and for all of it; raises as `Results.config`."""
    results, trial = data.tables.results, data.best
    sweeps, folder = ["python", "-m", "sweeps"], str(results.path)
    what = "this configuration" if results.sweep is None else named(trial)
    commands = {f"Train {what} anew, with the same seeds:": run_command(results.config(trial))}
    whole = [row["seed"] for row in results.rows[trial] if row["status"] in ("done", "diverged")]
    if whole:
        words = [*sweeps, "reproduce", folder, "--trial", f"{trial}", "--seed", f"{whole[0]}"]
        text = "Train one of its seeds again and compare every number to the last bit:"
        commands[text] = shlex.join(words)
    if results.sweep is not None and results.part_of is None:
        text = "Measure the best trials on seeds that were never used:"
        commands[text] = shlex.join([*sweeps, "validate", folder])
    if overrides := _overrides(results.path):
        many = ["-m"] if results.sweep is not None else []
        text = "What was written after `python -m dqn.run` for all of it:"
        commands[text] = shlex.join([*many, *overrides])
    parts = [part for text, words in commands.items() for part in (paragraph(text), code(words))]
    return Section("again", "Do it again", parts)


def made(data: ReportData) -> Section:
    """Configuration, sweep, versions and machine."""
    results, trial = data.tables.results, data.best
    varied = {hyperparameter.name for hyperparameter in data.tables.hyperparameters}
    columns = ["key", "value" if results.sweep is None else named(trial), "varied"]
    rows = [
        [name, override_text(value), "yes" * bool({name, name.partition(".")[0]} & varied)]
        for name, value in flat(results.config(trial).to_mapping())
        if name not in _NOT_OF_A_TRIAL
    ]
    caption = f"Every key of the configuration.{' Nothing was varied.' * (not varied)}"
    parts: list[Part] = [
        Table("configuration", caption, columns, rows, columns, "Every key of the configuration")
    ]
    if results.sweep is not None:
        text = written(dict(results.sweep)).strip()
        parts.append(code(text, folded="What was swept, and how (sweep.yaml)"))
    known = machines.read(results.path)
    parts += [terms(flat(machine)) for machine in known]
    if not known:
        parts.append(paragraph("No machine is on record.", "note"))
    return Section("made", "How it was made", parts)


def _overrides(path: Path) -> list[str]:
    """What the command line said; nothing where it is not on record."""
    try:
        said = plain_of(path / ".hydra" / "hydra.yaml")["hydra"]["overrides"]
        words = [str(word) for word in (*said["hydra"], *said["task"])]
    except (OSError, ValueError, LookupError, TypeError):
        return []
    return [without_passwords(word) for word in words if not word.startswith("hydra.mode=")]


def run_command(config: Config) -> str:
    """`python -m dqn.run` with every key that is not the exercise's, quoted for a shell.

    Neither the name of a folder nor the number of workers, which no result depends on.
    """
    default = Config().to_mapping()
    keys = config.to_mapping()
    changed = [
        f"{name}={override_text(value)}"
        for name, value in keys.items()
        if name not in ("env", *NON_RESULT_KEYS) and value != default[name]
    ]
    return shlex.join(["python", "-m", "dqn.run", *_environment(config.env), *changed])


def _environment(env: EnvConfig) -> Iterator[str]:
    for path in sorted((CONF / "env").glob("*.yaml")):
        known = yaml.safe_load(path.read_bytes())
        if path.stem != _OPEN and EnvConfig(**known) == env:
            if env != Config().env:
                yield f"env={path.stem}"
            return
    yield f"env={_OPEN}"
    yield f"env.id={_quoted(env.id)}"
    for name in ("max_episode_steps", "solved_return"):
        if (value := getattr(env, name)) is not None:
            yield f"env.{name}={override_text(value)}"
    yield from (f"+env.kwargs.{name}={_quoted(value)}" for name, value in flat(env.kwargs))


def flat(values: Mapping[str, Any], outer: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values by dotted name; an empty mapping is one of them."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{outer}{name}.")
        else:
            yield f"{outer}{name}", value


def _quoted(value: Any) -> str:
    """As Hydra's grammar has it: text in quotes unless it is one word, and no number or flag."""
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_quoted, value))}]"
    if isinstance(value, str) and not (_WORD.fullmatch(value) and yaml.safe_load(value) == value):
        return QuotedString(value, Quote.single).with_quotes()
    return grammar_text(value)
