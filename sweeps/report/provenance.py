"""The end of a report's page: the commands that do it again, and what it was made with."""

import shlex
from pathlib import Path

from dqn.config.config import NON_RESULT_KEYS
from dqn.config.fields import override_text
from dqn.runtime.secrets import without_passwords
from dqn.statistics.metrics import METRICS
from dqn.storage import machines
from dqn.storage.safe_yaml import plain_of, written
from dqn.storage.trials import named
from sweeps.report.data import ReportData
from sweeps.report.page import Part, Section, Table, code, paragraph, points, terms
from sweeps.report.run_commands import flat, run_command

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
    parts: list[Part] = [
        Table("configuration", "Every key of the configuration.", columns, rows, words=columns)
    ]
    if results.sweep is not None:
        text = written(dict(results.sweep)).strip()
        parts.append(code(text, folded="What was swept, and how (sweep.yaml)"))
    known = machines.read(results.path)
    parts += [terms(flat(machine)) for machine in known]
    if not known:
        parts.append(paragraph("No machine is on record.", "note"))
    return Section("made", "How it was made", parts)


def reading(data: ReportData) -> Section:
    """What the words and the intervals mean."""
    lines = [
        "A trial is one configuration, trained with several seeds. IQM, the interquartile mean, "
        "is the mean of the middle half of them (Agarwal et al. 2021); its 95 % interval is a "
        "percentile bootstrap over them.",
        "No seed is dropped in silence. A diverged seed counts with what it earned, and in what it "
        "never earned as worse than every other. A pruned trial is in no interval of a "
        "hyperparameter.",
        " ".join(f"{metric.title}: {metric.meaning}." for metric in METRICS.values()),
    ]
    if data.tables.design == "sampled":
        lines.append(
            "The sampler tries more values where results are good. So the trials of a region "
            "differ from others in other hyperparameters, too: an influence is what was got "
            "there, not what one hyperparameter does by itself."
        )
    return Section("reading", "How to read this", [points(lines)])


def _overrides(path: Path) -> list[str]:
    """What the command line said; nothing where it is not on record."""
    try:
        text = plain_of(path / ".hydra" / "overrides.yaml")
    except (OSError, ValueError):
        return []
    return [without_passwords(str(word)) for word in text] if isinstance(text, list) else []
