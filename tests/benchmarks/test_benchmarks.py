"""The benchmark: its arithmetic, its tables, and that every part of it runs, at tiny sizes."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from lanes import SMALL

from benchmarks import __main__, command, core, figures, scaling, study
from benchmarks.arithmetic import PRODUCT, Products, multiply_adds, steps_bound
from benchmarks.lanes import ENDLESS, FullBlock
from benchmarks.measure import Row, alternate, ratios, repeat

TINY = replace(SMALL, episodes=0, steps=ENDLESS)


def test_the_multiply_adds_of_the_exercise_are_those_counted_by_hand():
    # P = 4·64 + 64·64 + 64·2 = 4480. Two forward passes and the weights' gradients: 3·32·4480.
    # Gradients of the two hidden layers: 32·(64·64 + 64·2). Four actions: 4·4480.
    assert multiply_adds(4, (64, 64), 2, 32, 4) == 430_080 + 135_168 + 17_920 == 583_168


def test_the_multiply_adds_of_a_network_without_hidden_layers_need_no_gradient_of_activations():
    assert multiply_adds(3, (), 2, 10, 1) == 3 * 10 * 6 + 6


def test_the_bound_is_the_speed_of_the_product_over_the_arithmetic_of_a_step():
    assert steps_bound(flops=1e9, count=1_000, train_freq=4) == 4 * 1e9 / 2_000


def test_the_product_is_timed_in_floating_point_operations():
    assert PRODUCT == 2 * 32 * 64 * 64
    assert 1e7 < Products(lanes=(1, 2)).flops(seconds=0.0) < 1e13


def test_candidates_take_turns_and_a_ratio_is_taken_within_a_round():
    calls = []

    def rate(name, values):
        return lambda seconds: (calls.append((name, seconds)), values.pop(0))[1]

    rates = alternate({"a": rate("a", [2.0, 30.0]), "b": rate("b", [1.0, 10.0])}, 2, 0.5)
    assert calls == [("a", 0.5), ("b", 0.5), ("a", 0.5), ("b", 0.5)]
    assert ratios(rates["a"], rates["b"]) == [2.0, 3.0]


def test_work_is_repeated_for_the_time_given_and_at_least_once(monkeypatch):
    clock = iter([0.0, 1.0, 2.0, 4.0])
    monkeypatch.setattr("benchmarks.measure.perf_counter", lambda: next(clock))
    assert repeat(lambda: 6.0, seconds=2.5) == 3 * 6.0 / 4.0
    clock = iter([0.0, 2.0])
    assert repeat(lambda: 6.0, seconds=0.0) == 3.0


@pytest.mark.parametrize(
    ("target", "at_most", "reached"), [(None, False, None), (2, False, True), (3, False, False),
                                   (3, True, True), (1, True, False)]
)  # fmt: skip
def test_a_row_is_its_median_against_its_target(target, at_most, reached):
    row = Row("x", [9.0, 2.0, 1.0], "s", target, at_most)
    assert (row.median, row.reached) == (2.0, reached)
    assert row.to_dict()["low"] == 1.0
    assert row.to_dict()["high"] == 9.0


def test_a_full_block_counts_the_steps_of_mixed_lanes():
    """T_train 1, 2, 4 and 8: a tick is 15 steps and 4 updates."""
    block = FullBlock(TINY, lanes=4, train_freqs=(1, 2, 4, 8))
    steps, updates = block.rates(0.0)
    assert steps / updates == pytest.approx(15 / 4)


def test_every_row_of_the_default_part_is_measured(monkeypatch):
    monkeypatch.setattr(core, "FLOOR", TINY)
    monkeypatch.setattr(core, "Products", lambda: Products(lanes=(1,)))
    blocks = iter([FullBlock(TINY, 4), FullBlock(TINY, 4, (1, 2, 4, 8))])
    monkeypatch.setattr(core, "FullBlock", lambda *_, **__: next(blocks))
    text = []
    rows = core.rows(2, 0.0, text.append, ("arithmetic", "mixed", "agent"))
    found = {row.name: row for row in rows}
    assert [len(row.values) for row in rows[:-1]] == [2] * (len(rows) - 1)
    assert all(value > 0 for row in rows for value in row.values)
    share = found["lanes, share of the bound"]
    assert share.target == 40.0
    lanes, bound = rows[0].values, rows[2].values
    assert share.values == pytest.approx([100 * a / b for a, b in zip(lanes, bound, strict=True)])
    assert found["mixed / uniform"].target == 75.0
    assert text[-1].startswith("round 2 of 2")


def test_scaling_measures_every_point_and_draws_it(tmp_path, monkeypatch):
    monkeypatch.setattr(scaling, "LANES", 4)
    monkeypatch.setattr(scaling, "FullBlock", lambda config, lanes=4: FullBlock(config, lanes))
    axes = {"lanes": (2, 4), "batch": (8,), "width": (8,)}
    rows = scaling.rows(1, 0.0, lambda _: None, axes, TINY)
    assert [row.name for row in rows] == ["lanes 2", "lanes 4", "batch 8", "width 8"]
    assert all(row.median > 0 for row in rows)
    figures.draw_scaling(tmp_path / "scaling.png", rows, 4, "a machine")
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")


def test_points_of_scaling_change_one_thing():
    assert scaling.point("lanes", 3, TINY) == (TINY, 3)
    assert scaling.point("batch", 16, TINY) == (replace(TINY, batch_size=16), scaling.LANES)
    assert scaling.point("width", 5, TINY) == (replace(TINY, hidden=(5,)), scaling.LANES)


def test_the_study_of_agreement_has_its_rows_and_its_figure(tmp_path):
    config = replace(SMALL, steps=0, episodes=5)
    rows, samples, titles = study.rows(3, lambda _: None, {"small": config})
    names = [row.name for row in rows]
    assert names[0] == "small: mean_return of DQNAgent, 3 seeds"
    assert [len(row.values) for row in rows] == [3, 3, 1, 1, 1]
    assert 0 < rows[3].median <= 1
    assert titles["small"].startswith("p = ")
    figures.draw_agreement(tmp_path / "agreement.png", samples, titles)
    assert (tmp_path / "agreement.png").read_bytes().startswith(b"\x89PNG")


def test_whole_commands_are_timed_cold_and_warm(monkeypatch):
    calls = []
    monkeypatch.setattr(
        command, "_seconds", lambda folder, name, _: calls.append((folder, name)) or len(calls)
    )
    cold, warm = command.rows(2, lambda _: None)
    assert [name for _, name in calls] == ["cold", "warm", "cold", "warm"]
    assert calls[0][0] == calls[1][0] != calls[2][0]
    assert (cold.values, warm.values) == ([1, 3], [2, 4])


@pytest.mark.slow
def test_a_whole_command_leaves_its_files(tmp_path):
    quick = ("seeds=1", "episodes=2", "test_episodes=1")
    assert 1.0 < command._seconds(tmp_path, "results", quick) < 300.0
    assert (tmp_path / "results" / "seeds.csv").exists()
    assert any((tmp_path / "cache").rglob("*"))


@pytest.fixture
def measured(monkeypatch):
    """Every part measured at once: 2 steps/s, and a target missed."""
    rows = [Row("lanes", [2.0, 1.0, 3.0], "steps/s"), Row("share", [39.0], "%", 40.0)]
    monkeypatch.setattr(__main__, "_measured", lambda part, *_: (rows, {"of": part}))


def test_the_table_and_the_json_file_hold_every_number(measured, tmp_path, capsys):
    path = tmp_path / "new" / "bench.json"
    assert __main__.main(["--json", str(path), "--core", "--run"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"lanes\W+2 steps/s\W+1 … 3", printed)
    assert re.search(r"share\W+39 %\W+≥ 40 % missed", printed)
    text = json.loads(path.read_text())
    assert list(text["parts"]) == ["core", "run"]
    assert text["parts"]["run"]["of"] == "run"
    assert text["parts"]["core"]["rows"][0]["median"] == 2.0
    assert text["parts"]["core"]["rows"][1]["reached"] is False
    assert text["machine"]["versions"]["numpy"] == np.__version__
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", text["machine"]["date"])


def test_a_figure_needs_a_part_that_draws_one(capsys):
    assert __main__.main(["--figure", "x.png"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
