"""The suite: subclass one of the two contracts, and name the case."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from workers.targets.contract.case import Behaviour, Case
from workers.targets.contract.ending import Ending
from workers.targets.contract.following import Following
from workers.targets.contract.lab import Lab
from workers.targets.contract.releasing import Releasing, expect_free_when_forgotten
from workers.targets.contract.submitting import Submitting


class _Contract(Submitting, Following, Ending, Releasing):
    case: ClassVar[Case]

    @pytest.fixture
    def lab(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
        """The target, in a home of its own."""
        for name, value in self.case.variables().items():
            monkeypatch.setenv(name, value)
        # Directly under the temporary folder: pytest's own are too deep for a unix socket's path.
        with tempfile.TemporaryDirectory(prefix="ly-", ignore_cleanup_errors=True) as home:
            lab = Lab(self.case, Path(home))
            yield lab
            lab.close()


class TargetContract(_Contract):
    """Of a target whose platform gives a name again."""

    def test_a_name_is_free_again_when_its_release_is_forgotten(self, lab: Lab) -> None:
        # Given
        request = lab.target.render(lab.workload(Behaviour(lines=("again",))))
        lab.target.submit(request)
        lab.end_of(request.name)
        lab.target.release(request.name)
        # Then
        expect_free_when_forgotten(lab, request, "again")


class KeptNamesContract(_Contract):
    """Of a target whose platform gives a name once, and keeps it with its object for good."""

    def test_a_name_that_its_platform_keeps_is_never_free_again(self, lab: Lab) -> None:
        # Given
        request = lab.target.render(lab.workload(Behaviour(lines=("only once",))))
        lab.target.submit(request)
        lab.end_of(request.name)
        lab.target.release(request.name)
        # When
        lab.target.forget(request.name)
        lab.another_agent().submit(request)
        # Then
        assert request.name not in lab.another_agent().released(0.0)
        assert lab.another_agent().observe([request.name]) == {}
