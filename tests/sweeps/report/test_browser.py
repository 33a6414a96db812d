"""The report's page as a reader meets it: opened from disk in Chromium, on a desk and a phone."""

import base64
import io
from dataclasses import replace

import pytest
from browser import Browser, Page
from PIL import Image
from reports import VALIDATION
from studies import record, sampled, write
from trainings import CONFIG, filled, result

from dqn.config import Config, EnvConfig
from sweeps.__main__ import main

BASE = Config(seeds=3, episodes=30)
TASKS = EnvConfig("CartPole-v0", 200, 195.0), EnvConfig("Acrobot-v1", 500, -100.0)
BLACK, WHITE = "rgb(0, 0, 0)", "rgb(255, 255, 255)"
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
LOADED = """(async () => {
  while (!window.Plotly) await new Promise(done => setTimeout(done, 20));
  return true;
})()"""
PLACES = "[...document.querySelectorAll('{}')].map(one => one.getBoundingClientRect().{})"
STROKES = """[...document.querySelectorAll(
  '.js-lines, .errorbar path, .points path, .shapelayer path'
)].flatMap(one => [
  one.style.strokeWidth === '0px' ? '' : one.style.stroke,
  one.style.fillOpacity === '0' ? '' : one.style.fill,
].filter(colour => colour.startsWith('rgb(')))"""
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
        assert page.js("document.querySelector('#leaders table').checkVisibility()")
        assert not page.js("document.querySelector('#trials table').checkVisibility()")
        assert page.js("document.querySelectorAll('img').length") == 0


@pytest.mark.parametrize("width", [1400, 400])
def test_the_page_answers_first(browser, url, width):
    with Page(browser, url, width) as page:
        order = "#leaders", ".ends", "#best_curve", "#importance", "nav", "#hyperparameters"
        tops = [page.js(PLACES.format(one, "top"))[0] for one in order]
        assert tops == sorted(tops)
        assert tops[0] < 900  # the first screen
        assert len(page.js(PLACES.format("#leaders tbody tr", "top"))) == 6  # one is recommended
        assert len(page.js(PLACES.format(".ends li", "top"))) == 120
        titles = page.js("[...document.querySelectorAll('#leaders th')].map(th => th.innerText)")
        right = dict(zip(titles, page.js(PLACES.format("#leaders th", "right")), strict=True))
        assert {"seeds", "status"} <= {title for title in titles if right[title] <= width}
        assert max(page.js(PLACES.format(".ends li", "right"))) <= width


