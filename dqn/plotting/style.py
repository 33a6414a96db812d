"""How all figures look: colours, dashes, marks and their order, by Plotly's names.

Colours are Okabe & Ito's (2008), distinct without colour vision; what matters also differs by
width, dash or mark, so that it survives print.
"""

BLUE, SKY, ORANGE = "#0072B2", "#56B4E9", "#E69F00"
VERMILLION, GREEN, PINK = "#D55E00", "#009E73", "#CC79A7"
BLACK, GREY, OLIVE = "#000000", "#666666", "#999933"

_COLOURS = BLUE, VERMILLION, GREEN, ORANGE, SKY, GREY, PINK, OLIVE

DASHES = {
    "solid": "-",
    "dash": (0, (5, 2)),
    "dot": (0, (1, 1.2)),
    "dashdot": (0, (5, 2, 1, 2)),
    "longdash": (0, (8, 2)),
    "longdashdot": (0, (8, 2, 1, 2)),
    "5px,2px": (0, (4, 1.5)),
    "2px,5px": (0, (2, 4)),
}
"""As Matplotlib has them, by Plotly's name."""
MARKS = {
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "triangle-up": "^",
    "x": "X",
    "cross": "P",
    "star": "*",
    "pentagon": "p",
    "circle-open": "o",
    "triangle-down-open": "v",
    "line-ns-open": "|",
}
"""The same of marks: the first eight are filled."""


def of_series(place: int) -> dict[str, str]:
    """Colour, dash and mark of the series at a `place` among several, as a `Line` takes them."""
    place %= len(_COLOURS)
    return {"colour": _COLOURS[place], "dash": [*DASHES][place], "mark": [*MARKS][place]}
