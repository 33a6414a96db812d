"""A study: Optuna alone. Ask for a trial, report at rungs, prune, race, tell, resume."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from dqn.config import Config
from dqn.errors import RunError, UserError
from dqn.execution.source import Row, Trial
from dqn.results.columns import hyperparameters
from dqn.results.stats import Metrics
from sweeps.objective import Objective
from sweeps.pruners import pruner
from sweeps.record import Record
from sweeps.samplers import sampling
from sweeps.settings import Settings, refuse_unfit
from sweeps.space import Compose, Space, Value, overrides_of, params_of_row
from sweeps.view import View

_LANES = 160  # in training at once, or about to be: ten blocks of 16
_FEWEST, _MOST = 4, 64  # trials open at once
_IN_A_ROW = 20  # samples that no configuration takes, before a study gives up
_FEWEST_RIVALS = 4  # trials whose value is known, before a race leaves one behind


@dataclass(frozen=True, slots=True)
class _End:
    """How a trial ended."""

    state: TrialState
    value: float | None = None
    reason: str = ""


class Study:
    """An Optuna study as a `Source` of trials.

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

    A configuration that `Config` refuses (`epsilon_min` above `epsilon_start`, say) is told to be
    failed, counts as a trial, and the next one is given instead.

    `compose` gives the configuration of overrides on top of `base`. Raises `UserError` for settings
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
    ):
        optuna.logging.set_verbosity(optuna.logging.CRITICAL)
        self._space, self._base, self._compose = space, base, compose
        self._objective = Objective(settings.objective, settings.aggregate)
        self._stages = settings.racing or (base.seeds,)
        self._keep = settings.racing_keep
        refuse_unfit(settings, base)
        samples = sampling(settings.sampler, space, base, settings.seed)
        self._pruner, self._by_seed = pruner(settings.pruner, settings.rungs)
        self.rungs = tuple(settings.rungs) if self._by_seed is False else ()
        self.total = min(settings.n_trials, samples.limit or settings.n_trials)
        waits = samples.learns or len(self._stages) > 1 or self._by_seed is not None
        self._parallel = settings.parallel or (self._open_trials() if waits else self.total)

        self._rows: dict[int, dict[int, Row]] = {}
        for (number, seed), row in rows.items():
            self._rows.setdefault(number, {})[seed] = row
        self._record = Record(
            settings.storage,
            folder,
            settings.name,
            self._objective.minimised,
            identity,
            space,
            {n: params_of_row(next(iter(own.values())), space) for n, own in self._rows.items()},
        )
        self._recorded: list[FrozenTrial] = self._record.trials
        self._reports = {t.number: dict(t.intermediate_values) for t in self._recorded}
        self._view = View(samples, space, self._objective.minimised)

        self._next = 0  # the number to be given next
        self._told = 0  # trials below it are known to the sampler
        self._over = 0  # all trials below it are over
        self._ends: dict[int, _End] = {}
        self._params: list[dict[str, Value]] = []  # what was sampled, by number
        self._configs: dict[int, Config] = {}  # of trials that are open
        self._staged: list[dict[int, float]] = [{} for _ in self._stages]  # value by number
        self._pruned = self._record.pruned_at()  # step by number
        self._refused = 0  # trials in a row that no configuration takes

    def next(self) -> Trial | None:
        """As `Source.next`; also None as long as the trial must not be sampled yet."""
        while self._next < self.total and self._next - self._parallel < self._over:
            number = self._next
            while self._told <= number - self._parallel:
                end = self._ends[self._told]
                reports = self._reports.get(self._told, {})
                self._view.tell(self._told, end.state, end.value, reports)
                self._told += 1
            params = self._sample(number)
            self._params.append(params)
            self._next += 1
            try:
                config = self._compose(overrides_of(params))
            except UserError as error:
                self._refuse(number, str(error))
                continue
            self._refused = 0
            self._check_rows(number, config)
            self._configs[number] = config
            return Trial(number, config, self._seeds(number))
        return None

    def keep_at_rung(self, number: int, rung: int, metrics: Mapping[int, Metrics]) -> bool:
        """As `Source.keep_at_rung`: the objective there is step `rung` + 1 of the trial."""
        value = self._objective.of_metrics(metrics, self._configs[number])
        return self._keeps(number, rung + 1, value)

    def keep_after_seed(self, number: int, row: Row) -> bool:
        """As `Source.keep_after_seed`: the seed's own metric is a step of the trial."""
        if not self._by_seed:
            return True
        value = self._objective.of_seed(row)
        step = int(row["seed"] or 0) - self._base.first_seed
        return self._keeps(number, step, math.nan if value is None else value)

    def more_seeds(self, number: int, rows: Sequence[Row]) -> tuple[int, ...]:
        """As `Source.more_seeds`: the next stage's, for a trial among the best of this one's.

        Compared are the values over the same seeds of the trials up to `number` - `parallel`; the
        trial itself is one of those whose best share goes on. While fewer than 4 are known all do.
        """
        if len(rows) not in self._stages[:-1]:
            return ()
        stage = self._stages.index(len(rows))
        first = self._base.first_seed
        seeds = tuple(range(first + self._stages[stage], first + self._stages[stage + 1]))
        if number in self._pruned and self._rows.get(number, {}).keys().isdisjoint(seeds):
            return ()  # it was pruned as the last of its seeds ended
        value = self._objective.of_rows(rows)
        last = number - self._parallel
        rivals = [v for n, v in self._staged[stage].items() if n <= last]
        if len(rivals) >= _FEWEST_RIVALS:
            ahead = sum(self._objective.better(rival, value) for rival in rivals)
            if ahead >= max(1, math.ceil(self._keep * (len(rivals) + 1))):
                return ()
        if not math.isfinite(value):
            return ()
        return seeds

    def over(self, number: int, rows: Sequence[Row]) -> None:
        """As `Source.over`. A trial that the storage has as ended is left as it is there."""
        for seeds, values in zip(self._stages, self._staged, strict=True):
            own = [row for row in rows if int(row["seed"] or 0) < self._base.first_seed + seeds]
            if len(own) == seeds and all(row["status"] in ("done", "diverged") for row in own):
                value = self._objective.of_rows(own)
                if math.isfinite(value):
                    values[number] = value
        self._end(number, self._end_of(number, rows))
        del self._configs[number]

    def close(self) -> None:
        """Let go of the storage; whatever is over is in it already."""
        self._record.close()

    def _open_trials(self) -> int:
        """How many trials fill the lanes: what is decided by results waits for those below them."""
        usual = sum(self._stages) / len(self._stages)  # seeds of a trial, some of which stop early
        return min(max(math.ceil(_LANES / usual), _FEWEST), _MOST)

    def _sample(self, number: int) -> dict[str, Value]:
        """The sample of a trial: as it is on record, or in seeds.csv, or a new one."""
        known = None
        if number < len(self._recorded):
            known = self._recorded[number].params
        elif number in self._rows:
            known = params_of_row(next(iter(self._rows[number].values())), self._space)
        params = self._view.ask(known)
        if known is not None and params != known:
            raise RunError(
                f"trial {number} must be sampled as before, {' '.join(overrides_of(known))}, met "
                f"{' '.join(overrides_of(params))}; install the packages it was begun with, or "
                f"choose another name"
            )
        if number >= len(self._recorded):
            self._record.add(params)
        return {name: params[name] for name in self._space}

    def _seeds(self, number: int) -> tuple[int, ...]:
        """The seeds a trial is given out with: of one pruned before, those it was trained with."""
        if self._state_on_record(number) == TrialState.PRUNED and number in self._rows:
            return tuple(sorted(self._rows[number]))
        first = self._base.first_seed
        return tuple(range(first, first + self._stages[0]))

    def _check_rows(self, number: int, config: Config) -> None:
        """Refuse to add to rows of seeds.csv that another configuration was trained for."""
        columns = hyperparameters(config)
        for row in self._rows.get(number, {}).values():
            for name, value in columns.items():
                if name in row and row[name] != value:
                    raise RunError(
                        f"seeds.csv: trial {number} must have {name}={value}, has {row[name]}; "
                        f"choose another name for a new study"
                    )

    def _refuse(self, number: int, reason: str) -> None:
        self._end(number, _End(TrialState.FAIL, None, reason))
        self._refused += 1
        if self._refused == _IN_A_ROW:
            raise UserError(
                f"a space must hold configurations that can be trained, met {_IN_A_ROW} in a row "
                f"that cannot, the last: {reason}"
            )

    def _keeps(self, number: int, step: int, value: float) -> bool:
        """Ask the pruner about a value at a step; what was asked before is answered as it was."""
        if not math.isfinite(value):
            return True
        if number in self._pruned:
            return step != self._pruned[number]
        reports = self._reports.setdefault(number, {})
        if step in reports or self._state_on_record(number):
            return True
        if self._record.prunes(number, step, value, self._pruner):
            self._pruned[number] = step
        reports[step] = value
        return number not in self._pruned

    def _end_of(self, number: int, rows: Sequence[Row]) -> _End:
        statuses = [row["status"] for row in rows]
        if "pruned" in statuses or self._state_on_record(number) == TrialState.PRUNED:
            reports = self._reports.get(number)
            return _End(TrialState.PRUNED, reports[max(reports)] if reports else None)
        if "failed" in statuses:
            return _End(TrialState.FAIL, None, "a seed could not be trained")
        value = self._objective.of_rows(rows)
        if math.isfinite(value):
            return _End(TrialState.COMPLETE, value)
        bad = statuses.count("diverged")
        return _End(
            TrialState.FAIL,
            None,
            f"no finite {self._objective.metric}: {bad} of {len(rows)} seeds diverged",
        )

    def _end(self, number: int, end: _End) -> None:
        self._ends[number] = end
        while self._over in self._ends:
            self._over += 1
        if self._state_on_record(number) is None:
            self._record.end(number, end.state, end.value, end.reason)

    def _state_on_record(self, number: int) -> TrialState | None:
        """How a trial ended under an earlier command; None if it did not."""
        state = self._recorded[number].state if number < len(self._recorded) else None
        return state if state and state.is_finished() else None
