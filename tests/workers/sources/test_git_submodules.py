"""Where submodules are had from, in the words of gitmodules(5)."""

from __future__ import annotations

import pytest

from workers.failures import RunFailed
from workers.sources.git.submodules import resolved


@pytest.mark.parametrize(
    ("url", "parent", "result"),
    [
        ("https://b.example/x.git", "https://a.example/team/train.git", "https://b.example/x.git"),
        ("../lib.git", "https://a.example/team/train.git", "https://a.example/team/lib.git"),
        ("../lib.git", "https://a.example/team/train.git/", "https://a.example/team/lib.git"),
        ("../../other/lib.git", "https://a.example/team/train.git", "https://a.example/other/lib.git"),
        ("./lib.git", "https://a.example/team/train", "https://a.example/team/train/lib.git"),
        ("../lib.git", "git@a.example:team/train.git", "git@a.example:team/lib.git"),
        ("../lib.git", "git@a.example:train.git", "git@a.example:lib.git"),
        ("../lib.git", "ssh://git@a.example:2222/train.git", "ssh://git@a.example:2222/lib.git"),
    ],
)
def test_a_relative_url_is_relative_to_that_of_the_parent(url: str, parent: str, result: str) -> None:
    assert resolved(url, parent) == result


@pytest.mark.parametrize("parent", ["https://a.example/train.git", "git@a.example:train.git"])
def test_a_relative_url_cannot_leave_the_host(parent: str) -> None:
    with pytest.raises(RunFailed, match="leads out of its repository's host"):
        resolved("../../../b.example/lib.git", parent)
