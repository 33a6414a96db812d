"""A graph is traced once ever, and the same in every process: else no cache would find it again."""

import os

import numpy as np
import pytest
import tensorflow as tf
from commands import python

from dqn.runtime import compile_cache
from dqn.runtime.traced import Compiled

GRAPHS = """
import hashlib, sys
from dqn.runtime import compile_cache as runtime
runtime.prepare()
import tensorflow as tf
from dqn.agents.compiled_loop import Program
from dqn.agents.dqn import Hyper
from dqn.config import Config
from dqn.envs.program_key import Architecture, ProgramKey
from dqn.envs import dynamics_named
from dqn.training.lane_block import hyper_of

hyper = Hyper(*(tf.fill([2], value) for value in hyper_of(Config(), 0)))
for width in map(int, sys.argv[1:]):
    network = Architecture("mlp", (width,), "relu")
    key = ProgramKey("cartpole", "", network, "adam", 8, 16, 4, 2, 2)
    program = Program(key, dynamics_named("cartpole"))
    lanes, replay = program.empty()
    weights = [w[0] for w in lanes.learner.weights]
    for graph in (
        program.refill.graph(lanes, tf.ones([2], tf.bool), hyper),
        program.chunk.graph(lanes, replay, hyper, *map(tf.constant, (1, 1, 1))),
        program.test.graph(weights, tf.constant(0), tf.constant(9), episodes=3),
    ):
        print(width, hashlib.sha256(graph).hexdigest())
"""


def graphs_of(*widths: int) -> set[str]:
    done = python("-c", GRAPHS, *map(str, widths))
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines())


def nested(x, y):
    """With a function and a loop within, and results nested as no argument is."""
    count, x = tf.while_loop(lambda n, _: n < 3, lambda n, x: (n + 1, inner(x)), (0, x))
    return {"sum": x + y, "count": [count]}


@tf.function(autograph=False)
def inner(x):
    return 2.0 * x


def results(*_):
    return {"sum": None, "count": [None]}


def never(*_):
    raise AssertionError("traced")


def test_a_graph_is_the_same_whatever_was_traced_before_it():
    both = graphs_of(3, 5)
    assert len(both) == 2 * 3
    assert graphs_of(5) < both


def test_what_was_kept_is_not_traced_again_and_gives_the_same():
    kept = {}
    x, y = tf.constant([1.0, 2.0]), tf.constant(0.5)
    for function in (nested, never):
        out = Compiled(function, "nested", results, kept)(x, y)
        np.testing.assert_array_equal(out["sum"], [8.5, 16.5])
        assert out["count"][0].numpy() == 3
        assert len(kept) == 1


def test_other_types_names_and_static_values_are_kept_apart():
    kept = {}

    def times(x, factor=1):
        return x * factor

    for x in (tf.constant(3), tf.constant(3.0), tf.constant([3.0])):
        assert np.all(Compiled(times, "times", kept=kept)(x) == 3)
    assert Compiled(lambda x: x + 1, "other", kept=kept)(tf.constant(3)).numpy() == 4
    function = Compiled(times, "times", kept=kept)
    assert [int(function(tf.constant(3), factor=n)) for n in (1, 2, 1)] == [3, 6, 3]
    assert function.compilations == 2
    assert len(kept) == 3 + 1 + 2


def test_two_functions_of_one_name_do_not_meet():
    one, other = Compiled(lambda x: x + 1.0, "same"), Compiled(lambda x: x + 2.0, "same")
    assert [float(f(tf.constant(1.0))) for f in (one, other)] == [2.0, 3.0]
    assert one.compilations == other.compilations == 1


def test_results_nested_otherwise_than_was_said_are_refused():
    with pytest.raises(ValueError, match="structure"):
        Compiled(lambda x: (x, x), "pair")(tf.constant(1))


def test_graphs_in_a_folder_are_found_again_by_name_and_code(tmp_path, monkeypatch):
    compile_cache.Graphs(tmp_path)["a name"] = b"text" * 1000
    assert compile_cache.Graphs(tmp_path).get("a name") == b"text" * 1000
    assert compile_cache.Graphs(tmp_path).get("another") is None
    monkeypatch.setattr(compile_cache, "_code", lambda: "of another day")
    assert compile_cache.Graphs(tmp_path).get("a name") is None


@pytest.mark.parametrize(
    "damage", [lambda text: text[:-1], lambda text: b"", lambda text: b"x" + text]
)
def test_a_damaged_graph_is_none(tmp_path, damage):
    graphs = compile_cache.Graphs(tmp_path)
    graphs["a"] = bytes(range(200))
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert graphs.get("a") is None


def test_a_graph_with_a_flipped_bit_is_none(tmp_path):
    graphs = compile_cache.Graphs(tmp_path)
    graphs["a"] = bytes(range(50))
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for bit in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        file.write_bytes(flipped)
        assert graphs.get("a") in (None, bytes(range(50)))


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path):
    graphs = compile_cache.Graphs(tmp_path / "missing")
    graphs["a"] = b"text"
    assert graphs.get("a") is None


def test_graphs_are_kept_beside_the_compiled_programs(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_XLA_FLAGS", "")
    assert compile_cache.graphs() is None
    monkeypatch.setenv(compile_cache.SWITCH, str(tmp_path))
    compile_cache.prepare()
    kept = compile_cache.graphs()
    assert kept is not None
    kept["a"] = b"text"
    (folder,) = tmp_path.iterdir()
    assert len(list(folder.iterdir())) == 1
    monkeypatch.setattr(compile_cache, "_code", lambda: "")
    monkeypatch.setattr(compile_cache, "_stores", {})
    compile_cache.prepare()
    assert compile_cache.graphs() is None


def test_the_oldest_programs_leave_a_cache_that_has_grown_too_large(tmp_path):
    for age in range(10):
        program = tmp_path / f"{age}.pb"
        program.write_bytes(bytes(100))
        os.utime(program, (10**9 - age, 10**9 - age))
    compile_cache._shrink(tmp_path, most=1000)
    assert len(list(tmp_path.iterdir())) == 10
    compile_cache._shrink(tmp_path, most=999)
    assert {path.stem for path in tmp_path.iterdir()} == {"0", "1", "2", "3"}
