import numpy as np
import pytest

from dqn.statistics.formatting import (
    Estimate,
    count,
    format_interval,
    format_metric,
    format_number,
    format_p_value,
    format_setting,
    format_share,
)
from dqn.statistics.metrics import METRICS


def test_counts_in_words():
    assert [count(n, "trial") for n in (0, 1, 2, 1000)] == [
        "0 trials", "1 trial", "2 trials", "1,000 trials",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2941.0, "2940"), (7146.3, "7150"), (99999.0, "100000"), (123456.7, "123000"),
        (0.00025, "0.00025"), (1e-4, "0.0001"), (2.5e-5, "2.5e-05"), (0.0, "0"), (-3.0, "-3"),
        (np.inf, "inf"), (0.12345, "0.123"), (1.5e12, "1.5e+12"),
    ],
)  # fmt: skip
def test_numbers_of_usual_size_have_no_exponent(value, text):
    assert format_number(value, 3) == text
    assert format_number(np.float64(value), 3) == text


def test_a_setting_of_usual_size_has_no_exponent():
    assert [format_setting(v) for v in (12345.6, 50000.0, 0.00031416, 1e-6)] == [
        "12350", "50000", "0.0003142", "1e-06",
    ]  # fmt: skip
    values = (True, None, np.nan, "64x64", [64, 0.001], {"gravity": 9.8})
    texts = ["true", "none", "-", "64x64", "[64,0.001]", "{'gravity': 9.8}"]
    assert [*map(format_setting, values)] == texts


def test_a_metric_has_its_digits_and_an_episode_is_a_whole_number():
    of = {("collapse", 0.123): "0.12", ("mean_return", 45.0): "45.0", ("solved_at", 45): "45",
          ("solved_at", 45.25): "45.2", ("solved_at", np.inf): "-", ("test_return", None): "-",
          ("test_return", np.nan): "-"}  # fmt: skip
    assert {key: format_metric(key[1], METRICS[key[0]]) for key in of} == of


def test_an_interval_is_short_where_it_stands_alone_and_lines_up_behind_its_estimate():
    assert format_interval(98.34, 132.4) == "98.3–132"
    assert format_interval(-5.0, 3.21) == "-5 to 3.21"
    assert format_interval(None, 3.21) == format_interval(0.0, np.inf) == "-"
    assert Estimate.of(1.0, 0.54, 2.0).text(1) == "1.0 [0.5, 2.0]"
    assert Estimate.of(1.0, None, 2.0).text(2) == Estimate.of(1.0).text(2) == "1.00"
    assert Estimate.of(np.inf, 0.5, 2.0).text(2) == Estimate.of(None).text(2) == "-"


def test_nothing_is_less_than_nothing():
    assert Estimate(-0.01, (-0.04, 0.0)).text(1) == "0.0 [0.0, 0.0]"


def test_shares_and_p_values():
    assert [format_share(0.456), format_share(np.nan)] == ["46%", "-"]
    assert [*map(format_p_value, (0.0004, 0.0444, None))] == ["< 0.001", "0.044", "-"]
