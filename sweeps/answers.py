"""The course's page: a section a question, as Markdown with computed numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dqn.results.stats import METRICS, WINDOW
from dqn.results.trials import trial_row
from sweeps.compare import changes
from sweeps.contenders import TITLES, Against, Contender, against
from sweeps.lessons import Growth, Level, episodes_of, growth, ranked, realised, told
from sweeps.overview import digits_of, solved_return, spanned


def page(
    them: Sequence[Contender],
    studies: Mapping[str, Mapping[str, Sequence[Level]]],
    commands: Sequence[str],
) -> str:
    """The whole page; `studies` are the knobs of each sweep by its name, `commands` made it all."""
    exercise, scaled, recommended = them
    seeds = " and ".join(sorted({str(len(one.rows)) for one in them}))
    parts = [
        "# Deep Q-Networks on CartPole: the exercise's questions",
        f"Every number here is of {seeds} seeds a setting, with its 95 % interval in brackets, and "
        "was computed by the commands at the end. IQM is the interquartile mean.",
        "## Which loss?\n\n" + _which_loss(studies),
        "## Which output layer?\n\n" + _output_layer(them),
        "## How does the loss evolve?\n\n" + _how_loss_evolves(them),
        "## Are the Q-values a good output?\n\n" + _are_values_good(them),
        "## Does scaling the rewards help?\n\n" + _scaling(exercise, scaled, studies),
        *(f"## What does each parameter do, around {_base_of(found)}?\n\n" + _influence(name, found)
          for name, found in studies.items()),
        "## Are there better hyperparameters?\n\n" + _better(exercise, scaled, recommended),
        "## How this page was made\n\n```sh\n" + "\n".join(commands) + "\n```",
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _which_loss(studies: Mapping[str, Mapping[str, Sequence[Level]]]) -> str:
    text = (
        "The mean squared TD error of the minibatch, (y − Q(s, a))², where the target "
        "y = c·r + γ max Q′(s′, ·) is held fixed: no gradient flows into it, and c scales the "
        "reward. It is regression on a moving target. Huber's loss is the same for small errors "
        "and grows only linearly beyond δ."
    )
    for found in studies.values():
        for level in found.get("huber_delta", ()):
            if not level.is_base and level.against_base is not None:
                text += (
                    f" Around {_base_of(found)}, δ = {told(level.value)} instead of the squared "
                    f"error changes the {_objective()} by {_difference(level.against_base)}; "
                    f"{_verdict(level.against_base, 'Huber’s loss', 'the squared error')}."
                )
    return text


def _output_layer(them: Sequence[Contender]) -> str:
    tops = []
    for one in them:
        top = episodes_of(one).groupby("seed")["q"].max()
        tops.append(f"{top.median():.3g} in `{one.name}`")
    return (
        "Linear, one unit an action. A Q-value is a discounted sum of rewards, so it has no bounds "
        "that an activation could stand for: the largest mean Q-value of an episode was, in the "
        f"median seed, {', '.join(tops)}. A sigmoid would end at 1, and a softmax would make the "
        "values of all actions sum to 1, which values do not."
    )


def _how_loss_evolves(them: Sequence[Contender]) -> str:
    lines, apart = [], []
    for one in them:
        frame = episodes_of(one)
        loss, returns = growth(frame, "loss"), growth(frame, "return")
        if loss is None or returns is None:
            continue
        lines.append(
            f"- `{one.name}`: the loss of the last {WINDOW} episodes is {_times(loss)} that of "
            f"the first {WINDOW} with an update, and higher in {loss.higher} of {loss.seeds} "
            f"seeds; the return is {_times(returns)} what it was."
        )
        if loss.ends[0] > 1.0 and returns.ends[0] > 1.0:
            apart.append(f"`{one.name}`")
    seen = f"In {' and '.join(apart)} both grew. " * bool(apart)
    return (
        "![Loss by episode](losses.png)\n\n" + "\n".join(lines) + "\n\n"
        f"{seen}The loss says how well the network fits targets that it moves itself, on "
        "minibatches from a memory that changes, in units of (scaled reward)²; longer episodes "
        "make larger values and so larger errors. It does not say how well the agent plays: judge "
        "by returns."
    )


def _are_values_good(them: Sequence[Contender]) -> str:
    lines = []
    for one in them:
        frame = episodes_of(one)
        followed = realised(one, frame)
        if followed is None:
            continue
        late = frame.assign(gap=frame["q"] / followed)
        late = late[late["episode"] > late["episode"].max() - WINDOW]
        gaps = late.groupby("seed")["gap"].mean().dropna().to_numpy()
        low, high = np.quantile(gaps, [0.25, 0.75])
        lines.append(
            f"- `{one.name}`: over the last {WINDOW} episodes Q is {np.median(gaps):.2f} times "
            f"what followed (median of {len(gaps)} seeds; half of them {low:.2f} to {high:.2f})."
        )
    return (
        "They can be checked: a Q-value estimates the discounted sum of the scaled rewards that "
        "follow, and in CartPole, which pays the same at every step, the length of an episode says "
        "what that sum was.\n\n![Q-values and what followed](values.png)\n\n"
        + "\n".join(lines)
        + "\n\nNear 1 the values mean what they should. Above 1 they promise more than the policy "
        "keeps; the maximum in the target picks what is overestimated (van Hasselt et al. 2016). "
        "The policy needs only their order: an agent can play well on values that are off."
    )


def _scaling(
    exercise: Contender,
    scaled: Contender,
    studies: Mapping[str, Mapping[str, Sequence[Level]]],
) -> str:
    versus = against(scaled.rows, exercise.rows, "mean_return")
    scale = scaled.config.reward_scale
    return (
        f"Rewards × {scale:g} in the target, returns reported as they are. The {_objective()} is "
        f"{_metric(scaled, 'mean_return')} instead of {_metric(exercise, 'mean_return')}; "
        f"{_verdict(versus, 'a seed with scaled rewards', 'one without')}. With "
        f"γ = {exercise.config.gamma:g} the values go up to 1/(1 − γ) = "
        f"{1 / (1 - exercise.config.gamma):.0f}, far from the small outputs of a fresh network; "
        "scaled, they are of its own size, and so are the errors that Adam follows."
        + _beside_scaling(exercise, studies)
    )


def _beside_scaling(
    exercise: Contender, studies: Mapping[str, Mapping[str, Sequence[Level]]]
) -> str:
    """Whether the exercise's advice is the single change that does most around its own values."""
    metric, scale = "mean_return", exercise.config.reward_scale
    for found in studies.values():
        ends = {knob: level for knob, level, _ in ranked(found, metric)}
        scaling = ends.get("reward_scale")
        if scaling is None or all(
            level.value != scale for level in found["reward_scale"] if level.is_base
        ):
            continue
        reached = float(scaling.summary[metric] or 0.0)
        more = [
            f"`{knob}={told(level.value)}` ({_cell(level, metric)})"
            for knob, level in ends.items()
            if float(level.summary[metric] or 0.0) > reached
        ]
        told_best = f" Of the factors tried alone, {told(scaling.value)} did best "
        told_best += f"({_cell(scaling, metric)})"
        if not more:
            return f"{told_best}, and no other single change did as much."
        return f"{told_best}; the advice is not what helps most: {' and '.join(more)} did more."
    return ""


