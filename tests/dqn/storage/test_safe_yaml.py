"""YAML as it is written and read: every text comes back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqn.storage.safe_yaml import plain, written

STYLES = [{}, {"default_flow_style": True, "width": math.inf}, {"default_style": '"'}]
LINE_ENDS = ["\n", "\r", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("end", LINE_ENDS)
def test_what_may_end_a_line_comes_back(end, style):
    value = {"key": end, "list": [f"a{end}b", f" {end} x"], f"k{end}": 1}
    assert plain(written(value, **style)) == value


@given(st.dictionaries(st.text(), st.lists(st.text() | st.floats(allow_nan=False))))
def test_every_text_comes_back(value):
    for style in STYLES:
        assert plain(written(value, **style)) == value
    assert len(written(value, **STYLES[1]).splitlines()) == 1
