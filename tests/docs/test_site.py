"""The site of the documentation: it is built without a warning, is whole without a network, and mistakes stop it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, pages

BUILD_SECONDS = 150
OUTSIDE = re.compile(r"(?:https?:)?//")
LOADED_BY_CSS = re.compile(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')\s]+)")


def build(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """What `make docs` does."""
    options = ["-W", "--keep-going", "-q", "-c", "docs", "-d", str(site.with_name("doctrees"))]
    command = [sys.executable, "-m", "sphinx", *options, ".", str(site)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)


class Loaded(HTMLParser):
    """Collects what a browser loads by itself with a page; where a link leads is up to the reader."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = ("href",) if tag == "link" else ("src", "srcset", "data", "poster")
        self.addresses += [value for name, value in attrs if name in names and value]


def loaded(file: Path) -> Iterator[str]:
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".css":
        yield from LOADED_BY_CSS.findall(text)
        return
    parser = Loaded()
    parser.feed(text)
    yield from parser.addresses


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("docs") / "site"
    answer = build(ROOT, site)
    assert (answer.returncode, answer.stderr) == (0, "")
    return site


def test_every_page_is_in_the_site(site: Path) -> None:
    written = [site / page.relative_to(ROOT).with_suffix(".html") for page in pages()]

    assert not [page for page in written if not page.exists()]


def test_nothing_in_the_site_is_loaded_from_outside(site: Path) -> None:
    # Given all that a browser may read
    files = [file for kind in ("*.html", "*.css", "*.svg") for file in site.rglob(kind)]

    # When
    outside = {f"{file.name}: {address}" for file in files for address in loaded(file) if OUTSIDE.match(address)}

    # Then
    assert len(files) > len(pages())
    assert not outside


def test_a_page_that_no_list_names_and_links_that_lead_nowhere_are_told(tmp_path: Path) -> None:
    # Given a site of two pages, of which the index names one
    docs = tmp_path / "docs"
    docs.mkdir()
    shutil.copy(ROOT / "docs" / "conf.py", docs)
    shutil.copytree(ROOT / "docs" / "site", docs / "site")
    (docs / "index.md").write_text("# Index\n\n## How to\n\n- [listed](listed.md)\n")
    (docs / "listed.md").write_text("# Listed\n\n[gone](gone.md), [nowhere](index.md#nowhere), [folder](../docs)\n")
    (docs / "forgotten.md").write_text("# Forgotten\n")

    # When
    answer = build(tmp_path, tmp_path / "build" / "site")

    # Then
    told = answer.stderr
    assert answer.returncode != 0
    assert re.search(r"forgotten\.md: WARNING: document isn't included in any toctree", told), told
    assert all(f"'{link}'" in told for link in ("gone.md", "nowhere", "../docs")), told
