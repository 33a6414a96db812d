"""What compares two candidates, beside what the command `compare` is tested for."""

import pytest
from trainings import result

from sweeps.analysis.candidates import compare_samples, difference_of


@pytest.mark.parametrize("metric", ["mean_return", "solved_at"])
@pytest.mark.parametrize("first", [0, 2])
def test_a_difference_is_that_of_the_whole_comparison(metric, first):
    rows, others = (
        [
            result(0, seed, returns=[level + 7.0 * seed] * (12 + seed)).row(195.0, ())
            for seed in range(begin, begin + 4)
        ]
        for level, begin in ((190.0, 0), (191.0, first))
    )
    alone = difference_of(rows, others, metric)
    assert alone == compare_samples(rows, others, metric).difference
    assert alone.value is not None