def _influence(name: str, found: Mapping[str, Sequence[Level]]) -> str:
    metric = "mean_return"
    lines = [
        f"![IQM of the {_objective()} by value of each knob]({name}.png)",
        "",
        "| knob | values apart by | best tried | base | P(best beats base) |",
        "|---|---|---|---|---|",
    ]
    for knob, best, span in ranked(found, metric):
        base = next(level for level in found[knob] if level.is_base)
        versus = best.against_base
        chance = "the base is best" if versus is None else spanned(
            versus.improvement, versus.improvement_interval, 2)  # fmt: skip
        lines.append(
            f"| `{knob}` | {span:.1f} | {told(best.value)}: {_cell(best, metric)} | "
            f"{told(base.value)}: {_cell(base, metric)} | {chance} |"
        )
    sure = [
        knob for knob, best, _ in ranked(found, metric)
        if best.against_base and (best.against_base.improvement_interval or (0.0,))[0] > 0.5
    ]  # fmt: skip
    told_sure = _best_alone(found, sure, metric) if sure else (
        "No other value of any knob beats the base's beyond doubt (interval of P above 0.5): one "
        "change alone does not improve on it."
    )  # fmt: skip
    return "\n".join(lines) + (
        f"\n\n{told_sure} The best of several values tried looks better than it is, and one knob "
        "at a time says nothing of two together."
    )


