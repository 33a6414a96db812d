"""A function has the same names in every process, or the compile cache would not find it again."""

import os
import subprocess
import sys

import pytest
from tensorflow.python.framework import ops

from dqn.algorithm.traced import Traced
from dqn.execution import runtime

NAMES = """
import hashlib, sys
from dqn.execution import runtime
runtime.prepare()
import tensorflow as tf
from dqn.algorithm.block import Shape
from dqn.algorithm.compiled import Program
from dqn.algorithm.lane import Hyper
from dqn.config import Config
from dqn.envs.compiled import dynamics_named
from dqn.execution.block import hyper_of

values = hyper_of(Config(), 0)
hyper = Hyper(**{name: tf.fill([2], values[name]) for name in Hyper._fields})
for width in map(int, sys.argv[1:]):
    program = Program(Shape(4, 2, (width,), "relu", 8, 16, 2), dynamics_named("cartpole"))
    lanes, replay = program.empty()
    weights = [w[0] for w in lanes.learner.weights]
    for graph in (
        program.refill.concrete(lanes, tf.ones([2], tf.bool), hyper),
        program.chunk.concrete(lanes, replay, hyper, *map(tf.constant, (1, 1, 1))),
        program.test.concrete(weights, tf.constant(0), tf.constant(9), 3),
    ):
        text = graph.graph.as_graph_def().SerializeToString(deterministic=True)
        print(width, graph.name, hashlib.sha256(text).hexdigest())
"""


def names_of(*widths: int) -> set[str]:
    command = [sys.executable, "-c", NAMES, *map(str, widths)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines())


def test_a_program_is_the_same_whatever_was_traced_before_it():
    both = names_of(3, 5)
    assert len(both) == 2 * 3
    assert names_of(5) < both


def test_two_functions_of_one_name_do_not_share_a_number():
    one, other = Traced(lambda x: x + 1.0, "same"), Traced(lambda x: x + 2.0, "same")
    assert [float(one(1.0)), float(other(1.0))] == [2.0, 3.0]
    assert one.concrete(1.0).name != other.concrete(1.0).name
    assert one.traces == other.traces == 1


def test_a_function_is_traced_once_for_each_type_of_its_arguments():
    function = Traced(lambda x: x * 2, "twice")
    assert [int(function(n)) for n in (1, 1, 2)] == [2, 2, 4]
    assert function.traces == 2  # a Python number is part of its type


def test_an_error_while_tracing_leaves_tensorflow_as_it_was():
    before = ops.uid
    with pytest.raises(ZeroDivisionError):
        Traced(lambda: 1 / 0, "error")()
    assert ops.uid is before


def test_the_oldest_programs_leave_a_cache_that_has_grown_too_large(tmp_path):
    for age in range(10):
        program = tmp_path / f"{age}.pb"
        program.write_bytes(bytes(100))
        os.utime(program, (10**9 - age, 10**9 - age))
    runtime._shrink(tmp_path, most=1000)
    assert len(list(tmp_path.iterdir())) == 10
    runtime._shrink(tmp_path, most=999)
    assert {path.stem for path in tmp_path.iterdir()} == {"0", "1", "2", "3"}
