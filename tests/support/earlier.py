"""Results of version 0.1.0, and what is there of them in a later version's tables."""

import csv
from pathlib import Path

DATA = Path(__file__).parents[1] / "data" / "0.1.0"


def seeds_lines(folder: Path, kind: str) -> list[str]:
    """The lines of seeds.csv, of the columns alone that 0.1.0 wrote of that kind of results."""
    header, *lines = csv.reader((folder / "seeds.csv").read_text().splitlines())
    own = (DATA / kind / "seeds.csv").read_text().partition("\n")[0].split(",")
    places = [place for place, name in enumerate(header) if name in own]
    return [",".join(cells[place] for place in places) for cells in (header, *lines)]
