"""What is not installed skips its tests and leaves nothing open: a later test would be charged."""

import os
import tempfile

import pytest
from browser import NEEDED, Browser


def test_without_a_browser_nothing_has_been_opened(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv(NEEDED, raising=False)
    before = set(os.listdir("/dev/fd"))
    with pytest.raises(pytest.skip.Exception, match="apt-get install chromium"):
        Browser()
    assert set(os.listdir("/dev/fd")) == before
    assert list(tmp_path.iterdir()) == []


def test_a_browser_that_cannot_be_started_leaves_nothing_open(monkeypatch, tmp_path):
    chromium = tmp_path / "bin" / "chromium"
    chromium.parent.mkdir()
    chromium.write_text("")
    chromium.chmod(0o755)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("PATH", str(chromium.parent))  # no shell to start it with
    before = set(os.listdir("/dev/fd"))
    with pytest.raises(FileNotFoundError):
        Browser()
    assert set(os.listdir("/dev/fd")) == before
    assert list((tmp_path / "temporary").iterdir()) == []
