"""A study: Optuna alone. Ask for a trial, report at rungs, prune, race, tell, resume."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from optuna.trial import TrialState

from dqn.config import Config
from dqn.runtime.errors import RunError, UserError
from dqn.statistics.metrics import Metrics
from dqn.training.trial_source import Row, Trial
from sweeps.analysis.objective import Objective
from sweeps.search.endings import End
from sweeps.search.pruners import pruner
from sweeps.search.racing import Race
from sweeps.search.repeats import IN_A_ROW, RepeatedTrials
from sweeps.search.samplers import SamplerView, sampling
from sweeps.search.settings import Settings, refuse_unfit
from sweeps.search.space import Compose, Space, Value, overrides_of, params_of_row
from sweeps.search.study_storage import StudyStorage


class Study:
    """An Optuna study as a `TrialSource` of trials.

    **What a sample depends on.** Trial n is sampled from the study's settings, its seed, n, and
    the results of the trials up to n - `parallel`: it is given out once all of those are over, and
    what later trials have come to is not shown to the sampler. So it depends neither on which lanes
    were faster, nor on the number of workers, nor on when a command was killed and given again; and
    `parallel` trials are open at any time to keep the lanes busy. Racing keeps to the same rule.
    Pruners look at all that is known when they are asked, so what they prune does depend on time,
    and what is sampled afterwards with it. A command that resumes does not ask them again.

    **What is kept where.** seeds.csv, whose `rows` at the start are given here, is what the study
    goes by. The storage has every trial as soon as it is sampled, and its end as soon as it is
    over, for Optuna's tools, and to find the samples again. A trial that it does not have is in the
    columns of seeds.csv, or is sampled again, which by the above gives the same.

    **What trains nothing.** A configuration that `Config` refuses (`epsilon_min` above
    `epsilon_start`, say) fails; one that the study has already ends as that trial does, and is no
    rival of its own in a race. Both count as trials, and 20 of them in a row end the study.

    A trial that failed runs again where it is given again. Samplers that keep their place in a
    study go on knowing it as failed if they sampled anything with that knowledge.

    `compose` gives the configuration of overrides on top of `base`. `sampled_as` has the names by
    which samplers, which sort them, know parameters that were renamed since the study was begun.
    Raises `UserError` for settings that do not fit the space, and for a study that is another
    folder's; `RunError` where the storage fails.
    """

    def __init__(
        self,
        settings: Settings,
        space: Space,
        folder: Path,
        base: Config,
        compose: Compose,
        identity: str,
        rows: Iterable[Row],
        sampled_as: Mapping[str, str] | None = None,
    ):
        self._base, self._compose = base, compose
        self._objective = Objective(settings.objective, settings.aggregate)
        stages = settings.racing or (base.seeds,)
        self._race = Race(stages, settings.racing_keep, base.first_seed, self._objective)
        refuse_unfit(settings, base)
        names = {name: (sampled_as or {}).get(name, name) for name in space}
        named = {names[name]: distribution for name, distribution in space.items()}
        samples = sampling(settings.sampler, named, base, settings.seed)
        self._pruner, self._by_seed = pruner(settings.pruner, settings.rungs)
        self.rungs = tuple(settings.rungs) if self._by_seed is False else ()
        self.total = self._asked = min(settings.n_trials, samples.limit or settings.n_trials)
        waits = samples.learns or len(stages) > 1 or self._by_seed is not None
        self._parallel = settings.parallel or (self._race.open_trials if waits else self.total)

        self._rows: dict[int, list[Row]] = {}
        for row in rows:
            self._rows.setdefault(int(row["trial"] or 0), []).append(row)
        known = {n: params_of_row(own[0], space, compose) for n, own in self._rows.items()}
        self._storage = StudyStorage(settings, folder, identity, space, known)
        recorded = self._storage.trials
        self._sampled = known | {trial.number: trial.params for trial in recorded}
        self._known_ends = ends = self._storage.ends()
        self._pruned_before = {n for n, end in ends.items() if end.state == TrialState.PRUNED}
        self._reports = {trial.number: dict(trial.intermediate_values) for trial in recorded}
        self._view = SamplerView(samples, named, self._objective.minimised, names)

        self._params: list[dict[str, Value]] = []  # what was sampled, by number
        self._over = 0  # all trials below it are over
        self._ends: dict[int, End] = {}
        self._configs: dict[int, Config] = {}  # of trials that are open
        self._pruned = self._storage.pruned_at()  # step by number
        self._repeats = RepeatedTrials()

    def next(self) -> Trial | None:
        """As `TrialSource.next`; also None as long as the trial must not be sampled yet."""
        while (number := len(self._params)) < min(self.total, self._over + self._parallel):
            if number >= self._parallel:
                self._tell(number - self._parallel)
            self._params.append(self._sample(number))
            trial = self._trial(number)
            if self._repeats.are_all:
                self.total = number + 1
            if trial is not None:
                return trial
        return None

    def _trial(self, number: int) -> Trial | None:
        """The trial of a sample; None of one that `Config` refuses."""
        try:
            config = self._compose(self._params[number])
        except UserError as error:
            self._end(number, End(TrialState.FAIL, None, str(error)))
            self._repeats.refuse(str(error))
            return None
        original = self._repeats.add(number, config, number in self._rows)
        if original is not None:
            return Trial(number, config, (), same_as=original)
        self._reopen_failed(number)
        self._configs[number] = config
        if number in self._pruned_before and number in self._rows:
            seeds = sorted(int(row["seed"] or 0) for row in self._rows[number])
            return Trial(number, config, tuple(seeds))  # those it was trained with
        return Trial(number, config, self._race.seeds(0))

    @property
    def ended_early(self) -> str:
        """Why there are fewer trials than were asked for, in a line; "" where there are as many."""
        if not self._repeats.are_all or self.total == self._asked:
            return ""
        return (
            f"{IN_A_ROW} samples in a row were configurations that this study has already: it ends "
            f"with {self.total} of {self._asked} trials; for more, search a wider space under "
            "another name"
        )

    def keep_at_rung(self, number: int, rung: int, metrics: Mapping[int, Metrics]) -> bool:
        """As `TrialSource.keep_at_rung`: the objective there is step `rung` + 1 of the trial."""
        value = self._objective.of_metrics(metrics, self._configs[number])
        return self._keeps(number, rung + 1, value)

    def keep_after_seed(self, number: int, row: Row) -> bool:
        """As `TrialSource.keep_after_seed`: the seed's own metric is a step of the trial."""
        value = self._objective.of_seed(row) if self._by_seed else None
        step = int(row["seed"] or 0) - self._base.first_seed
        return value is None or self._keeps(number, step, value)

    def next_stage_seeds(self, number: int, rows: Sequence[Row]) -> tuple[int, ...]:
        """The next stage's, for a trial among the best of this one's; as `TrialSource` says.

        Compared are the values over the same seeds of the trials up to `number` - `parallel`; the
        trial itself is one of those whose best share goes on. While fewer than 4 are known all do.
        """
        if len(rows) not in self._race.stages[:-1]:
            return ()
        stage = self._race.stages.index(len(rows))
        seeds, known = self._race.seeds(stage + 1), self._known_ends.get(number)
        if any(row["seed"] in seeds for row in self._rows.get(number, ())):
            return seeds  # so it was decided under an earlier command
        value = self._objective.of_rows(rows)
        now = End(TrialState.COMPLETE, value)
        is_decided = known is not None and (known.raced or known.agrees(now))
        if is_decided or number in self._pruned:  # the latter as the last of its seeds ended
            return ()
        return seeds if self._race.goes_on(stage, value, number - self._parallel) else ()

    def on_trial_end(self, number: int, rows: Sequence[Row]) -> None:
        """As `TrialSource.on_trial_end`. An end that the storage has already is left."""
        original = self._repeats.original.get(number)
        if original is not None:
            self._reports[number] = self._reports.get(original, {})
            self._end(number, replace(self._ends[original], same_as=original))
            return
        self._race.add(number, rows)
        self._end(number, self._end_of(number, rows))
        del self._configs[number]

    def close(self) -> None:
        """Let go of the storage; whatever is over is in it already."""
        self._storage.close()

    def _tell(self, number: int) -> None:
        """Show the sampler how a trial ended."""
        end, failed_until = self._ends[number], self._storage.failed_until.get(number, 0)
        if self._view.counts and failed_until > number + self._parallel:
            end = End(TrialState.FAIL)  # as it was when a later trial was sampled
        self._view.tell(number, end, self._reports.get(number, {}))

    def _reopen_failed(self, number: int) -> None:
        """Let a trial that had failed and is to be trained again run again in the storage."""
        end, own = self._known_ends.get(number), self._rows.get(number, [])
        if end is None:
            return
        is_short = end.state == TrialState.FAIL and len(own) < self._race.stages[0]
        if is_short or any(row["status"] == "failed" for row in own):
            del self._known_ends[number]
            self._pruned_before.discard(number)
            self._storage.reopen(number, True)
            if self._pruned.get(number) == -1:  # an earlier version called it pruned
                del self._pruned[number]

    def _sample(self, number: int) -> dict[str, Value]:
        """The sample of a trial: as it is on record, or in seeds.csv, or a new one."""
        known = self._sampled.get(number)
        params = self._view.ask(known)
        if known is not None and params != known:
            raise RunError(
                f"trial {number} must be sampled as before, {' '.join(overrides_of(known))}, got "
                f"{' '.join(overrides_of(params))}; install the packages it was begun with, or "
                f"choose another name"
            )
        if number >= len(self._storage.trials):
            self._storage.add(params)
        return params

    def _keeps(self, number: int, step: int, value: float) -> bool:
        """Ask the pruner about a value at a step; what was asked before is decided as it was."""
        if not math.isfinite(value):
            return True
        if number in self._pruned:
            return step != self._pruned[number]
        reports = self._reports.setdefault(number, {})
        if step in reports or number in self._known_ends:
            return True
        if self._storage.prunes(number, step, value, self._pruner):
            self._pruned[number] = step
        reports[step] = value
        return number not in self._pruned

    def _end_of(self, number: int, rows: Sequence[Row]) -> End:
        statuses = [row["status"] for row in rows]
        if "failed" in statuses:
            return End(TrialState.FAIL, None, "a seed could not be trained")
        if "pruned" in statuses or number in self._pruned_before:
            reports = self._reports.get(number)
            return End(TrialState.PRUNED, reports[max(reports)] if reports else None)
        value = self._objective.of_rows(rows)
        if math.isfinite(value):
            return End(TrialState.COMPLETE, value, raced=len(rows) < self._race.stages[-1])
        bad = f"{statuses.count('diverged')} of {len(rows)} seeds diverged"
        return End(TrialState.FAIL, None, f"no finite {self._objective.metric}: {bad}")

    def _end(self, number: int, end: End) -> None:
        self._ends[number] = end
        while self._over in self._ends:
            self._over += 1
        known = self._known_ends.get(number)
        if known is None:
            self._storage.end(number, end)
        elif not known.agrees(end):
            self._storage.reopen(number, known.state == TrialState.FAIL)
            self._storage.end(number, end)
