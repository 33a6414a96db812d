"""The pages: examples print what docs/api.md says, and everything that a page names exists."""

import doctest
import pkgutil
import re
import warnings
from pathlib import Path

import pytest
import yaml

from dqn.config import Config
from dqn.runtime.version import VERSION
from dqn.training.own_components import refuse_config
from sweeps.__main__ import COMMANDS

HOUSE = Path(__file__).parents[1]
API, GUIDE = HOUSE / "docs" / "api.md", HOUSE / "docs" / "guide.md"
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/*.md", "outputs/README.md", "outputs/reference/**/*.md")
    for page in HOUSE.glob(pattern)
)
PRESENT = [page for page in PAGES if page.name != "CHANGELOG.md"]  # which also names what was
ROOMS = r"(?:benchmarks|conf|docs|dqn|examples|hydra_plugins|sweeps|tests)"


def name_of(page: Path) -> str:
    return str(page.relative_to(HOUSE))


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    text = page.read_text(encoding="utf-8")
    return re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What a link may name behind `#`, as GitHub makes it of each heading."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.timeout(900)  # a dozen trainings, on a machine that may be busy
def test_every_example_prints_what_the_page_says(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    text = API.read_text(encoding="utf-8")
    blocks = re.findall(r"^```pycon\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert text.count("```pycon") == len(blocks) > 5
    examples = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, API.name, str(API), None)
    assert len(examples.examples) > 40
    message = []
    ran = doctest.DocTestRunner()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)  # Keras's
        ran.run(examples, out=message.append)
    assert ran.failures == 0, "".join(message)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings_that_exist(page):
    targets = re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose(page))
    for target in targets:
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{name_of(page)} links to {target}"
        assert not anchor or anchor in anchors(found), f"{name_of(page)} links to {target}"


@pytest.mark.parametrize("page", PRESENT, ids=name_of)
def test_files_and_python_names_of_a_page_exist(page):
    text = page.read_text(encoding="utf-8")
    for path in re.findall(rf"(?<![\w/.])({ROOMS}(?:/\w+)*/(?:\w+\.\w+)?)", text):
        is_example = Path(path).stem in ("NAME", "mine")
        assert is_example or (HOUSE / path).exists(), f"{name_of(page)} names {path}"
    for name in re.findall(rf"`({ROOMS}(?:\.\w+)+)`", text):
        pkgutil.resolve_name(name)


@pytest.mark.parametrize("page", PRESENT, ids=name_of)
def test_commands_that_a_page_names_exist(page):
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(r"python -m sweeps ([a-z]\w+)", text)) <= COMMANDS.keys()
    modules = set(re.findall(r"python -m (\w[\w.]*\w)", text)) - {"venv", "pytest"}
    assert modules <= {
        "dqn.run",
        "sweeps",
        "benchmarks",
        "benchmarks.memory",
        "examples.own_component",
    }


def test_the_network_of_the_guide_is_one_that_lanes_can_train(own_module):
    section = GUIDE.read_text(encoding="utf-8").partition("\n## A component of your own\n")[2]
    text = re.search(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert text is not None
    own_module.write(text[1])
    refuse_config(Config(network=own_module["Mine"], hidden=[4]))


def test_the_readme_is_short():
    assert len((HOUSE / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_the_citation_has_this_version():
    citation = yaml.safe_load((HOUSE / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["title"], citation["version"]) == ("dqn-study", VERSION)
