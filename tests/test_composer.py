"""Numbers are read past Hydra's parser: held against it."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st

from dqn.composer import _number

PARSER = OverridesParser.create()


@given(
    st.floats().map(repr)
    | st.integers().map(str)
    | st.from_regex(r"[-+.0-9eE_x]{1,9}", fullmatch=True)
)
@example("007")
@example("5.")
@example(".5")
@example("1e400")
@example("1E-5")
def test_a_number_is_what_hydra_reads(text):
    met = _number(f"lr={text}")
    if met is None:
        return
    hydra = PARSER.parse_overrides([f"lr={text}"])[0].value()
    assert (type(met), repr(met)) == (type(hydra), repr(hydra))


@pytest.mark.parametrize("text", ["lr=0.001", "buffer_size=-3", "env.max_episode_steps=1e3"])
def test_plain_numbers_of_known_keys_are_read_at_once(text):
    assert _number(text) is not None


@pytest.mark.parametrize("text", ["lrr=1", "+lr=1", "lr=abc", "lr=1,2", "lr=${gamma}", "env=1x"])
def test_what_is_no_number_of_a_known_key_is_left_to_hydra(text):
    assert _number(text) is None
