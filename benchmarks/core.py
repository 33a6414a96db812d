"""The default part: lanes against the arithmetic, the agent and the recipe, in one run."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from benchmarks import baselines, memory
from benchmarks.arithmetic import Products, multiply_adds, steps_bound
from benchmarks.lanes import FLOOR, MIXED, FullBlock
from benchmarks.measure import OF_CORE, Rate, Row, alternate, ratios
from dqn.config import EnvConfig
from dqn.training.engine import LANES

LUNAR_LANDER = replace(FLOOR, env=EnvConfig("LunarLander-v3"))


def rows(
    rounds: int, seconds: float, progress: Callable[[str], None], names: Sequence[str] = OF_CORE
) -> list[Row]:
    """Lanes at the default block size, and each of `names` in turns with them."""
    progress(f"compiling lanes ({LANES} a block) and warming up")
    block = FullBlock()
    rates: dict[str, Rate] = {"lanes": block.steps}
    if "mixed" in names:
        rates["mixed"] = FullBlock(train_freqs=MIXED).updates
    if "arithmetic" in names:
        rates["arithmetic"] = Products().flops
    if "lunar_lander" in names:
        rates["lunar_lander"] = FullBlock(LUNAR_LANDER).steps
    if "agent" in names:
        rates["agent"] = baselines.dqn_agent()
    if "recipe" in names:
        rates["recipe"] = baselines.exercise_recipe()
    measured = alternate(rates, rounds, seconds, progress)
    table = _rows(measured, block.first_call)
    if "memory" in names and memory.is_measurable():
        progress(f"memory of blocks of {memory.FEW} and {memory.MANY} lanes")
        table.append(Row("memory a lane", [memory.megabytes_a_lane()], "MB", 1.0, at_most=True))
    return table


def _rows(measured: dict[str, list[float]], first_call: float) -> list[Row]:
    lanes = measured["lanes"]
    updates = [steps / FLOOR.train_freq for steps in lanes]
    table = [Row(f"lanes, {LANES} a block", lanes, "steps/s")]
    if flops := measured.get("arithmetic"):
        count = multiply_adds(4, FLOOR.hidden, 2, FLOOR.batch_size, FLOOR.train_freq)
        bound = [steps_bound(f, count, FLOOR.train_freq) for f in flops]
        share = [100 * ratio for ratio in ratios(lanes, bound)]
        table += [
            Row("32×64×64 product", [f / 1e9 for f in flops], "GFLOP/s"),
            Row(f"bound: {count:,} multiply-adds an update", bound, "steps/s"),
            Row("lanes, share of the bound", share, "%", 40.0),
        ]
    if mixed := measured.get("mixed"):
        share = [100 * ratio for ratio in ratios(mixed, updates)]
        table += [
            Row("lanes, T_train 4 in each", updates, "updates/s"),
            Row("lanes, T_train 1, 2, 4, 8 mixed", mixed, "updates/s"),
            Row("mixed / uniform", share, "%", 75.0),
        ]
    if agent := measured.get("agent"):
        table.append(Row("DQNAgent", agent, "steps/s"))
        table.append(Row("lanes / DQNAgent", ratios(lanes, agent), "×"))
    if recipe := measured.get("recipe"):
        table.append(Row("exercise's recipe", recipe, "steps/s"))
        if agent:
            table.append(Row("DQNAgent / recipe", ratios(agent, recipe), "×", 50.0))
        table.append(Row("lanes / recipe", ratios(lanes, recipe), "×"))
    if lander := measured.get("lunar_lander"):
        table.append(Row(f"LunarLander-v3, {LANES} lanes", lander, "steps/s"))
    table.append(Row("first call of a new shape", [first_call], "s"))
    return table
