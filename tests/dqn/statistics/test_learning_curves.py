import numpy as np
import pytest

from dqn.statistics.learning_curves import TrainingCurve, iqms, quartiles, smoothed, table_of
from dqn.statistics.metrics import interval, iqm

NAN = np.nan


def ended(status):
    """Two episodes, which end at steps 10 and 30, of a training that ends at step 35."""
    return TrainingCurve(np.array([10.0, 30.0]), np.array([1.0, 2.0]), 35.0, status)


def test_a_training_that_is_too_short_for_a_window_has_one_mean_at_its_end():
    np.testing.assert_array_equal(smoothed([1.0, 2.0, 6.0]), [NAN, NAN, 3.0])
    assert smoothed([]).size == 0


@pytest.mark.parametrize(
    ("status", "last"), [("done", 2.0), ("pruned", NAN), ("diverged", -np.inf), ("failed", -np.inf)]
)
def test_after_its_end_a_training_counts_by_its_status_or_not_at_all(status, last):
    places = np.array([5.0, 10.0, 29.0, 30.0, 35.0, 36.0])
    (by_status,) = table_of([ended(status)], places, "by status")
    np.testing.assert_array_equal(by_status, [NAN, 1.0, 1.0, 2.0, 2.0, last])
    (left_out,) = table_of([ended(status)], places, "left out")
    np.testing.assert_array_equal(left_out, [NAN, 1.0, 1.0, 2.0, 2.0, NAN])


def test_a_statistic_is_drawn_as_far_as_half_of_the_trainings_count():
    curves = [np.arange(4.0), np.arange(3.0), np.array([5.0])]
    np.testing.assert_array_equal(quartiles(curves)[0], [1, 2, 3])
    np.testing.assert_array_equal(quartiles(curves, fewest=3)[:, 0], [1, 0, 0, 2.5])
    assert quartiles(curves, fewest=4).shape == quartiles([]).shape == (4, 0)
    table = np.array([[1.0, 2.0, 4.0], [1.5, 3.0, NAN], [2.0, NAN, NAN]])
    middle, low, high = iqms(table, resamples=101)
    for place, sample in enumerate(([1.0, 1.5, 2.0], [2.0, 3.0])):
        expected = (iqm(sample), *interval(sample, resamples=101))
        assert (middle[place], low[place], high[place]) == expected
    assert np.isnan([middle[2], low[2], high[2]]).all()
    assert np.isnan(iqms(table)[1:]).all()
