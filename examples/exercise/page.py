"""The page: a section per question, as Markdown with computed numbers."""

from collections.abc import Collection, Sequence

import numpy as np

from dqn.envs.registry_errors import known_solved_return
from dqn.plotting.training_figures import STEP_REWARD
from dqn.statistics.formatting import format_setting
from dqn.statistics.metrics import METRICS, WINDOW
from dqn.storage.trials import trial_row
from examples.exercise.figures import Growth, episodes_of, growth, realised
from examples.exercise.influence import METRIC, TITLE, Influence, cell, ranked, section
from sweeps.analysis.candidates import Candidate, SampleComparison, changes, compare_samples


def page(
    runs: Sequence[Candidate],
    studies: Sequence[Influence],
    commands: Sequence[str],
) -> str:
    """The whole page; `commands` made the folders, and it."""
    exercise, scaled, recommended = runs
    of_sweeps = " How many a sweep has is said with its results." * bool(studies)
    parts = [
        f"# Deep Q-Networks on {_task(exercise)}: the exercise's questions",
        f"Every number here was computed by the commands at the end. {_seeds(runs)}{of_sweeps} "
        "Brackets hold 95 % intervals; IQM is the interquartile mean.",
        "## Which loss?\n\n" + _which_loss(studies),
        "## Which output layer?\n\n" + _output_layer(runs),
        "## How does the loss evolve?\n\n" + _how_loss_evolves(runs),
        "## Are the Q-values a good output?\n\n" + _are_values_good(runs),
        "## Does scaling the rewards help?\n\n" + _scaling(exercise, scaled, studies),
        *(f"## What does each parameter do, around {study.base} (`{study.name}`)?\n\n"
          + section(study) for study in studies),
        "## Are there better hyperparameters?\n\n" + _better(exercise, scaled, recommended),
        "## How this page was made\n\n```sh\n" + "\n".join(commands) + "\n```",
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _task(run: Candidate) -> str:
    """The environment's name, without its version."""
    return run.config.env.id.rpartition("-v")[0] or run.config.env.id


def _seeds(runs: Sequence[Candidate]) -> str:
    """How many seeds each run has, and of how many where some are not in."""
    asked = [max(run.results.base.seeds, len(run.rows)) for run in runs]
    counts = [
        f"{len(run.rows)}" + f" of its {all_of_them}" * (len(run.rows) < all_of_them)
        for run, all_of_them in zip(runs, asked, strict=True)
    ]
    if len(set(counts)) == 1:
        return f"Each run has {counts[0]} seed{'s' * (counts[0] != '1')}."
    each = [f"`{run.name}` has {count}" for run, count in zip(runs, counts, strict=True)]
    return f"Of seeds {', '.join(each)}."


def _which_loss(studies: Sequence[Influence]) -> str:
    text = (
        "The mean squared TD error of the minibatch, (y − Q(s, a))², where the target "
        "y = c·r + γ max Q′(s′, ·) is held fixed: no gradient flows into it, and c scales the "
        "reward. It is regression on a moving target. Huber's loss is the same for small errors "
        "and grows only linearly beyond δ."
    )
    for study in studies:
        levels = study.hyperparameters.get("huber_delta", ())
        for level in (
            levels if any(other.is_base and other.value == np.inf for other in levels) else ()
        ):
            if level.against_base is not None:
                text += (
                    f" Around {study.base} (`{study.name}`, {study.seeds} a setting), "
                    f"δ = {format_setting(level.value)} instead of the squared error changes the "
                    f"{TITLE} by {level.against_base.difference.text(1)}; "
                    f"{_verdict(level.against_base, 'Huber’s loss', 'the squared error')}."
                )
    return text


def _output_layer(runs: Sequence[Candidate]) -> str:
    tops = []
    for run in runs:
        top = episodes_of(run).groupby("seed")["q"].max()
        tops.append(f"{top.median():.3g} in `{run.name}`")
    return (
        "Linear, one unit an action. A Q-value is a discounted sum of rewards, so it has no bounds "
        "that an activation could stand for: the largest mean Q-value of an episode was, in the "
        f"median seed, {', '.join(tops)}. A sigmoid would end at 1, and a softmax would make the "
        "values of all actions sum to 1, which values do not."
    )


def _how_loss_evolves(runs: Sequence[Candidate]) -> str:
    lines, apart = [], []
    for run in runs:
        frame = episodes_of(run)
        loss, returns = growth(frame, "loss"), growth(frame, "return")
        if loss is None or returns is None:
            continue
        lines.append(
            f"- `{run.name}`: the loss of the last {WINDOW} episodes is {_times(loss)} that of "
            f"the first {WINDOW} with an update, and higher in {loss.higher} of {loss.seeds} "
            f"seeds; the return is {_times(returns)} what it was."
        )
        if loss.ends[0] > 1.0 and returns.ends[0] > 1.0:
            apart.append(f"`{run.name}`")
    seen = f"In {' and '.join(apart)} both grew. " * bool(apart)
    return (
        "![Loss by episode](losses.png)\n\n" + "\n".join(lines) + "\n\n"
        f"{seen}The loss says how well the network fits targets that it moves itself, on "
        "minibatches from a memory that changes, in units of (scaled reward)²; longer episodes "
        "make larger values and so larger errors. It does not say how well the agent plays: judge "
        "by returns."
    )


def _are_values_good(runs: Sequence[Candidate]) -> str:
    lines = []
    for run in runs:
        frame = episodes_of(run)
        followed = realised(run, frame)
        if followed is None:
            continue
        late = frame.assign(gap=frame["q"] / followed)
        late = late[late["episode"] > late["episode"].max() - WINDOW]
        gaps = late.groupby("seed")["gap"].mean().dropna().to_numpy()
        low, high = np.quantile(gaps, [0.25, 0.75])
        lines.append(
            f"- `{run.name}`: over the last {WINDOW} episodes Q is {np.median(gaps):.2f} times "
            f"what followed (median of {len(gaps)} seeds; half of them {low:.2f} to {high:.2f})."
        )
    order = "The policy needs only their order: an agent can play well on values that are off."
    if not lines:
        return (
            "A Q-value estimates the discounted sum of the scaled rewards that follow. The records "
            "of these episodes do not tell what that sum was, so only the values are drawn.\n\n"
            f"![Q-values by episode](values.png)\n\n{order}"
        )
    return (
        "They can be checked: a Q-value estimates the discounted sum of the scaled rewards that "
        f"follow, and in {_task(runs[0])}, which pays the same at every step, the length of an "
        "episode says what that sum was.\n\n![Q-values and what followed](values.png)\n\n"
        + "\n".join(lines)
        + "\n\nNear 1 the values mean what they should. Above 1 they promise more than the policy "
        "keeps; the maximum in the target picks what is overestimated (van Hasselt et al. 2016). "
        f"{order}"
    )


def _bound(reward: float | None, gamma: float) -> str:
    """How far values go, where every step pays the same reward; None: it may not."""
    if reward is None:
        return "are sums of many rewards"
    if gamma == 1:
        return "grow with the episodes"
    way, sign = ("up", "") if reward > 0 else ("down", "-")
    return f"go {way} to {sign}1/(1 − γ) = {reward / (1 - gamma):.0f}"


def _scaling(
    exercise: Candidate,
    scaled: Candidate,
    studies: Sequence[Influence],
) -> str:
    versus = compare_samples(scaled.rows, exercise.rows, METRIC)
    scale, gamma = scaled.config.reward_scale, exercise.config.gamma
    bound = _bound(STEP_REWARD.get(exercise.config.env.id), gamma)
    more = ", ".join(_changes(exercise, scaled, {"reward_scale"}))
    apart = f" `{scaled.name}` differs in {more} too: its effect is not known apart."
    return (
        f"Rewards × {scale:g} in the target, returns reported as they are. The {TITLE} is "
        f"{_metric(scaled, METRIC)} instead of {_metric(exercise, METRIC)}; "
        f"{_verdict(versus, 'a seed with scaled rewards', 'one without')}. With "
        f"γ = {gamma:g} the values {bound}, far from the small outputs of a fresh network; "
        "scaled, they are of its own size, and so are the errors that Adam follows."
        + apart * bool(more)
        + _beside_scaling(exercise, studies)
    )


def _beside_scaling(exercise: Candidate, studies: Sequence[Influence]) -> str:
    """Whether the exercise's advice is the single change that does most around its own values."""
    scale = exercise.config.reward_scale
    for study in studies:
        ends = {hyperparameter: level for hyperparameter, level, _ in ranked(study.hyperparameters)}
        scaling = ends.get("reward_scale")
        if scaling is None or all(
            level.value != scale for level in study.hyperparameters["reward_scale"] if level.is_base
        ):
            continue
        more = [
            f"`{hyperparameter}={format_setting(level.value)}` ({cell(level.summary)})"
            for hyperparameter, level in ends.items()
            if level.reached > scaling.reached
        ]
        advice = (
            f" Of the factors tried alone in `{study.name}` ({study.seeds} a setting), "
            f"{format_setting(scaling.value)} did best ({cell(scaling.summary)})"
        )
        if not more:
            return f"{advice}, and no other single change tried there did as much."
        return f"{advice}; the advice is not what helps most: {' and '.join(more)} did more."
    return ""


def _better(*runs: Candidate) -> str:
    exercise, scaled, recommended = runs
    lines = [
        "| | " + " | ".join(f"`{run.name}`" for run in runs) + " |",
        "|---|" + "---|" * len(runs),
    ]
    lines += [
        f"| {metric.title} | " + " | ".join(_metric(run, name) for run in runs) + " |"
        for name, metric in METRICS.items()
    ]
    mark = known_solved_return(exercise.config.env)
    for title, share in (
        (
            ("solved", lambda row: row["solved_at"] is not None),
            (f"test ≥ {mark:g}", lambda row: (row["test_return"] or 0.0) >= mark),
        )
        if mark is not None
        else ()
    ):
        cells = [f"{sum(map(share, run.rows))} of {len(run.rows)}" for run in runs]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    versus = compare_samples(recommended.rows, scaled.rows, METRIC)
    verdict = _verdict(versus, f"a seed of `{recommended.name}`", f"one of `{scaled.name}`")
    return (
        "\n".join(lines) + f"\n\nIn the {TITLE} {verdict}. "
        f"`{recommended.name}` differs from `{exercise.name}` in "
        f"{', '.join(_changes(exercise, recommended)) or 'nothing'}."
    )


def _changes(run: Candidate, other: Candidate, known: Collection[str] = ()) -> list[str]:
    """The settings of `other` that `run` has not, but for the keys that are `known`."""
    changed = changes([run.config.to_mapping(), other.config.to_mapping()])
    return [
        f"`{key}={format_setting(new)}`" for key, (_, new) in changed.items() if key not in known
    ]


def _metric(run: Candidate, metric: str) -> str:
    return cell(trial_row(run.rows, ()), metric)


def _times(growth: Growth) -> str:
    low, high = growth.ends
    return f"{growth.ratio:.2g} [{low:.2g}, {high:.2g}] times"


def _verdict(versus: SampleComparison, one: str, other: str) -> str:
    """What P(one beats other) says, in words that its interval allows."""
    if versus.improvement.ends is None:
        return f"whether {one} beats {other} is not known"
    low, high = versus.improvement.ends
    chance = versus.improvement.text(2)
    if low <= 0.5 <= high:
        return f"whether {one} beats {other} is undecided (P = {chance})"
    return f"{one} {'beats' if low > 0.5 else 'loses to'} {other} with P = {chance}"
