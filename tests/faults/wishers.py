"""`python -m tests.faults.wishers BUILDER NAME COUNT`: as many agents, each a process, that want the same image.

Each is an agent from the session to the heartbeat, with one run for which the image is to be built, and nothing else,
so that fifty of them fit onto a small machine. What each has got in the end is a line of the file `got`: its name and
the image. The code that they want built is the folder `code` of the home folder.
"""

from __future__ import annotations

import os
import sys

from broker_config.errors import LaunchyardError
from broker_config.jobs import CodeSource, Job
from broker_config.priorities import Priority
from broker_config.queues import Queue
from broker_config.runs import Run, RunSpec, new_run_id, now
from broker_config.settings import Settings, load_settings
from broker_config.states import Reason, State
from broker_config.store import Store
from workers import families
from workers.agent import RENEWALS
from workers.builders.protocol import BuildOrder
from workers.building.builds import Builds
from workers.building.wanted import Wanted
from workers.config.builder import DockerBuilderConfig, OtherBuilderConfig
from workers.heartbeat import Heartbeat
from workers.session import Session
from workers.sources.protocol import Fetched

LEASE_SECONDS = 3.0
BUILD_SECONDS = 3.0

CONFIGS = {
    "stub": OtherBuilderConfig(type="stub", options={"seconds": BUILD_SECONDS}),
    "docker": DockerBuilderConfig(),
}
DIGEST = "sha256:" + "5" * 64


def run_of() -> Run:
    """A run that was launched just now."""
    spec = RunSpec(
        id=new_run_id(),
        name="wisher",
        queue=Queue(name="q", resource="stub"),
        queue_revision=1,
        job=Job(source=CodeSource(digest=DIGEST, size_bytes=1), entry_point=("python", "train.py")),
        priority=Priority.MEDIUM,
        author="tester",
        created_at=now(),
    )
    return Run(spec=spec, version=1, state=State.BUILDING, since=now(), reason=Reason.BUILDING)


def wish(settings: Settings, name: str, builder_type: str) -> None:
    """Be one agent, until it has the image."""
    store = Store(settings)
    session = Session(store.agents, name, LEASE_SECONDS)
    builds = Builds(store, session, LEASE_SECONDS)
    builder = families.load("builders", builder_type)(settings.home, CONFIGS[builder_type])
    run = run_of()
    code = settings.home / "code"
    order = BuildOrder(run.spec.job, Fetched((code / "digest").read_text(), folder=code))

    def renew() -> None:
        session.renew()

    session.open()
    heartbeat = Heartbeat()
    heartbeat.every(LEASE_SECONDS / RENEWALS, renew)
    heartbeat.every(LEASE_SECONDS / RENEWALS, builds.keep_leases)
    heartbeat.start()
    image = None
    while image is None:
        try:
            wanted = Wanted(run, builder, order, builder.key(order), lambda: False)
            image = wanted.find() or builds.make(wanted).artifact
        except LaunchyardError as error:
            # As a run's course does after a passing trouble.
            sys.stderr.write(f"{name}: {error}\n")
    with (settings.home / "got").open("a") as got:
        got.write(f"{name} {image.reference}\n")


def main() -> None:
    """Become the parent of all of them."""
    settings, (builder, name, count) = load_settings(), sys.argv[1:]
    children = []
    for number in range(int(count)):
        child = os.fork()
        if child == 0:
            wish(settings, f"{name}{number}@test", builder)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
