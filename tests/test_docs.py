"""The examples of docs/api.md, run in their order, print what the page says."""

import doctest
import re
import warnings
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "api.md"


def test_every_example_prints_what_the_page_says(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```pycon\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert text.count("```pycon") == len(blocks) > 5
    examples = doctest.DocTestParser().get_doctest(
        "\n".join(blocks), {}, PAGE.name, str(PAGE), None
    )
    assert len(examples.examples) > 40
    message = []
    ran = doctest.DocTestRunner()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)  # Keras's
        ran.run(examples, out=message.append)
    assert ran.failures == 0, "".join(message)
