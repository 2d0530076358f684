"""How `make docs` makes a site of the pages: Sphinx, which reads them through MyST, with the theme Furo.

The pages are written for whoever reads them in the repository, so nothing in them is for Sphinx. What it needs beside
them, the navigation, is taken from the lists of `docs/index.md`: one toctree for each heading with links under it. A
page that is on none of these lists is an error, as is any link that leads nowhere.

Sphinx reads from the root of the repository, so that links between `docs/` and the pages outside lead somewhere too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import join, normpath

from sphinx.application import Sphinx

INDEX = "docs/index"

project = "Launchyard"
root_doc = INDEX
include_patterns = ["*.md", "docs/**.md", "compose/*.md", "k8s/chart/*.md", "examples/**.md"]
exclude_patterns = [".*", "benchmarks", "broker_config", "build", "producer", "tests", "workers"]

extensions = ["myst_parser"]
# Every heading down to this level can be linked to, by the name that a forge gives it as well.
myst_heading_anchors = 4
nitpicky = True

html_theme = "furo"
html_title = "Launchyard"
html_extra_path = ["site"]
html_copy_source = False
html_show_sphinx = False

_HEADING = re.compile(r"^##+ (?P<title>.+)$", re.MULTILINE)
_PAGE = re.compile(r"\]\((?P<path>[^)#:]+)\.md(?:#[^)]*)?\)")


def setup(app: Sphinx) -> None:
    app.connect("source-read", add_navigation)


def add_navigation(_app: Sphinx, name: str, source: list[str]) -> None:
    if name == INDEX:
        source[0] += "".join(toctrees(source[0]))


def toctrees(index: str) -> Iterator[str]:
    """A hidden toctree for each heading of the index that has links to pages under it; a page is in the first."""
    _, *parts = _HEADING.split(index)
    seen = {INDEX}
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        linked = (normpath(join("docs", match["path"])) for match in _PAGE.finditer(text))
        pages = [page for page in dict.fromkeys(linked) if page not in seen]
        seen.update(pages)
        if pages:
            entries = "\n".join(f"/{page}" for page in pages)
            yield f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{entries}\n```\n"
