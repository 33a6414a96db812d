"""The replay buffer, with an id in every field of a transition to prove that they stay together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dqn.agents.keras.replay_buffer import ReplayBuffer
from dqn.runtime.errors import UserError


def fill(buffer, count, first=0):
    """Transitions numbered from `first`: each field is a function of the number alone."""
    for i in range(first, first + count):
        buffer.append([i, -i], i % 5, 2.0 * i, [i + 0.5, 3 * i], i % 3 == 0)


def sampled(buffer, batch_size):
    batch = buffer.sample(batch_size)
    assert batch != []
    return batch


def numbers(batch):
    """The numbers of a sampled batch, once every field of it was found to agree."""
    i = batch.states[:, 0]
    np.testing.assert_array_equal(batch.states, np.stack([i, -i], 1))
    np.testing.assert_array_equal(batch.actions, i % 5)
    np.testing.assert_array_equal(batch.rewards, 2 * i)
    np.testing.assert_array_equal(batch.next_states, np.stack([i + 0.5, 3 * i], 1))
    np.testing.assert_array_equal(batch.terminals, i % 3 == 0)
    return i.astype(int)


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 40), st.integers(2, 130), st.integers(0, 2**32))
def test_it_holds_the_last_ones_whole_past_every_wrap_around(capacity, count, seed):
    buffer = ReplayBuffer(capacity, seed=seed)
    fill(buffer, count)
    held = range(max(0, count - capacity), count)
    assert len(buffer) == len(held)
    # Sixty batches of half the buffer miss a transition once in e^30 times.
    seen = [numbers(sampled(buffer, len(held) // 2)) for _ in range(60)]
    assert set(np.concatenate(seen)) == set(held)


def test_it_gives_nothing_until_it_holds_twice_the_batch():
    buffer = ReplayBuffer(100)
    assert buffer.sample(4) == []
    fill(buffer, 7)
    assert buffer.sample(4) == []
    fill(buffer, 1, first=7)
    assert len(sampled(buffer, 4).actions) == 4


def test_a_batch_is_contiguous_arrays_of_the_stated_types():
    buffer = ReplayBuffer(10)
    fill(buffer, 10)
    states, actions, rewards, next_states, terminals = sampled(buffer, 3)
    assert all(array.flags.c_contiguous for array in (states, actions, rewards, next_states))
    assert terminals.flags.c_contiguous
    assert (states.shape, next_states.shape) == ((3, 2), (3, 2))
    assert (actions.shape, rewards.shape, terminals.shape) == ((3,), (3,), (3,))
    assert (states.dtype, next_states.dtype, rewards.dtype) == (np.float32,) * 3
    assert (actions.dtype, terminals.dtype) == (np.int32, np.float32)


def test_a_batch_is_a_copy():
    buffer = ReplayBuffer(10)
    fill(buffer, 10)
    for array in sampled(buffer, 5):
        array[:] = 77
    numbers(sampled(buffer, 5))


def test_the_callers_arrays_may_change_after_they_were_stored():
    buffer = ReplayBuffer(2)
    state = np.zeros(2)
    for _ in range(2):
        buffer.append(state, 0, 0.0, state, False)
    state[:] = 5
    assert not sampled(buffer, 1).states.any()


def test_every_transition_is_equally_likely_and_may_come_twice_in_a_batch():
    buffer = ReplayBuffer(50, seed=3)
    fill(buffer, 80)
    drawn = np.concatenate([numbers(sampled(buffer, 25)) for _ in range(2000)])
    assert stats.chisquare(np.bincount(drawn)[30:]).pvalue > 0.001
    assert any(len(set(batch)) < 25 for batch in drawn.reshape(-1, 25))


def test_a_seed_settles_what_is_drawn():
    def draw(seed):
        buffer = ReplayBuffer(50, seed=seed)
        fill(buffer, 50)
        return [tuple(numbers(sampled(buffer, 25))) for _ in range(4)]

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
    assert draw(None) != draw(None)


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_capacity_below_one_is_refused(capacity):
    with pytest.raises(UserError, match="max_capacity must be at least 1"):
        ReplayBuffer(capacity)


@pytest.mark.parametrize(("state", "next_state"), [([1.0], [1.0, 2.0]), ([1.0, 2.0], [[1.0, 2.0]])])
def test_a_state_of_another_shape_is_refused(state, next_state):
    buffer = ReplayBuffer(5)
    fill(buffer, 1)
    with pytest.raises(UserError, match=r"shape of the first one stored, \(2,\)"):
        buffer.append(state, 0, 0.0, next_state, False)
    assert len(buffer) == 1


def test_what_is_stored_is_taken_for_what_it_plainly_is():
    buffer = ReplayBuffer(np.int64(4))
    for _ in range(4):
        buffer.append((1, 2.5), np.array([1]), np.array([[3.0]]), [np.float64(4), 5], np.array(1))
    batch = sampled(buffer, np.int32(2))
    assert batch.states.tolist() == [[1.0, 2.5]] * 2
    assert batch.next_states.tolist() == [[4.0, 5.0]] * 2
    assert (batch.actions.tolist(), batch.rewards.tolist()) == ([1, 1], [3.0, 3.0])
    assert batch.terminals.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, None),
        (0, ["a"]),
        (0, {}),
        (1, None),
        (1, -1),
        (1, 2**40),
        (2, "one"),
        (2, [1, 2]),
        (3, None),
        (4, 0.5),
    ],
)
def test_what_is_no_part_of_a_transition_is_refused(place, value):
    buffer, transition = ReplayBuffer(4), [[0.0], 1, 1.0, [1.0], False]
    transition[place] = value
    with pytest.raises(UserError, match="must be of one transition, got"):
        buffer.append(*transition)
    assert len(buffer) == 0


def test_an_action_between_two_and_a_negative_batch_are_refused():
    buffer = ReplayBuffer(4)
    with pytest.raises(UserError, match=r"action must be a whole number, got 1\.7"):
        buffer.append([0.0], 1.7, 1.0, [1.0], False)
    buffer.append([0.0], 1.0, 1.0, [1.0], False)
    with pytest.raises(UserError, match="batch_size must be at least 0, got -1"):
        buffer.sample(-1)


@pytest.mark.parametrize("capacity", [2.5, "many", None, True])
def test_a_capacity_that_is_no_whole_number_is_refused(capacity):
    with pytest.raises(UserError, match="max_capacity must be a whole number, got"):
        ReplayBuffer(capacity)
