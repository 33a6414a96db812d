"""The part `--peers`: lanes in turns with Stable-Baselines3 and rejax."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing

from benchmarks import peers
from benchmarks.core import LUNAR_LANDER
from benchmarks.lanes import FullBlock
from benchmarks.measure import Row, alternate, ratios
from dqn.training.engine import LANES

REJAX_SEEDS = (1, 16, 64)
LANES_OVER_SB3, LANES_OVER_REJAX, LANDER_OVER_SB3 = 60.0, 3.0, 5.0


def rows(
    rounds: int,
    seconds: float,
    progress: Callable[[str], None],
    rejax_seeds: Sequence[int] = REJAX_SEEDS,
    torch_index: str | None = None,
) -> tuple[list[Row], dict[str, dict]]:
    """The rates of all and their ratios, and each peer's versions and settings by name."""
    sb3 = peers.build(peers.STABLE_BASELINES3, progress, torch_index)
    rejax = peers.build(peers.REJAX, progress)
    scripts: dict[str, tuple] = {
        "Stable-Baselines3": (sb3, peers.STABLE_BASELINES3, "CartPole-v1", "200"),
        "Stable-Baselines3, LunarLander-v3": (
            sb3, peers.STABLE_BASELINES3, "LunarLander-v3", "1000",
        ),
    }  # fmt: skip
    for seeds in rejax_seeds:
        scripts[f"rejax, {seeds} seeds"] = (rejax, peers.REJAX, str(seeds))
    rates = {"lanes": FullBlock().steps, "lander": FullBlock(LUNAR_LANDER).steps}
    about = {}
    with ExitStack() as stack:
        for name, (python, peer, *arguments) in scripts.items():
            progress(f"warming up {name}")
            running = stack.enter_context(closing(peers.Running(python, peer, *arguments)))
            rates[name], about[name] = running.steps, running.about
        measured = alternate(rates, rounds, seconds, progress)
    lanes, lander = measured.pop("lanes"), measured.pop("lander")
    table = [Row(f"lanes, {LANES} a block", lanes, "steps/s")]
    table.append(Row(f"LunarLander-v3, {LANES} lanes", lander, "steps/s"))
    table += [Row(name, values, "steps/s") for name, values in measured.items()]
    best = max(
        (values for name, values in measured.items() if name.startswith("rejax")),
        key=lambda values: sorted(values)[len(values) // 2],
    )
    plain, landing = (measured[name] for name in list(scripts)[:2])
    table += [
        Row("lanes / Stable-Baselines3", ratios(lanes, plain), "×", LANES_OVER_SB3),
        Row("lanes / rejax at its best", ratios(lanes, best), "×", LANES_OVER_REJAX),
        Row("LunarLander-v3, lanes / SB3", ratios(lander, landing), "×", LANDER_OVER_SB3),
    ]
    return table, about
