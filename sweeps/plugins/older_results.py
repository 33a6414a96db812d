"""What an earlier version left out of seeds.csv: put in by what the trials are known to be."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dqn.config import Config
from dqn.runtime.atomic_write import replacing
from dqn.runtime.errors import UserError
from dqn.storage.columns import hyperparameters, is_within
from dqn.storage.lock import Lock
from dqn.storage.seeds import env_columns


def add_columns(
    path: Path, base: Config, swept: Sequence[str], configs: Callable[[], Mapping[int, Config]]
) -> None:
    """Give the seeds.csv in the folder `path` the columns of the environment that it lacks.

    What varied between trials was not written down where it was swept with a +, or set by a preset.
    `configs` says by their numbers what the trials were trained with; it is asked where a column is
    missing. The file is left as it is where that is not known of all of its trials.
    """
    file = path / "seeds.csv"
    there = env_columns(file) if file.is_file() else None
    wanted = [name for name in hyperparameters(base, swept) if name.startswith("env.")]
    missing = [] if there is None else [name for name in wanted if not is_within(name, there)]
    if not missing:
        return
    lock = Lock(path)
    try:
        cells = {number: hyperparameters(of, missing) for number, of in configs().items()}
        # Whatever bytes are there stay as they are.
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
        header, *lines = csv.reader(text[: text.rfind("\n") + 1].splitlines())
        trial, place = header.index("trial"), header.index("env") + 1
        table: list[list[Any]] = [[*header[:place], *missing, *header[place:]]]
        for line in filter(None, lines):
            own = cells[int(line[trial])]
            table.append([*line[:place], *(own[name] for name in missing), *line[place:]])
        with (
            replacing(file, durable=True) as temporary,
            temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as written,
        ):
            csv.writer(written, lineterminator="\n").writerows(table)
    except (UserError, OSError, ValueError, LookupError, csv.Error):
        return
    finally:
        lock.close()
