"""Lines of seeds.csv against what was written: the same, the same in other words, or another."""

import difflib
import itertools
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Literal

import pandas as pd

from dqn.runtime.errors import UserError
from dqn.statistics.metrics import METRICS, metrics_of
from dqn.storage.columns import Cell, Row
from dqn.storage.parts import Kept
from dqn.storage.seeds import SeedsTable
from dqn.storage.seeds_text import FOLLOWING, RowId, SeedsText, checksum_of, line_of

Verdict = Literal["as written", "rounded", "kept", "restored", "unproven"]

_ROUNDED = 1e-5  # what a spreadsheet leaves of a number that it shows in few digits
_ALIKE = 0.5  # of a damaged line and the one that it was, at least
_MOST = 100  # lines that a damaged one is compared with
_MOST_MISSING, _MOST_PROOFS = 10, 5  # columns, and lines, of which each subset is tried


class Lines:
    """What `kept`, of each training the part that keeps its line, says of the rows of `seeds`.

    `base` are the columns of the base configuration, `varied` says of which trials differ,
    `threshold` of a row what return counts as solved.
    """

    def __init__(
        self,
        seeds: SeedsTable,
        kept: Mapping[RowId, Kept],
        base: Mapping[str, Cell],
        varied: Callable[[str], bool],
        threshold: Callable[[Row], float | None],
    ):
        self._seeds, self._kept, self._base = seeds, kept, base
        self._varied, self._threshold = varied, threshold
        self._sets: tuple[tuple[str, ...], ...] | None = None

    def stored(self, key: RowId) -> Row | None:
        """The row that a part keeps of a training, with our columns; None where it keeps none."""
        kept = self._kept.get(key)
        line = kept.line(key) if kept else None
        if kept is None or line is None:
            return None
        try:
            data = f"{line_of(kept.columns)}{line}\n".encode()
            row = SeedsText(data, self._seeds.columns, self._base, lambda column: False).rows[key]
        except (ValueError, KeyError):
            return None
        return self._seeds.row(row)

    def is_as_written(self, key: RowId) -> bool:
        """Whether a row is the one that was written, in whatever form; of no known line it is."""
        text, kept = self._seeds.text, self._kept.get(key)
        if kept is None or key not in kept.checksums or key not in text.lines:
            return True
        line, row = text.lines[key], self._seeds.rows[key]
        if checksum_of(line) == kept.checksums[key]:
            return True
        forms = [line_of([row[name] for name in names])[:-1] for names in self._column_sets()]
        sums = (checksum_of(form.encode()) for form in forms)
        own = kept.lines.get(key)
        return kept.checksums[key] in sums or own in forms or own == line.decode("utf-8", "replace")

    def columns_of(self, key: RowId) -> Collection[str]:
        """Those that a training's line was written with, as far as that is known."""
        text, kept, row = self._seeds.text, self._kept.get(key), self._seeds.rows[key]
        if kept is not None and kept.lines:
            return kept.columns
        written = kept.checksums.get(key) if kept is not None else None
        if key in text.lines and checksum_of(text.lines[key]) == written:
            return text.header
        *others, default = self._column_sets()
        lines = (line_of([row[name] for name in names]) for names in others)
        sums = (checksum_of(line.encode()) for line in lines)
        return next((n for n, own in zip(others, sums, strict=True) if own == written), default)

    def _column_sets(self) -> tuple[tuple[str, ...], ...]:
        """What a line may have been written with: the file's columns, ours, or its version's."""
        if self._sets is None:
            ours, text = self._seeds.columns, self._seeds.text
            file = tuple(name for name in text.header if name in ours)
            self._sets = file, ours, self._of_version()
        return self._sets

    def _of_version(self) -> tuple[str, ...]:
        """Our columns without those of the missing ones that a line proves to be of later versions.

        Where none proves anything, without all missing metrics.
        """
        ours, missing = self._seeds.columns, self._seeds.text.missing
        sizes = range(len(missing) + 1 if len(missing) <= _MOST_MISSING else 0)
        later = [names for size in sizes for names in itertools.combinations(missing, size)]
        sets = [tuple(name for name in ours if name not in names) for names in later]
        for key, row in itertools.islice(self._seeds.rows.items(), _MOST_PROOFS):
            written = self._kept[key].checksums.get(key) if key in self._kept else None
            for names in sets if written is not None else ():
                if checksum_of(line_of([row[name] for name in names]).encode()) == written:
                    return names
        return tuple(name for name in ours if name not in METRICS or name not in missing)

    def judged(self, key: RowId, episodes: pd.DataFrame) -> tuple[Verdict, Row]:
        """What a row that is not as it was written is worth, and the row to go on with.

        `episodes` are its own. Where a part keeps the line, that line counts, and what its version
        did not write follows from the episodes. Of format 1, which kept its checksum alone, the row
        counts where its metrics are those of its episodes, and what does not differ between trials
        is the base configuration's.
        """
        row, missing = self._seeds.rows[key], self._seeds.text.missing
        if (stored := self.stored(key)) is not None:
            unwritten = self._unwritten(key)
            computed = self._computed(stored, episodes) if unwritten else {}
            stored |= {name: computed.get(name) for name in unwritten}
            written = [name for name in row if name not in (*missing, *unwritten)]
            others = [name for name in written if not _same(row[name], stored[name])]
            if not others:
                return "as written", stored
            is_near = all(_near(row[name], stored[name]) for name in others)
            return ("rounded" if is_near else "restored"), stored
        computed = self._computed(row, episodes)
        if not computed:
            return "unproven", row
        if "steps" not in missing:
            del computed["steps"]
        given = {name: value for name, value in computed.items() if name not in missing}
        base = {n: v for n, v in self._base.items() if n != "env" and not self._varied(n)}
        proven = {**row, **computed, **base}
        if missing and self.is_as_written(key):
            return "as written", {**proven, **{name: row[name] for name in given}}
        kept = self._kept.get(key)
        lines = (line_of([proven[name] for name in names]) for names in self._column_sets())
        if kept and kept.checksums.get(key) in [checksum_of(line.encode()) for line in lines]:
            return "restored", proven
        if all(_near(row[name], proven[name]) for name in (*given, *base)):
            return "kept", proven
        return "unproven", row

    def needs_episodes(self, key: RowId) -> bool:
        """Whether something of a row is to be computed from its episodes."""
        if key not in self._seeds.text.lines:  # it is restored from what a part keeps
            return bool(self._unwritten(key))
        return any(name in FOLLOWING for name in self._seeds.text.missing) or (
            not self.is_as_written(key)
        )

    def _computed(self, row: Row, episodes: pd.DataFrame) -> Row:
        """What follows from the episodes of a row; nothing where it is no configuration."""
        try:
            return computed_of(episodes, self._threshold(row))
        except (UserError, ValueError):
            return {}

    def _unwritten(self, key: RowId) -> list[str]:
        """Metrics that the version which wrote a training's line in its part did not know."""
        kept = self._kept.get(key)
        return [name for name in METRICS if kept and kept.lines and name not in kept.columns]

    def most_like(self, line: bytes, absent: Iterable[RowId]) -> RowId | None:
        """Which of the `absent` trainings a damaged line is of; None where no kept line is near."""
        message = line.decode("utf-8", "replace")
        begin, absent = message.split(",", 2)[:2], list(absent)
        for trial, seed in absent:
            if begin == [f"{trial}", f"{seed}"]:
                return trial, seed
        ratios = {
            key: difflib.SequenceMatcher(None, message, text, autojunk=False).ratio()
            for key in absent[:_MOST]
            if (text := self._kept[key].line(key))
        }
        best = max(ratios, key=ratios.__getitem__, default=None)
        return best if best is not None and ratios[best] > _ALIKE else None


def computed_of(episodes: pd.DataFrame, threshold: float | None) -> Row:
    """The columns of a row that follow from its episodes."""
    returns, lengths, step = (episodes[name].to_numpy() for name in ("return", "length", "step"))
    metrics = metrics_of(returns, lengths, threshold)
    return {
        "steps": int(step[-1]) if len(step) else 0,
        "episodes": len(returns),
        **{name: value for name, value in metrics.items() if not METRICS[name].of_test},
    }


def _same(one: Cell, other: Cell) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _near(one: Cell, other: Cell) -> bool:
    """Whether both are the same value, one of them perhaps in fewer digits."""
    is_real = isinstance(one, float) or isinstance(other, float)
    if is_real and isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=_ROUNDED, abs_tol=1e-12)
    return _same(one, other)
