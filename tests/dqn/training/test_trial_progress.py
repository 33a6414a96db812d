"""How far a trial is: budgets, and rungs that do not depend on how chunks fall."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqn.config import Config
from dqn.training.trial_progress import TrialProgress, budget_spent
from dqn.training.trial_source import Trial

EPISODES = Config(episodes=8, steps=0)
STEPS = Config(episodes=0, steps=100)
BOTH = Config(episodes=8, steps=100)


def course_of(config, *seeds):
    return TrialProgress(Trial(3, config, seeds), threshold=None)


def add_episodes(progress, seed, returns, steps):
    progress.add_episodes(seed, np.asarray(returns, np.float32), np.asarray(steps))


def passed(progress, rungs):
    """The rungs newly passed, each with the mean return of every seed up to it."""
    return [
        (rung, {seed: m["mean_return"] for seed, m in metrics.items()})
        for rung, metrics in progress.rungs_passed(rungs)
    ]


@pytest.mark.parametrize(
    ("config", "episodes", "steps", "share"),
    [
        (EPISODES, 2, 10**6, 0.25),
        (STEPS, 10**6, 25, 0.25),
        (BOTH, 2, 50, 0.5),  # the nearer bound counts
        (BOTH, 6, 50, 0.75),
        (BOTH, 0, 0, 0.0),
        (STEPS, 3, 130, 1.0),  # an episode may end beyond the budget
    ],
)
def test_what_is_spent_of_a_budget(config, episodes, steps, share):
    assert budget_spent(config, episodes, steps) == share
    assert budget_spent(config, [0, episodes], [0, steps]).tolist() == [0.0, share]


def test_a_rung_in_episodes_by_hand():
    progress = course_of(EPISODES, 0, 1)
    add_episodes(progress, 0, [1, 2, 3], [1, 2, 3])
    assert passed(progress, [0.25, 0.5]) == []  # seed 1 has not begun
    add_episodes(progress, 1, [10], [1])
    assert passed(progress, [0.25, 0.5]) == []
    add_episodes(progress, 1, [20], [2])
    assert passed(progress, [0.25, 0.5]) == [(0, {0: 1.5, 1: 15.0})]  # the first 2 of 8 episodes
    assert passed(progress, [0.25, 0.5]) == []  # told once
    add_episodes(progress, 0, [4], [4])
    add_episodes(progress, 1, [30, 40, 50, 60], [3, 4, 5, 6])
    assert passed(progress, [0.25, 0.5, 0.75]) == [(1, {0: 2.5, 1: 25.0})]


def test_a_rung_in_steps_is_the_first_episode_that_ends_at_it_or_beyond():
    progress = course_of(STEPS, 0, 1)
    add_episodes(progress, 0, [1, 2, 3, 4], [20, 49, 50, 90])  # at the rung
    add_episodes(progress, 1, [1, 2, 3, 4], [20, 49, 51, 90])  # beyond it
    assert passed(progress, [0.5]) == [(0, {0: 2.0, 1: 2.0})]
    early = course_of(STEPS, 0)
    add_episodes(early, 0, [1, 2], [20, 49])
    assert passed(early, [0.5]) == []


def test_several_rungs_may_be_passed_at_once():
    progress = course_of(EPISODES, 0)
    add_episodes(progress, 0, range(8), range(8))
    assert passed(progress, [0.25, 0.5, 0.75]) == [(0, {0: 0.5}), (1, {0: 1.5}), (2, {0: 2.5})]


def test_a_seed_that_ended_early_counts_with_all_it_has():
    progress = course_of(EPISODES, 0, 1)
    add_episodes(progress, 0, [5], [1])
    add_episodes(progress, 1, [1, 3], [1, 2])
    assert passed(progress, [0.25]) == []
    progress.rows[0] = {"status": "diverged"}
    assert passed(progress, [0.25]) == [(0, {0: 5.0, 1: 2.0})]


def test_a_seed_that_ended_without_an_episode_has_no_metrics():
    progress = course_of(EPISODES, 0)
    progress.rows[0] = {"status": "diverged"}
    ((rung, means),) = passed(progress, [0.25])
    assert rung == 0
    assert means == {0: None}


def test_a_lost_seed_begins_anew():
    progress = course_of(EPISODES, 0)
    add_episodes(progress, 0, [9], [1])
    progress.forget(0)
    add_episodes(progress, 0, [1, 3], [1, 2])
    assert passed(progress, [0.25]) == [(0, {0: 2.0})]
    progress.forget(7)  # one of which nothing was heard


def test_a_seed_of_an_earlier_session_is_remembered():
    progress = course_of(EPISODES, 0, 1)
    progress.rows[0] = {"status": "done"}
    assert progress.seeds_without_episodes() == [0]
    add_episodes(progress, 0, [2, 4, 90], [1, 2, 3])
    assert progress.seeds_without_episodes() == []
    assert [job.key for job in progress.missing()] == [(3, 1)]
    add_episodes(progress, 1, [1, 1], [1, 2])
    assert passed(progress, [0.25]) == [(0, {0: 3.0, 1: 1.0})]


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=40),
    cuts=st.lists(st.integers(0, 40), max_size=6),
    rungs=st.lists(st.sampled_from([0.1, 0.25, 0.3, 0.5, 0.75, 0.9]), unique=True),
    config=st.sampled_from([EPISODES, STEPS, BOTH]),
)
def test_rungs_do_not_depend_on_how_chunks_fall(lengths, cuts, rungs, config):
    rungs = sorted(rungs)
    steps, returns = np.cumsum(lengths), np.arange(len(lengths))
    whole, parts = course_of(config, 0), course_of(config, 0)
    add_episodes(whole, 0, returns, steps)
    text = []
    for chunk in np.split(np.arange(len(lengths)), sorted(cuts)):
        if len(chunk):
            add_episodes(parts, 0, returns[chunk], steps[chunk])
        text += passed(parts, rungs)
    assert text == passed(whole, rungs)
    shares = budget_spent(config, returns + 1, steps)
    assert [rung for rung, _ in text] == [i for i, at in enumerate(rungs) if shares[-1] >= at]