KINDS = {
    "run": lambda path: filled(
        path, *(result(0, seed, returns=range(30)) for seed in range(3)), config=CONFIG
    ),
    "one trial that grows": lambda path: filled(
        path, result(0, 0), config=CONFIG, sweep=record(n_trials=4)
    ),
    "two trials, one failed": lambda path: write(
        path, sampled(2, BASE), record(n_trials=2), base=BASE,
        status=lambda trial, seed: "failed" if trial else "done",
    ),
    "all failed": lambda path: write(
        path, sampled(3, BASE), record(), base=BASE, status=lambda trial, seed: "failed"
    ),
    "two tasks": lambda path: write(
        path, [replace(one, env=env) for env in TASKS for one in sampled(3, BASE, ["lr"])],
        {"kind": "grid", "seeds": 3, "params": {"env": ["cartpole", "acrobot"]}}, base=BASE,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_results_has_a_page_that_fits(browser, tmp_path, kind):
    path = tmp_path / "a"
    KINDS[kind](path)
    assert main(["report", str(path)]) == 0
    for width in (1400, 400):
        with Page(browser, (path / "report.html").as_uri(), width) as page:
            assert page.js(SEEN)
            assert page.complaints() == []
            assert page.js("document.documentElement.scrollWidth") <= width
            assert page.js("document.querySelector('.headline').innerText") != ""
            page.js("document.querySelectorAll('details').forEach(one => one.open = true)")
            assert page.js("document.documentElement.scrollWidth") <= width


def test_the_leaderboard_sorts_by_mouse_and_by_keyboard(browser, url):
    with Page(browser, url, 1400) as page:
        page.js("document.querySelector('details:has(#trials) summary').click()")
        assert page.js("document.querySelector('#trials table').checkVisibility()")
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


def test_a_dark_page_is_readable(browser, url):
    with Page(browser, url, 1400) as page:
        page.media(prefers_color_scheme="dark")
        assert page.js(SEEN)
        paper = page.js("getComputedStyle(document.documentElement).backgroundColor")
        for selector, least in (("p.headline", 7), ("figcaption", 4.5), (".ends li", 4.5)):
            colour = page.js(f"getComputedStyle(document.querySelector('{selector}')).color")
            assert contrast(colour, paper) > least
        axis = page.js("getComputedStyle(document.querySelector('.xtick text')).fill")
        assert axis == page.js("getComputedStyle(document.body).color")
        strokes = set(page.js(STROKES))
        assert len(strokes) > 4
        assert {colour for colour in strokes if contrast(colour, paper) < 3} == set()
        assert page.complaints() == []


def test_a_dark_page_is_printed_light_with_all_its_figures(browser, url):
    with Page(browser, url, 1400) as page:
        page.media(prefers_color_scheme="dark")
        assert page.js(LOADED)
        page.js("dispatchEvent(new Event('beforeprint'))")
        drawn = dict(page.js(DRAWN))  # none of them was scrolled to
        assert len(drawn) == 11
        assert all(drawn.values()), drawn
        assert page.js("getComputedStyle(document.querySelector('.xtick text')).fill") == BLACK
        assert page.js("getComputedStyle(document.documentElement).backgroundColor") == WHITE
        widths = page.js(PLACES.format(".main-svg", "width"))
        assert max(widths) < 700  # of 718 pixels of A4
        assert page.js("document.querySelector('#trials table').checkVisibility()")
        page.js("dispatchEvent(new Event('afterprint'))")
        assert page.js("getComputedStyle(document.documentElement).backgroundColor") != WHITE
        assert page.js("getComputedStyle(document.querySelector('.xtick text')).fill") != BLACK
        assert max(page.js(PLACES.format(".main-svg", "width"))) > 1000
        pdf = base64.b64decode(page.pdf())
        assert pdf.startswith(b"%PDF")
        assert len(pdf) > 200_000  # of the text alone it has 60,000
        assert page.complaints() == []


def test_without_javascript_figures_are_images(browser, url):
    with Page(browser, "about:blank", 1400) as page:
        page._call("Emulation.setScriptExecutionDisabled", value=True)
        page._call("Page.navigate", url=url)
        browser.wait_for("Page.loadEventFired")
        shot = Image.open(io.BytesIO(base64.b64decode(page.screenshot())))
        assert shot.height > 11 * 300
        page._call("Emulation.setScriptExecutionDisabled", value=False)


def test_in_a_browser_that_cannot_unpack_the_library_figures_are_images(browser, url):
    with Page(browser, "about:blank", 400) as page:
        page._call(
            "Page.addScriptToEvaluateOnNewDocument", source="delete self.DecompressionStream"
        )
        page._call("Page.navigate", url=url)
        browser.wait_for("Page.loadEventFired")
        widths = page.js("""(async () => {
          const images = () => [...document.querySelectorAll('figure img')];
          while (images().length < 11) await new Promise(done => setTimeout(done, 20));
          await Promise.all(images().map(image => image.decode()));
          return images().map(image => image.getBoundingClientRect().width);
        })()""")
        assert len(widths) == 11
        assert 300 < min(widths) <= max(widths) < 400
        assert page.js("document.querySelector('.chart')") is None
        assert page.complaints() == []


def contrast(*colours):
    """WCAG 2.2's contrast ratio of two colours."""
    light, dark = sorted(map(luminance, colours), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").rstrip(")").split(",")]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
