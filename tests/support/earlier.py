"""Results of version 0.1.0, and what is there of them in a later version's tables."""

import csv
from pathlib import Path

from dqn.statistics.metrics import METRICS

DATA = Path(__file__).parents[1] / "data" / "0.1.0"


def seeds_lines(folder: Path) -> list[str]:
    """The lines of seeds.csv, without the metrics that 0.1.0 did not have."""
    header, *lines = csv.reader((folder / "seeds.csv").read_text().splitlines())
    known = (DATA / "grid" / "seeds.csv").read_text().partition("\n")[0].split(",")
    places = [place for place, name in enumerate(header) if name in known or name not in METRICS]
    return [",".join(cells[place] for place in places) for cells in (header, *lines)]
