"""Written Dockerfiles on a real engine, with packages from a real index."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import APIError

from broker_config.jobs import CodeSource, Job
from tests.docker_engine import BASE_IMAGE, engine
from tests.services import require
from workers.builders.docker import DockerBuilder
from workers.builders.protocol import BuildOrder
from workers.config.builder import DockerBuilderConfig
from workers.images.buildx.program import find
from workers.images.steps import BuildStep
from workers.sources.protocol import Fetched

SIX = {"main.py": "import six; print(six.__version__)"}
PROJECT = '[project]\nname = "demo"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["six==1.17.0"]\n'
LOCK = """\
version = 1
revision = 3
requires-python = ">=3.10"

[[package]]
name = "demo"
version = "1"
source = { SOURCE = "." }
dependencies = [{ name = "six" }]

[package.metadata]
requires-dist = [{ name = "six", specifier = "==1.17.0" }]

[[package]]
name = "six"
version = "1.17.0"
source = { registry = "https://pypi.org/simple" }
"""


@dataclass
class Lab:
    """Builds code, and runs what came of it."""

    home: Path
    api: docker.APIClient
    config: Mapping[str, Any] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    steps: tuple[BuildStep, ...] = ()

    def build(self, files: Mapping[str, str], accelerator: str | None = None) -> str:
        digest = sha256(repr(sorted(files.items())).encode()).hexdigest()
        folder = self.home / digest[:12]
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        builder = DockerBuilder(self.home, DockerBuilderConfig.model_validate(self.config))
        source = CodeSource(digest=f"sha256:{digest}", size_bytes=1)
        order = BuildOrder(Job(source=source), Fetched(f"sha256:{digest}", folder=folder), accelerator=accelerator)
        self.log.clear()
        artifact = builder.build(order, builder.key(order), self.log.append, lambda: False)
        self.images.append(artifact.reference)
        self.steps = artifact.steps
        return self.images[-1]

    def output(self, image: str, *command: str) -> str:
        made = self.api.create_container_from_config({"Image": image, "Cmd": [*command]})  # type: ignore[no-untyped-call]
        try:
            self.api.start(made["Id"])
            self.api.wait(made["Id"], timeout=60)
            return self.api.logs(made["Id"]).decode().strip()
        finally:
            self.api.remove_container(made["Id"], force=True)


@pytest.fixture
def lab(home: Path) -> Iterator[Lab]:
    lab = Lab(home, engine())
    require(find() is not None, "there is no docker CLI with buildx; install docker-buildx")
    yield lab
    for image in lab.images:
        with suppress(APIError):
            lab.api.remove_image(image, force=True)


@pytest.mark.parametrize(
    "files",
    [
        {"requirements.txt": "-r deps/base\n", "deps/base": "-c more.txt\nsix\n", "deps/more.txt": "six==1.17.0\n"},
        {"pyproject.toml": PROJECT, "uv.lock": LOCK.replace("SOURCE", "virtual")},
        {"pyproject.toml": PROJECT},
        {"pyproject.toml": PROJECT + '[tool.uv.sources]\nother = { path = "x" }\n'},
        {"requirements.frozen.txt": "six==1.17.0\n"},
    ],
    ids="+".join,
)
def test_what_the_code_names_is_installed_from_the_index(lab: Lab, files: Mapping[str, str]) -> None:
    image = lab.build({**files, **SIX})
    assert lab.output(image, "python", "main.py") == "1.17.0"


def test_the_job_is_not_root_and_uv_is_not_in_its_image(lab: Lab) -> None:
    image = lab.build({"requirements.txt": "six\n", **SIX})
    assert lab.output(image, "sh", "-c", "id -u; id -un; pwd; test -e /uv && echo uv") == "1000\njob\n/job"


def test_a_package_with_a_lock_is_installed_with_its_dependencies(lab: Lab) -> None:
    # Given a project with its code below src
    build = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    files = {"pyproject.toml": PROJECT + build, "uv.lock": LOCK.replace("SOURCE", "editable")}
    # When
    image = lab.build({**files, "src/demo/__init__.py": "import six; VALUE = six.__version__"})
    # Then
    assert lab.output(image, "python", "-c", "import demo; print(demo.VALUE)") == "1.17.0"


def test_a_frozen_package_that_cannot_be_installed_is_told_and_left_out(lab: Lab) -> None:
    frozen = f"# {time.time()}\nsix==1.17.0\nno-such-package-of-anybody==1.0"
    image = lab.build({"requirements.frozen.txt": frozen, **SIX})
    assert lab.output(image, "python", "main.py") == "1.17.0"
    assert [line for line in lab.log if "WARNING: no-such-package-of-anybody==1.0 could not be installed" in line]


def test_an_accelerators_image_is_built_upon_with_its_own_python(lab: Lab) -> None:
    # Given an image with a package, whose Python has no other name than python3, and whose user may write nothing
    steps = 'RUN pip install iniconfig && rm "$(command -v python)"\nENV BROUGHT=libraries\nUSER 12345\n'
    text = f"FROM {BASE_IMAGE}\n{steps}"
    made = subprocess.run(["docker", "build", "-q", "-"], input=text, text=True, capture_output=True, check=True)
    lab.images.append("lab/accelerator:1")
    subprocess.run(["docker", "tag", made.stdout.strip(), lab.images[0]], check=True)
    # When
    image = lab.build({"requirements.txt": "six==1.17.0\n", **SIX}, accelerator=lab.images[0])
    # Then
    assert lab.output(image, "python", "main.py") == "1.17.0"
    script = "import iniconfig, os; print(os.environ['BROUGHT'], os.getuid())"
    assert lab.output(image, "python", "-c", script) == "libraries 1000"


def test_only_the_layer_with_the_code_is_made_anew_after_an_edit(lab: Lab) -> None:
    # Given
    requirements = {"requirements.txt": f"six\n# {time.time()}\n"}
    lab.build({**requirements, "main.py": "1"})
    # When
    lab.build({**requirements, "main.py": "2"})
    # Then
    own = [step for step in lab.steps if step.name.startswith("[stage-1 ") and "] FROM" not in step.name]
    anew = [step.name.partition("] ")[2] for step in own if not step.is_cached]
    assert anew == ["COPY --chown=1000:1000 . ."]


def test_a_secret_is_seen_by_the_build_and_is_nowhere_in_the_image(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given secrets of both kinds, for a written Dockerfile and for the job's own
    word = f"password-{time.time_ns()}"
    monkeypatch.setenv("AGENTS_NETRC", f"machine pypi.example.com login agent password {word}\n")
    (lab.home / "token").write_text(word)
    lab.config = {"secrets": {"netrc": {"env": "AGENTS_NETRC"}, "token": {"file": str(lab.home / "token")}}}
    own = f"FROM {BASE_IMAGE}\nRUN --mount=type=secret,id=token wc -c < /run/secrets/token > /length\n"
    # When
    written, dockerfile = lab.build({"requirements.txt": "six\n", **SIX}), lab.build({"Dockerfile": own})
    # Then
    assert lab.output(dockerfile, "cat", "/length") == str(len(word))
    for image in (written, dockerfile):
        assert word not in json.dumps([lab.api.inspect_image(image), lab.api.history(image)])  # type: ignore[no-untyped-call]
        saved = b"".join(lab.api.get_image(image))
        assert word.encode() not in saved
    assert word not in "\n".join(lab.log)


def test_files_of_any_name_are_in_the_image(lab: Lab) -> None:
    names = ["a b.txt", "-rf", "$HOME", "quote'\".txt", "ü.txt", "#x", "deps;ls.txt", "[x].txt"]
    image = lab.build({"requirements.txt": "six\n", **dict.fromkeys(names, "here")})
    assert set(names) <= set(lab.output(image, "ls", "-1").splitlines())
