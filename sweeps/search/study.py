"""A study: Optuna alone. Ask for a trial, report at rungs, prune, race, tell, resume."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from dqn.config import Config
from dqn.runtime.errors import RunError, UserError
from dqn.statistics.metrics import Metrics
from dqn.training.trial_source import Row, Trial
from sweeps.analysis.objective import Objective
from sweeps.search.endings import End
from sweeps.search.pruners import pruner
from sweeps.search.racing import Race
from sweeps.search.repeats import RepeatedTrials
from sweeps.search.sampler_view import SamplerView
from sweeps.search.samplers import sampling
from sweeps.search.settings import Settings, refuse_unfit
from sweeps.search.space import Compose, Space, Value, overrides_of, params_of_row
from sweeps.search.study_storage import StudyStorage


class Study:
    """An Optuna study as a `TrialSource` of trials.

    **What a sample depends on.** Trial n is sampled from the study's settings, its seed, n, and
    the results of the trials up to n - `parallel`: it is given out once all of those are over, and
    whatever later trials have come to by then is not shown to the sampler. So it does not depend on
    which lanes were faster, on the number of workers, or on when a command was killed and given
    again, and `parallel` trials are open at any time to keep the lanes busy. Racing keeps to the
    same rule. Pruners look at all that is known when they are asked; so what they prune does depend
    on time, and with them what is sampled afterwards. They are asked once: a command that goes on
    answers as the one before it did.

    **What is kept where.** seeds.csv, whose `rows` there were at the start are given here, is what
    the study goes by. The storage has every trial as soon as it is sampled, and its end as soon as
    it is over, for Optuna's tools, and to find the samples again. Where it does not have one, the
    columns of seeds.csv do, or it is sampled again, which by the above gives the same.

    A configuration that `Config` refuses (`epsilon_min` above `epsilon_start`, say) is reported as
    failed, counts as a trial, and the next one is given instead. One that the study has already is
    given as the same as that trial: it ends as that one does, counts as a trial, and is no rival of
    its own in a race. 20 in a row of either kind end the study: what a search of this space finds
    is found.

    A trial that failed runs again where it is given again. Samplers that keep their place in a
    study go on knowing it as failed if they sampled anything with that knowledge.

    `compose` gives the configuration of overrides on top of `base`. `sampled_as` has the names by
    which samplers, which sort them, know parameters that were renamed since the study was begun.
    Raises `UserError` for settings
    that do not fit the space, and for a study that is another folder's; `RunError` where the
    storage fails.
    """

    def __init__(
        self,
        settings: Settings,
        space: Space,
        folder: Path,
        base: Config,
        compose: Compose,
        identity: str,
        rows: Mapping[tuple[int, int], Row],
        sampled_as: Mapping[str, str] | None = None,
    ):
        optuna.logging.set_verbosity(optuna.logging.CRITICAL)
        self._space, self._base, self._compose = space, base, compose
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

        self._rows: dict[int, dict[int, Row]] = {}
        for (number, seed), row in rows.items():
            self._rows.setdefault(number, {})[seed] = row
        self._record = StudyStorage(
            settings.storage,
            folder,
            settings.name,
            self._objective.minimised,
            identity,
            space,
            {n: self._params_of_rows(n) for n in self._rows},
        )
        self._recorded: list[FrozenTrial] = self._record.trials
        self._known_ends = self._record.ends()
        self._reports = {t.number: dict(t.intermediate_values) for t in self._recorded}
        self._view = SamplerView(samples, named, self._objective.minimised, names)
        self._counts = samples.counts

        self._next = 0  # the number to be given next
        self._told = 0  # trials below it are known to the sampler
        self._over = 0  # all trials below it are over
        self._ends: dict[int, End] = {}
        self._params: list[dict[str, Value]] = []  # what was sampled, by number
        self._configs: dict[int, Config] = {}  # of trials that are open
        self._pruned = self._record.pruned_at()  # step by number
        self._repeats = RepeatedTrials()

    def next(self) -> Trial | None:
        """As `TrialSource.next`; also None as long as the trial must not be sampled yet."""
        while self._next < self.total and self._next - self._parallel < self._over:
            number = self._next
            while self._told <= number - self._parallel:
                self._tell(self._told)
                self._told += 1
            params = self._sample(number)
            self._params.append(params)
            self._next += 1
            try:
                config = self._compose(params)
            except UserError as error:
                self._end(number, End(TrialState.FAIL, None, str(error)))
                self._repeats.refuse(str(error))
                original, config = None, None
            else:
                original = self._repeats.add(number, config, number in self._rows)
            if self._repeats.are_all:
                self.total = self._next
            if config is None:
                continue
            if original is not None:
                return Trial(number, config, (), same_as=original)
            self._reopen_failed(number)
            self._configs[number] = config
            return Trial(number, config, self._seeds(number))
        return None

    @property
    def ended_early(self) -> str:
        """Why there are fewer trials than were asked for, in a line; "" where there are as many."""
        return self._repeats.told(self.total, self._asked)

    def keep_at_rung(self, number: int, rung: int, metrics: Mapping[int, Metrics]) -> bool:
        """As `TrialSource.keep_at_rung`: the objective there is step `rung` + 1 of the trial."""
        value = self._objective.of_metrics(metrics, self._configs[number])
        return self._keeps(number, rung + 1, value)

    def keep_after_seed(self, number: int, row: Row) -> bool:
        """As `TrialSource.keep_after_seed`: the seed's own metric is a step of the trial."""
        if not self._by_seed:
            return True
        value = self._objective.of_seed(row)
        step = int(row["seed"] or 0) - self._base.first_seed
        return self._keeps(number, step, math.nan if value is None else value)

    def next_stage_seeds(self, number: int, rows: Sequence[Row]) -> tuple[int, ...]:
        """The next stage's, for a trial among the best of this one's; as `TrialSource` says.

        Compared are the values over the same seeds of the trials up to `number` - `parallel`; the
        trial itself is one of those whose best share goes on. While fewer than 4 are known all do.
        """
        if len(rows) not in self._race.stages[:-1]:
            return ()
        stage = self._race.stages.index(len(rows))
        seeds, known = self._race.seeds(stage + 1), self._known_ends.get(number)
        if not self._rows.get(number, {}).keys().isdisjoint(seeds):
            return seeds  # so it was decided under an earlier command
        value = self._objective.of_rows(rows)
        if number in self._pruned:  # as the last of its seeds ended
            return ()
        if known is not None and (known.raced or known.agrees(End(TrialState.COMPLETE, value))):
            return ()  # decided as well
        return seeds if self._race.goes_on(stage, value, number - self._parallel) else ()

    def on_trial_end(self, number: int, rows: Sequence[Row]) -> None:
        """As `TrialSource.on_trial_end`. An end that the storage has already is left."""
        original = self._repeats.original(number)
        if original is not None:
            self._reports[number] = self._reports.get(original, {})
            self._end(number, replace(self._ends[original], same_as=original))
            return
        self._race.add(number, rows)
        self._end(number, self._end_of(number, rows))
        del self._configs[number]

    def close(self) -> None:
        """Let go of the storage; whatever is over is in it already."""
        self._record.close()

    def _params_of_rows(self, number: int) -> dict[str, Value] | None:
        """What rows of seeds.csv say that a trial was sampled as; None where they do not."""
        row = next(iter(self._rows[number].values()))
        return params_of_row(row, self._space, self._compose)

    def _tell(self, number: int) -> None:
        """Show the sampler how a trial ended."""
        end = self._ends[number]
        if self._counts and self._record.sampled_as_failed(number) > number + self._parallel:
            end = End(TrialState.FAIL)  # as it was when a later trial was sampled
        self._view.tell(number, end.state, end.value, self._reports.get(number, {}))

    def _reopen_failed(self, number: int) -> None:
        """Let a trial that had failed and is to be trained again run again in the storage."""
        end, own = self._known_ends.get(number), self._rows.get(number, {})
        if end is None:
            return
        failed = any(row["status"] == "failed" for row in own.values())
        if failed or (end.state == TrialState.FAIL and len(own) < self._race.stages[0]):
            del self._known_ends[number]
            self._record.reopen(number, True)
            if self._pruned.get(number) == -1:  # an earlier version called it pruned
                del self._pruned[number]

    def _sample(self, number: int) -> dict[str, Value]:
        """The sample of a trial: as it is on record, or in seeds.csv, or a new one."""
        known = None
        if number < len(self._recorded):
            known = self._recorded[number].params
        elif number in self._rows:
            known = self._params_of_rows(number)
        params = self._view.ask(known)
        if known is not None and params != known:
            raise RunError(
                f"trial {number} must be sampled as before, {' '.join(overrides_of(known))}, got "
                f"{' '.join(overrides_of(params))}; install the packages it was begun with, or "
                f"choose another name"
            )
        if number >= len(self._recorded):
            self._record.add(params)
        return {name: params[name] for name in self._space}

    def _seeds(self, number: int) -> tuple[int, ...]:
        """The seeds a trial is given out with: of one pruned before, those it was trained with."""
        if self._is_known_as_pruned(number) and number in self._rows:
            return tuple(sorted(self._rows[number]))
        return self._race.seeds(0)

    def _keeps(self, number: int, step: int, value: float) -> bool:
        """Ask the pruner about a value at a step; what was asked before is answered as it was."""
        if not math.isfinite(value):
            return True
        if number in self._pruned:
            return step != self._pruned[number]
        reports = self._reports.setdefault(number, {})
        if step in reports or number in self._known_ends:
            return True
        if self._record.prunes(number, step, value, self._pruner):
            self._pruned[number] = step
        reports[step] = value
        return number not in self._pruned

    def _end_of(self, number: int, rows: Sequence[Row]) -> End:
        statuses = [row["status"] for row in rows]
        if "failed" in statuses:
            return End(TrialState.FAIL, None, "a seed could not be trained")
        if "pruned" in statuses or self._is_known_as_pruned(number):
            reports = self._reports.get(number)
            return End(TrialState.PRUNED, reports[max(reports)] if reports else None)
        value = self._objective.of_rows(rows)
        if math.isfinite(value):
            return End(TrialState.COMPLETE, value, raced=len(rows) < self._race.stages[-1])
        bad = statuses.count("diverged")
        return End(
            TrialState.FAIL,
            None,
            f"no finite {self._objective.metric}: {bad} of {len(rows)} seeds diverged",
        )

    def _end(self, number: int, end: End) -> None:
        self._ends[number] = end
        while self._over in self._ends:
            self._over += 1
        known = self._known_ends.get(number)
        if known is None:
            self._record.end(number, end)
        elif not known.agrees(end):
            self._record.reopen(number, known.state == TrialState.FAIL)
            self._record.end(number, end)

    def _is_known_as_pruned(self, number: int) -> bool:
        """Whether an earlier command ended a trial early."""
        end = self._known_ends.get(number)
        return end is not None and end.state == TrialState.PRUNED
