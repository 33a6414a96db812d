"""Counter-based random numbers: published answers, independence, distribution."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from dqn.agents import random
from dqn.agents.random import Stream


def uint32(*values):
    return [tf.constant(value, tf.uint32) for value in values]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_random123s_known_answers(key, counter, expected, compiled):
    threefry = random.threefry_2x32
    threefry = tf.function(threefry, jit_compile=True) if compiled else threefry
    assert tuple(int(word) for word in threefry(*uint32(*key), *uint32(*counter))) == expected


def test_a_word_is_threefry_of_seed_and_purpose_at_step_and_position():
    words = random.random_bits(tf.constant([7]), Stream.MINIBATCH, tf.constant([11]), 5)
    pairs = [
        random.threefry_2x32(*uint32(7, Stream.MINIBATCH), *uint32(11, position))
        for position in range(3)
    ]
    first, second = zip(*pairs, strict=True)
    np.testing.assert_array_equal(words[0], [int(word) for word in [*first, *second][:5]])


def test_a_lanes_words_do_not_depend_on_its_neighbours():
    seeds, steps = tf.constant([3, 9, 3]), tf.constant([0, 5, 6])
    together = random.random_bits(seeds, Stream.EXPLORATION, steps, 6)
    for lane in range(3):
        alone = random.random_bits(
            seeds[lane : lane + 1], Stream.EXPLORATION, steps[lane : lane + 1], 6
        )
        np.testing.assert_array_equal(together[lane : lane + 1], alone)


def test_no_two_of_seed_purpose_step_and_position_share_a_word():
    seeds, steps = (grid.ravel() for grid in np.meshgrid(np.arange(8), np.arange(8)))
    words = np.concatenate(
        [random.random_bits(tf.constant(seeds), p, tf.constant(steps), 6).numpy() for p in Stream]
    )
    # 1,920 random words collide with a chance of 4e-4; those of one fixed key never change.
    assert len(np.unique(words)) == words.size == 8 * 8 * 6 * len(Stream)


@pytest.mark.parametrize("other", [(1, Stream.START, 0), (0, Stream.TEST, 0), (0, Stream.START, 1)])
def test_streams_that_differ_in_one_thing_are_uncorrelated(other):
    def draw(seed, purpose, step):
        return random.uniform(tf.constant(seed), purpose, tf.constant(step), 20_000).numpy()

    correlation = np.corrcoef(draw(0, Stream.START, 0), draw(*other))[0, 1]
    assert abs(correlation) < 4 / np.sqrt(20_000)


def test_uniforms_are_evenly_spread_over_seeds_and_over_steps():
    index = tf.range(20_000)
    for seeds, steps in ((index, 0 * index), (0 * index, index)):
        u = random.uniform(seeds, Stream.START, steps, 1).numpy().ravel()
        assert stats.kstest(u, "uniform").pvalue > 0.001


@pytest.mark.parametrize("bound", [2, 3, 64, 5000])
def test_integers_have_equal_frequencies(bound):
    words = random.random_bits(tf.constant(5), Stream.MINIBATCH, tf.constant(0), 200_000)
    counts = np.bincount(random.to_integer(words, bound).numpy(), minlength=bound)
    assert len(counts) == bound
    assert stats.chisquare(counts).pvalue > 0.001


def test_the_ends_of_the_range_are_0_included_and_1_or_the_bound_excluded():
    ends = tf.constant([0, 0xFFFFFFFF], tf.uint32)
    np.testing.assert_array_equal(random.to_uniform(ends), [0.0, 1.0 - 2.0**-24])
    for bound in (1, 2, 5000, 2**31 - 1):
        np.testing.assert_array_equal(random.to_integer(ends, bound), [0, bound - 1])


def test_each_lane_has_its_own_bound():
    words = random.random_bits(tf.constant([1, 1]), Stream.MINIBATCH, tf.constant([0, 0]), 1000)
    drawn = random.to_integer(words, tf.constant([[10], [1000]])).numpy()
    assert drawn.min() >= 0
    assert drawn[0].max() == 9
    assert 900 < drawn[1].max() < 1000
