"""The report's page as a reader meets it: opened from disk in Chromium, on a desk and a phone."""

import base64
import io

import pytest
from browser import Browser, Page
from PIL import Image
from reports import VALIDATION
from studies import record, sampled, write

from dqn.config import Config
from sweeps.__main__ import main

DRAWN = """[...document.querySelectorAll('figure')].map(figure => {
  const plot = figure.querySelector('.js-plotly-plot .plot-container svg.main-svg');
  const marks = figure.querySelectorAll('.cartesianlayer .trace path, .heatmaplayer image');
  const high = plot !== null && plot.getBoundingClientRect().height > 100;
  return [figure.id, high && marks.length > 0];
})"""
SEEN = """(async () => {
  for (const figure of document.querySelectorAll('figure')) {
    figure.scrollIntoView();
    const drawn = () => figure.querySelector('.js-plotly-plot');
    while (!drawn()) await new Promise(done => setTimeout(done, 20));
  }
  return true;
})()"""
COLUMN = "[...document.querySelectorAll('#trials tbody tr')].map(row => row.cells[{}].textContent)"


@pytest.fixture(scope="module")
def browser():
    with Browser() as one:
        yield one


@pytest.fixture(scope="module")
def url(tmp_path_factory, browser):
    base = Config(seeds=3, episodes=30)
    path = tmp_path_factory.mktemp("page") / "a study, of <b> & more"
    write(
        path, sampled(120, base, ["lr", "hidden"]), record(n_trials=150), base=base,
        status=lambda trial, seed: {3: "pruned", 5: "diverged"}.get(trial % 9, "done"),
    )  # fmt: skip
    (path / "validation.csv").write_text(VALIDATION.format(best=1, second=2))
    assert main(["report", str(path)]) == 0
    return (path / "report.html").as_uri()


@pytest.mark.parametrize("width", [1400, 400])
def test_the_page_is_whole_and_asks_for_nothing(browser, url, width):
    with Page(browser, url, width) as page:
        assert page.js(SEEN)
        drawn = dict(page.js(DRAWN))
        assert len(drawn) == 11
        assert all(drawn.values()), drawn
        assert page.complaints() == []
        assert page.requests() == [url]
        assert page.js("document.documentElement.scrollWidth") <= width
        page.js("scrollTo(0, 0)")
        headline = page.js("document.querySelector('.headline').getBoundingClientRect().bottom")
        assert 0 < headline < 900
        assert "is best: mean return" in page.js("document.querySelector('.headline').innerText")
        assert page.js("document.querySelector('#trials table').checkVisibility()")
        assert page.js("[...document.querySelectorAll('.print')].every(i => !i.checkVisibility())")


def test_the_leaderboard_sorts_by_mouse_and_by_keyboard(browser, url):
    with Page(browser, url, 1400) as page:
        assert page.js(COLUMN.format(0)) == [f"{n}" for n in range(1, 26)]
        head = "document.querySelectorAll('#trials th')[{}]"
        page.js(f"{head.format(1)}.querySelector('button').click()")
        assert page.js(f"{head.format(1)}.getAttribute('aria-sort')") == "ascending"
        assert page.js(COLUMN.format(1)) == [f"{n}" for n in range(25)]
        page.js(f"{head.format(2)}.querySelector('button').focus()")
        page.press("Enter")
        page.press("Enter")
        assert page.js(f"{head.format(2)}.getAttribute('aria-sort')") == "descending"
        assert page.js(f"{head.format(1)}.getAttribute('aria-sort')") is None
        shown = [float(text) for text in page.js(COLUMN.format(2))]
        assert shown == sorted(shown, reverse=True)
        page.js("document.querySelector('#trials .all').click()")
        assert len(page.js(COLUMN.format(1))) == 120
        assert page.complaints() == []


def test_dark_and_printed_it_is_readable(browser, url):
    with Page(browser, url, 1400) as page:
        page.media(prefers_color_scheme="dark")
        assert page.js(
            SEEN.replace("querySelectorAll('figure')", "querySelectorAll('#best_curve')")
        )
        assert contrast(page, "p.headline") > 7
        assert contrast(page, "figcaption") > 4.5
        axis = page.js("getComputedStyle(document.querySelector('.xtick text')).fill")
        assert axis == page.js("getComputedStyle(document.body).color")
        pdf = base64.b64decode(page.pdf())
        assert pdf.startswith(b"%PDF")
        assert pdf.count(b"/Subtype /Image") >= 11  # the figures are there as images
        assert page.complaints() == []


def test_without_javascript_figures_are_images(browser, url):
    with Page(browser, "about:blank", 1400) as page:
        page._call("Emulation.setScriptExecutionDisabled", value=True)
        page._call("Page.navigate", url=url)
        browser.wait_for("Page.loadEventFired")
        shot = Image.open(io.BytesIO(base64.b64decode(page.screenshot())))
        assert shot.height > 11 * 300
        page._call("Emulation.setScriptExecutionDisabled", value=False)


def contrast(page, selector):
    """WCAG 2.2's contrast ratio of an element's text against the page."""
    script = f"""[getComputedStyle(document.querySelector('{selector}')).color,
      getComputedStyle(document.documentElement).backgroundColor]"""
    light, dark = sorted((luminance(colour) for colour in page.js(script)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").rstrip(")").split(",")]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
