"""What a folder's tables say when it is opened: held against each other, mended, nothing lost.

seeds.csv and the parts of episodes.parquet say the same thing twice: each part keeps the lines of
its trainings. A line that was damaged is restored from there; one that somebody has changed is kept
where its episodes bear it out; what is in neither is set aside and trained again.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from dqn.storage import quarantine
from dqn.storage.columns import Cell, Row
from dqn.storage.episodes import EpisodeStore
from dqn.storage.lines import Lines
from dqn.storage.seeds import SeedsTable
from dqn.storage.seeds_text import RowId
from dqn.storage.trials import retried

_LOSSY = ("restored", "proven", "again")  # after these the file says less than it did


def open_tables(
    folder: Path,
    base: Mapping[str, Cell],
    varied: Callable[[str], bool],
    threshold: Callable[[Row], float | None],
) -> tuple[SeedsTable, EpisodeStore]:
    """seeds.csv and episodes.parquet of `folder`, made if they are not there.

    `base` are the hyperparameter columns with the base configuration's values, `varied` says of
    which trials differ, `threshold` of a row what return counts as solved. What was done is said in
    one line a file. Raises `RunError`, with seeds.csv as it was, where that cannot be understood.
    """
    return _Opening(folder, base, varied, threshold).tables()


class _Opening:
    def __init__(
        self,
        folder: Path,
        base: Mapping[str, Cell],
        varied: Callable[[str], bool],
        threshold: Callable[[Row], float | None],
    ):
        self._path = folder / "seeds.csv"
        self._episodes = EpisodeStore(folder / "episodes.parquet")
        self._totals, self._kept = self._episodes.totals, self._episodes.kept()
        sums = [it for kept in self._kept.values() for it in kept.checksums.values()]
        is_kept = not self._totals or any(kept.lines for kept in self._kept.values())
        self._seeds = SeedsTable(self._path, base, varied, sums, is_kept)
        self._was_lost = self._seeds.is_lost
        self._lines = Lines(self._seeds, self._kept, base, varied, threshold)
        self._problems: list[str] = []
        self._done: Counter[str] = Counter()
        self._gone = 0  # trainings whose episodes are
        self._without: set[RowId] = set()  # whose episodes a kill has left behind

    def tables(self) -> tuple[SeedsTable, EpisodeStore]:
        seeds, episodes = self._seeds, self._episodes
        if seeds.is_lost:
            self._restore_all()
        else:
            self._leave_second_tries()
            self._restore_damaged()
        self._judge()
        reasons = self._remove_incomplete()
        self._set_aside_unknown(reasons)
        aside = None
        is_lossy = seeds.foreign or any(self._done[kind] for kind in _LOSSY)
        if is_lossy and self._path.exists() and self._path.stat().st_size:
            aside = quarantine.copy_aside(self._path, self._path.parent)
        lines = {key: self._line(key, row) for key, row in seeds.rows.items()}
        episodes.keep(lines, seeds.columns, self._without)
        if is_lossy or self._done or self._gone or self._without or not seeds.fits:
            seeds.rewrite()
        self._say(aside)
        self._say_of_episodes(reasons)
        return seeds, episodes

    def _line(self, key: RowId, row: Row) -> str:
        """A row's line, by now the one that its part keeps where that keeps any."""
        kept = self._kept.get(key)
        if kept is not None and kept.columns == self._seeds.columns and (line := kept.line(key)):
            return line
        return self._seeds.line(row)[:-1]

    def _restore_all(self) -> None:
        """Of a file that is lost, each line that a part keeps with all its episodes."""
        for key in self._kept:
            row = self._lines.stored(key)
            if row is not None and self._totals[key] == row["episodes"]:
                self._seeds.rows[key] = row
        if self._totals:
            self._problems.append(": must have a line for each training, is lost")
            self._done["restored"] += len(self._seeds.rows)

    def _restore_damaged(self) -> None:
        """Find which trainings damaged lines are of, among those that have none."""
        text, rows = self._seeds.text, self._seeds.rows
        if text.header_damage:
            self._problems.append(f", line 1: {text.header_damage}")
            self._done["proven"] += 1
        damaged = [(f", line {n}: {reason}", line) for n, reason, line in text.damage]
        if any(kept.lines for kept in self._kept.values()):
            for key in [key for key in rows if key not in self._kept and rows[key]["episodes"]]:
                if not self._totals[key]:
                    reason = ": the line of trial {} seed {} must have episodes".format(*key)
                    damaged.append((f"{reason}, has none", text.lines.pop(key)))
                    del rows[key]
        absent = [key for key in self._kept if key not in rows]
        for reason, line in damaged:
            self._problems.append(reason)
            key = self._lines.most_like(line, absent)
            row = None if key is None else self._lines.stored(key)
            if key is None or row is None:
                self._done["again"] += 1
                continue
            absent.remove(key)
            rows[key] = row
            self._done["restored"] += 1
        if self._done["restored"]:
            self._restore_order()

    def _restore_order(self) -> None:
        """Restored lines stand where they stood, as far as it can be known."""
        rows, others = self._seeds.rows, list(self._seeds.text.lines)
        order = sorted(rows) if others == sorted(others) else list(self._kept)
        if set(order) >= rows.keys():
            for key in [key for key in order if key in rows]:
                rows[key] = rows.pop(key)

    def _leave_second_tries(self) -> None:
        """Undo what a kill has left of a training that was tried again, but has its old line."""
        trials: dict[int, list[Row]] = defaultdict(list)
        for (trial, _), row in self._seeds.rows.items():
            trials[trial].append(row)
        last = self._episodes.last_added(())
        for key in (key for rows in trials.values() for key in retried(rows)):
            expected = self._seeds.rows[key]["episodes"]
            is_begun = key in last and not self._lines.is_as_written(key)
            if is_begun or self._totals[key] != expected:
                self._without.add(key)
                self._totals[key] = 0
                self._kept.pop(key, None)
                if expected:
                    del self._seeds.rows[key]

    def _judge(self) -> None:
        """Hold each line against what its part keeps, and against its episodes."""
        rows = self._seeds.rows
        doubtful = {key for key in rows if self._lines.needs_episodes(key)}
        missing = self._seeds.text.missing
        # A column that no line was written with is of a later version: nothing is wrong.
        written = {name for key in rows for name in self._lines.columns_of(key)} if missing else ()
        found = self._episodes.episodes_of(doubtful) if doubtful else {}
        for key in [key for key in rows if key in doubtful]:
            verdict, row = self._lines.judged(key, found[key])
            rows[key] = row
            if verdict == "as written":
                continue
            problem = ": the line of trial {} seed {} must be as it was written, is not"
            self._problems.append(problem.format(*key))
            self._done["again" if verdict == "unproven" else verdict] += 1
            if verdict == "unproven":
                del rows[key]
        for name in (name for name in missing if name in written):
            self._problems.append(f": must have a column {name}, has none")
            self._done["added"] += 1

    def _remove_incomplete(self) -> list[tuple[str, Path]]:
        """Take out the rows whose episodes are not all there; why, and where what is there went."""
        rows, reasons = self._seeds.rows, list(self._episodes.aside)
        gone = {key: row for key, row in rows.items() if self._totals[key] != row["episodes"]}
        for key in gone:
            del rows[key]
        self._gone = len(gone)
        if gone:
            key, row = min(gone.items())
            reason = (
                f"trial {key[0]} seed {key[1]} must have the {row['episodes']} episodes that "
                f"seeds.csv says, has {self._totals[key]}"
            )
            asides = self._episodes.copy_aside(gone)
            reasons += [(f"{self._episodes.path}: {reason}", aside) for aside in asides]
        return reasons

    def _set_aside_unknown(self, reasons: list[tuple[str, Path]]) -> None:
        """Set aside the episodes of trainings without a line, unless a kill explains them."""
        rows = self._seeds.rows
        unknown = {key for key, count in self._totals.items() if count and key not in rows}
        unknown -= self._without | self._episodes.copied
        if not self._was_lost:
            unknown -= self._episodes.last_added(rows)
        if unknown:
            reason = "episodes of trial {} seed {} must have a line in seeds.csv, have none"
            text = f"{self._episodes.path}: {reason.format(*min(unknown))}"
            reasons += [(text, aside) for aside in self._episodes.copy_aside(unknown)]
            self._gone = max(self._gone, len(unknown))

    def _say(self, aside: Path | None) -> None:
        if not self._problems and aside is None:
            return
        first = self._problems[0] if self._problems else ": has columns that are not ours"
        more = f" and {len(self._problems) - 1} more like it" if len(self._problems) > 1 else ""
        words = {
            "restored": "restored from episodes.parquet",
            "proven": "proven by the lines below it",
            "rounded": "restored to all their digits",
            "kept": "kept, as the episodes bear it out",
            "added": "added, with what it was by default or follows from the episodes",
            "again": "trained again",
        }
        many = len(self._problems) > 1
        done = [
            f"{count} {word}" if many else word
            for kind, word in words.items()
            if (count := self._done[kind])
        ]
        outcome = f"; {', '.join(done)}" if done else ""
        copy = f"; the file as it was is now {aside.name}" if aside else ""
        quarantine.report(f"{self._path}{first}{more}{outcome}{copy}")

    def _say_of_episodes(self, reasons: Collection[tuple[str, Path]]) -> None:
        many = f"{self._gone} trainings are" if self._gone != 1 else "one training is"
        if reasons:
            (reason, first), *others = reasons
            more = f" and {len(others)} more like it" if others else ""
            quarantine.report(
                f"{reason}; it was set aside as {first.name}{more}, {many} done again"
            )
        elif self._gone:
            quarantine.report(
                f"{self._episodes.path}: the episodes of {self._gone} trainings are gone; they are "
                "done again"
            )
