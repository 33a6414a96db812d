"""What tests of reports share: a page as text, a validation.csv, and PNGs that cost nothing."""

from html.parser import HTMLParser

import pytest
from PIL import Image

VALIDATION = (
    "metric,trial,claimed_rank,held_out_rank,claimed,claimed_low,claimed_high,held_out,"
    "held_out_low,held_out_high,optimism,optimism_low,optimism_high,improvement,improvement_low,"
    "improvement_high,seeds,diverged,failed,recommended\n"
    "mean_return,{best},1,2,99.5,90.0,110.0,80.5,70.0,90.0,19.0,5.0,30.0,0.9,0.8,0.95,50,0,0,False\n"
    "mean_return,{second},2,1,95.0,,,85.25,82.0,88.0,9.75,,,0.97,0.9,1.0,50,0,0,True\n"
    "mean_return,,,3,,,,21.0,20.0,22.0,,,,,,,50,1,0,False\n"
)


class Reader(HTMLParser):
    """What is seen of a page, and what it refers to."""

    def __init__(self, text):
        super().__init__()
        self.seen, self.references, self.tags, self.scripts = [], [], [], []
        self.without_javascript = []
        self._within = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        found = [v for n, v in attributes if n in ("src", "href", "data", "action")]
        is_left_out = "noscript" in self._within
        (self.without_javascript if is_left_out else self.references).extend(found)
        if tag in ("script", "style", "noscript"):
            self._within.append(tag)

    def handle_endtag(self, tag):
        if self._within and tag == self._within[-1]:
            self._within.pop()

    def handle_data(self, data):
        (self.scripts if self._within else self.seen).append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.seen).split())


@pytest.fixture(autouse=True)
def _blank_figures(request, monkeypatch):
    """PNGs are drawn where a test looks at them: each takes 0.3 s."""
    if "drawn_figures" not in request.fixturenames:
        monkeypatch.setattr(
            "matplotlib.figure.Figure.savefig",
            lambda figure, path, **more: Image.new("RGB", (4, 4)).save(path),
        )
