"""Numbers are read past Hydra's parser: held against it."""

import pandas as pd
import pytest
from commands import here
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st

from dqn.compose.fast_compose import _number

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
    got = _number(f"lr={text}")
    if got is None:
        return
    hydra = PARSER.parse_overrides([f"lr={text}"])[0].value()
    assert (type(got), repr(got)) == (type(hydra), repr(hydra))


@pytest.mark.parametrize("text", ["lr=0.001", "buffer_size=-3", "env.max_episode_steps=1e3"])
def test_plain_numbers_of_known_keys_are_read_at_once(text):
    assert _number(text) is not None


@pytest.mark.parametrize("text", ["lrr=1", "+lr=1", "lr=abc", "lr=1,2", "lr=${gamma}", "env=1x"])
def test_what_is_no_number_of_a_known_key_is_left_to_hydra(text):
    assert _number(text) is None


def test_of_a_key_that_is_given_twice_the_last_value_counts(tmp_path, capfd):
    for texts, lr in ((["lr=0.5", "++lr=0.25"], 0.25), (["++lr=0.25", "lr=0.5"], 0.5)):
        folder = tmp_path / f"{lr}"
        small = ["gamma=0.5,0.6", "episodes=1", "test_episodes=0", "seeds=1", "workers=0"]
        assert here("-m", f"hydra.sweep.dir={folder}", *small, *texts) == 0
        assert set(pd.read_csv(folder / "seeds.csv").lr) == {lr}
