"""Environments that are really built, with uv and with pip."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from broker_config.jobs import CodeSource, ImageSource, Job
from broker_config.states import FailureClass
from tests.services import require
from tests.workers.builders.wheels import OFFLINE, write_slow_package, write_wheel
from workers.builders.protocol import Artifact, ArtifactKind, BuildOrder
from workers.builders.venv import VenvBuilder
from workers.builders.venv.installers import find_uv
from workers.config.builder import VenvConfig
from workers.failures import RunCancelled, RunFailed
from workers.sources.protocol import Fetched
from workers.targets.contract.waiting import eventually

ROOT = Path(__file__).parents[3]
SOURCE = CodeSource(digest="sha256:" + "0" * 64, size_bytes=1)


def never() -> bool:
    return False


@pytest.fixture
def code(home: Path) -> Path:
    code = home / "code"
    code.mkdir()
    return code


@pytest.fixture
def order(code: Path) -> BuildOrder:
    return BuildOrder(Job(source=SOURCE), Fetched("sha256:1", folder=code))


def build(builder: VenvBuilder, order: BuildOrder, log: list[str] | None = None) -> Artifact:
    return builder.build(order, builder.key(order), (log if log is not None else []).append, never)


def run_in(artifact: Artifact, script: str) -> str:
    done = subprocess.run(
        [Path(artifact.reference, "bin", "python"), "-c", script],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def left_in(home: Path) -> list[str]:
    """Folders of environments, whole or not."""
    return [path.name for path in (home / "environments").iterdir() if path.is_dir()]


@pytest.fixture(params=["uv", "pip"])
def builder(request: pytest.FixtureRequest, home: Path) -> VenvBuilder:
    if request.param == "uv":
        require(find_uv() is not None, "uv: install it")
    return VenvBuilder(home, VenvConfig(installer=request.param))


@pytest.fixture
def fast(home: Path) -> VenvBuilder:
    """What there is: most things do not depend on the installer."""
    return VenvBuilder(home, VenvConfig())


# --- what is built ----------------------------------------------------------------------------------------------------


def test_requirements_are_installed_and_compiled_also_where_the_agent_writes_no_bytecode(
    builder: VenvBuilder, order: BuildOrder, code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    write_wheel(code / "wheels", "probe", "1.0", "from a wheel")
    (code / "requirements.txt").write_text(OFFLINE + "probe==1.0\n")
    log: list[str] = []
    # When
    artifact = build(builder, order, log)
    # Then
    assert artifact.kind is ArtifactKind.ENVIRONMENT
    assert run_in(artifact, "import os, probe; print(probe.VALUE, os.path.exists(probe.__cached__))") == (
        "from a wheel True"
    )
    assert any("probe" in line for line in log)


def test_the_dependencies_of_a_project_are_installed_where_there_is_no_requirements_file(
    builder: VenvBuilder, order: BuildOrder, code: Path
) -> None:
    # Given
    wheel = write_wheel(code / "wheels", "probe", "1.0", "from a project")
    (code / "pyproject.toml").write_text(f'[project]\nname = "x"\ndependencies = ["probe @ file://{wheel}"]\n')
    # When
    artifact = build(builder, order)
    # Then
    assert run_in(artifact, "import probe; print(probe.VALUE)") == "from a project"


def test_code_without_requirements_gets_an_empty_environment_of_its_own(
    builder: VenvBuilder, order: BuildOrder
) -> None:
    # When
    artifact = build(builder, order)
    # Then
    assert run_in(artifact, "import sys; print(sys.prefix)") == artifact.reference
    assert run_in(artifact, "import importlib.util as u; print(u.find_spec('celery'))") == "None"


def test_an_environment_is_found_by_every_agent_once_it_is_whole(
    fast: VenvBuilder, order: BuildOrder, home: Path
) -> None:
    # Given
    key = fast.key(order)
    assert fast.find(order, key) is None
    # When
    artifact = build(fast, order)
    # Then
    assert VenvBuilder(home, VenvConfig()).find(order, key) == artifact


def test_an_environment_whose_python_is_gone_is_made_anew(fast: VenvBuilder, order: BuildOrder) -> None:
    # Given
    artifact = build(fast, order)
    python = Path(artifact.reference, "bin", "python")
    python.unlink()
    python.symlink_to("/nowhere/python3")
    # When
    assert fast.find(order, fast.key(order)) is None
    # Then
    assert run_in(build(fast, order), "print(1)") == "1"


def test_a_package_of_the_index_is_installed(fast: VenvBuilder, order: BuildOrder, code: Path) -> None:
    # Given
    (code / "requirements.txt").write_text("six==1.17.0\n")
    # When
    artifact = build(fast, order)
    # Then
    assert run_in(artifact, "import six; print(six.__version__)") == "1.17.0"


# --- what cannot be built ---------------------------------------------------------------------------------------------


def test_a_requirement_that_does_not_exist_fails_the_build_with_the_installers_words(
    builder: VenvBuilder, order: BuildOrder, code: Path, home: Path
) -> None:
    # Given
    write_wheel(code / "wheels", "probe", "1.0", "x")
    (code / "requirements.txt").write_text(OFFLINE + "probe==2.0\n")
    # When
    with pytest.raises(RunFailed, match=r"Correct requirements\.txt") as failed:
        build(builder, order)
    # Then
    assert failed.value.failure is FailureClass.BUILD
    assert "probe==2.0" in str(failed.value)
    assert left_in(home) == []


def test_a_python_that_the_machine_has_not_is_named_with_the_cure(
    builder: VenvBuilder, order: BuildOrder, home: Path
) -> None:
    # Given
    order = BuildOrder(Job(source=SOURCE, python_version="3.99"), order.fetched)
    # When
    with pytest.raises(RunFailed, match=r"asks for Python 3\.99.*install python3\.99") as failed:
        build(builder, order)
    # Then
    assert failed.value.failure is FailureClass.CONFIG
    assert left_in(home) == []


def test_a_job_that_brings_an_image_is_refused_with_the_cure(fast: VenvBuilder) -> None:
    order = BuildOrder(Job(source=ImageSource(image="busybox:1")), Fetched("busybox:1", image="busybox:1"))
    for step in (fast.key, lambda order: fast.build(order, "key", print, never)):
        with pytest.raises(RunFailed, match=r"'busybox:1'.*resource docker") as failed:
            step(order)
        assert failed.value.failure is FailureClass.CONFIG


# --- cancelled, killed, and side by side ------------------------------------------------------------------------------


def started(told: Path) -> list[int]:
    """Pids of the builds of the slow package so far."""
    path = told / "started"
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def told(code: Path, home: Path) -> Path:
    """Where the slow package, which is all that is required, tells of its build."""
    write_slow_package(code / "slow", home / "told")
    (code / "requirements.txt").write_text("--no-index\n./slow\n")
    return home / "told"


def test_a_cancelled_build_ends_soon_and_leaves_nothing(
    builder: VenvBuilder, order: BuildOrder, told: Path, home: Path
) -> None:
    # Given
    asked_at: list[float] = []
    wish = threading.Event()

    def cancelled() -> bool:
        asked_at.append(time.monotonic())
        return wish.is_set()

    with ThreadPoolExecutor(1) as pool:
        building = pool.submit(builder.build, order, builder.key(order), lambda _: None, cancelled)
        (pid,) = eventually(lambda: started(told), 60)
        # When
        wished = time.monotonic()
        wish.set()
        with pytest.raises(RunCancelled):
            building.result(30)
    # Then
    assert time.monotonic() - wished < 10
    assert max(b - a for a, b in pairwise(asked_at)) < 0.5
    eventually(lambda: not psutil.pid_exists(pid))
    assert left_in(home) == []


def test_agents_that_build_the_same_at_once_build_it_once(
    fast: VenvBuilder, order: BuildOrder, told: Path, home: Path
) -> None:
    # Given
    agents = [VenvBuilder(home, VenvConfig()) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        # When
        building = [pool.submit(build, agent, order) for agent in agents]
        eventually(lambda: started(told), 60)
        (told / "go").touch()
        artifacts = {one.result(60) for one in building}
    # Then
    assert len(artifacts) == 1
    assert len(started(told)) == 1
    assert run_in(artifacts.pop(), "import slow; print(slow.VALUE)") == "slow"


def test_a_wait_for_another_agents_build_can_be_cancelled(
    fast: VenvBuilder, order: BuildOrder, told: Path, home: Path
) -> None:
    # Given
    with ThreadPoolExecutor(2) as pool:
        building = pool.submit(build, fast, order)
        eventually(lambda: started(told), 60)
        # When
        waiting = pool.submit(VenvBuilder(home, VenvConfig()).build, order, fast.key(order), print, lambda: True)
        with pytest.raises(RunCancelled):
            waiting.result(30)
        # Then
        (told / "go").touch()
        assert building.result(60).kind is ArtifactKind.ENVIRONMENT


def test_a_build_whose_agent_was_killed_is_made_anew_and_never_beside_the_orphan(
    fast: VenvBuilder, order: BuildOrder, code: Path, told: Path, home: Path
) -> None:
    # Given
    script = (
        "import sys; from pathlib import Path\n"
        "from broker_config.jobs import Job\n"
        "from workers.builders.protocol import BuildOrder\n"
        "from workers.builders.venv import VenvBuilder\n"
        "from workers.sources.protocol import Fetched\n"
        f"job = Job.model_validate_json({json.dumps(Job(source=SOURCE).model_dump_json())})\n"
        "order = BuildOrder(job, Fetched('sha256:1', folder=Path(sys.argv[2])))\n"
        "from workers.config.builder import VenvConfig\n"
        "builder = VenvBuilder(Path(sys.argv[1]), VenvConfig())\n"
        "builder.build(order, builder.key(order), print, lambda: False)"
    )
    agent = subprocess.Popen([sys.executable, "-c", script, home, code], cwd=ROOT, stdout=subprocess.DEVNULL)
    (orphan,) = eventually(lambda: started(told), 60)
    # When
    agent.kill()
    agent.wait(30)
    assert fast.find(order, fast.key(order)) is None
    with ThreadPoolExecutor(1) as pool:
        log: list[str] = []
        building = pool.submit(build, fast, order, log)
        # Then
        with pytest.raises(TimeoutError):
            building.result(1.0)
        assert psutil.pid_exists(orphan)
        assert log == [], "a second build began while the first one's installer was alive"
        (told / "go").touch()
        artifact = building.result(60)
    assert run_in(artifact, "import slow; print(slow.VALUE)") == "slow"
