"""The members of the family of builders, for the contract suite. A new builder is added to `BUILDERS`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

from broker_config.jobs import CodeSource, Job
from tests.workers.builders.wheels import OFFLINE, write_wheel
from workers.builders.noop import NoopBuilder
from workers.builders.protocol import Builder, BuildOrder
from workers.builders.stub import StubBuilder
from workers.builders.venv import VenvBuilder
from workers.config.builder import NoopBuilderConfig, OtherBuilderConfig, VenvConfig
from workers.sources.protocol import Fetched


class Case(Protocol):
    """How the suite makes a builder and gives it orders. Each may skip the test with `tests.services.require`."""

    builds: bool
    """False: every order is refused."""

    keeps: bool
    """Whether another instance on the same home finds what one has built."""

    def make(self, home: Path) -> Builder: ...

    def order(self, home: Path, content: str) -> BuildOrder:
        """An order for that content; another content gives another artifact."""
        ...


def order_of(folder: Path, digest: str) -> BuildOrder:
    source = CodeSource(digest="sha256:" + "0" * 64, size_bytes=1)
    return BuildOrder(Job(source=source, entry_point=("python", "train.py")), Fetched(digest, folder=folder))


class Stub:
    builds = True
    keeps = True

    def make(self, home: Path) -> Builder:
        return StubBuilder(home, OtherBuilderConfig(type="stub"))

    def order(self, home: Path, content: str) -> BuildOrder:
        return order_of(home, content)


class Noop:
    builds = False
    keeps = False

    def make(self, home: Path) -> Builder:
        return NoopBuilder(home, NoopBuilderConfig())

    def order(self, home: Path, content: str) -> BuildOrder:
        order = order_of(home, content)
        return replace(order, job=order.job.model_copy(update={"dockerfile": "Dockerfile"}))


class Venv:
    builds = True
    keeps = True

    def make(self, home: Path) -> Builder:
        return VenvBuilder(home, VenvConfig())

    def order(self, home: Path, content: str) -> BuildOrder:
        code = home / content
        write_wheel(code / "wheels", "probe", "1.0", content)
        (code / "requirements.txt").write_text(OFFLINE + "probe\n")
        return order_of(code, content)


BUILDERS: dict[str, Case] = {"stub": Stub(), "noop": Noop(), "venv": Venv()}