def _best_alone(found: Mapping[str, Sequence[Level]], sure: Sequence[str], metric: str) -> str:
    """The single changes that are surely better, the best first."""
    sign = 1.0 if METRICS[metric] < 0 else -1.0
    best = [(knob, level) for knob, level, _ in ranked(found, metric) if knob in sure]
    best.sort(key=lambda one: -sign * float(one[1].summary[metric] or 0.0))
    told_best = ", ".join(
        f"`{knob}={told(level.value)}` ({_cell(level, metric)})" for knob, level in best
    )
    return (
        "Another value than the base's is better beyond doubt (interval of P above 0.5) of these "
        f"knobs; changed alone, the best first: {told_best}."
    )


def _better(*them: Contender) -> str:
    exercise, scaled, recommended = them
    lines = [
        "| | " + " | ".join(f"`{one.name}`" for one in them) + " |",
        "|---|" + "---|" * len(them),
    ]
    lines += [
        f"| {TITLES[metric]} | " + " | ".join(_metric(one, metric) for one in them) + " |"
        for metric in METRICS
    ]
    mark = solved_return(exercise.config.env)
    for title, share in (
        (
            ("solved", lambda row: row["solved_at"] is not None),
            (f"test ≥ {mark:g}", lambda row: (row["test_return"] or 0.0) >= mark),
        )
        if mark is not None
        else ()
    ):
        cells = [f"{sum(map(share, o.rows))} of {len(o.rows)}" for o in them]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    changed = changes([exercise.config.to_mapping(), recommended.config.to_mapping()])
    settings = ", ".join(f"`{name}={_setting(new)}`" for name, (_, new) in changed.items())
    versus = against(recommended.rows, scaled.rows, "mean_return")
    return (
        "\n".join(lines) + "\n\nIn the " + _objective() + " "
        f"{_verdict(versus, 'a seed of `recommended`', 'one of `scaled`')}. "
        f"`recommended` differs from `exercise` in {settings}."
    )


def _setting(value: Any) -> str:
    """A value of a configuration, numbers with four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace(" ", "")


def _objective() -> str:
    return TITLES["mean_return"]


def _base_of(found: Mapping[str, Sequence[Level]]) -> str:
    base = next(level for levels in found.values() for level in levels if level.is_base)
    return f"reward_scale={told(base.rows[0]['reward_scale'])}"


def _metric(one: Contender, metric: str) -> str:
    return _of(trial_row(one.rows, ()), metric)


def _cell(level: Level, metric: str) -> str:
    return _of(level.summary, metric)


def _of(summary: Mapping[str, Any], metric: str) -> str:
    ends = summary[metric + "_low"], summary[metric + "_high"]
    return spanned(summary[metric], None if None in ends else ends, digits_of(metric))


def _times(growth: Growth) -> str:
    low, high = growth.ends
    return f"{growth.ratio:.2g} [{low:.2g}, {high:.2g}] times"


def _difference(versus: Against) -> str:
    return spanned(versus.difference, versus.difference_interval, 1)


def _verdict(versus: Against, one: str, other: str) -> str:
    """What P(one beats other) says, in words that its interval allows."""
    if versus.improvement is None or versus.improvement_interval is None:
        return f"whether {one} beats {other} is not known"
    low, high = versus.improvement_interval
    chance = spanned(versus.improvement, versus.improvement_interval, 2)
    if low <= 0.5 <= high:
        return f"whether {one} beats {other} is undecided (P = {chance})"
    return f"{one} {'beats' if low > 0.5 else 'loses to'} {other} with P = {chance}"
