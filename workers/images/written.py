"""The text of a Dockerfile that is written for code which has none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from broker_config.jobs import ENVIRONMENT_NAME
from workers.config.image_builder import ImageBuilderConfig
from workers.images.dependencies import Dependencies, Kind
from workers.images.installs import CONDA_ENVIRONMENT, SECRET_FILES, UV, Installer
from workers.images.python_version import AGENT_PYTHON

_USER_ID = 1000

# Written by hand, because every image that has a shell has echo and mkdir, and not every one has useradd. The entry in
# passwd matters: without it, getpass.getuser() fails, which PyTorch among others calls.
_USER = (
    f"RUN echo 'job:x:{_USER_ID}:' >> /etc/group"
    f" && echo 'job:x:{_USER_ID}:{_USER_ID}::/home/job:/bin/sh' >> /etc/passwd"
    f" && mkdir -p /home/job /job && chown {_USER_ID}:{_USER_ID} /home/job /job"
)

_COPY = f"COPY --chown={_USER_ID}:{_USER_ID} . ."

_ENVIRONMENT = "/opt/env"


@dataclass(frozen=True, slots=True)
class Means:
    """What a builder has for the Dockerfiles that are written for it."""

    config: ImageBuilderConfig
    mounts: bool = True  # whether it knows RUN --mount
    accelerator: str | None = None  # the image to build upon instead, which brings drivers and maybe Python

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(name for name in SECRET_FILES if name in self.config.secrets)


def written(found: Dependencies, python: str | None, means: Means) -> str:
    """A Dockerfile for code with these dependencies, and that version of Python; None: any that is there."""
    installer = Installer(means.mounts, means.secrets, any_python=means.accelerator is not None)
    lines = _with_conda if found.kind is Kind.CONDA else _with_uv
    return "\n".join(lines(found, python, means, installer)) + "\n"


def _with_uv(found: Dependencies, python: str | None, means: Means, installer: Installer) -> Iterator[str]:
    python_image = means.config.python_image.replace("{python}", python or AGENT_PYTHON)
    needs_uv = found.kind is not Kind.NONE or means.accelerator is not None
    if needs_uv and means.config.uv_image:
        yield f"FROM {means.config.uv_image} AS uv"
    elif needs_uv:
        yield f"FROM {python_image} AS uv"
        yield from _arguments(means)
        yield installer.stage()
    yield f"FROM {means.accelerator or python_image}"
    if means.accelerator:
        yield "USER root"
    yield from _job_user(means)
    if needs_uv and not means.mounts:
        yield f"COPY --from=uv {UV} {UV}"
    if means.accelerator:
        yield f"ENV PATH={_ENVIRONMENT}/bin:$PATH UV_PYTHON_INSTALL_DIR=/opt/python"
        yield installer.run_shell(_any_python(python))
    yield from _code(found, installer)


def _with_conda(found: Dependencies, _: str | None, means: Means, installer: Installer) -> Iterator[str]:
    if means.accelerator:
        yield f"FROM {means.config.conda_image} AS conda"
    yield f"FROM {means.accelerator or means.config.conda_image}"
    yield "USER root"
    yield from _job_user(means)
    if means.accelerator:
        yield "COPY --from=conda /bin/micromamba /bin/micromamba"
    yield f"ENV MAMBA_ROOT_PREFIX=/opt/conda PATH={CONDA_ENVIRONMENT}/bin:$PATH"
    yield from _code(found, installer)
    # Micromamba's image activates an environment of its own before each command.
    yield "ENTRYPOINT []"


def _job_user(means: Means) -> Iterator[str]:
    yield from _arguments(means)
    yield "ENV PYTHONUNBUFFERED=1"
    yield _USER
    yield "WORKDIR /job"


def _code(found: Dependencies, installer: Installer) -> Iterator[str]:
    """Layers from the one that changes least to the one that changes with every commit."""
    if found.needs_code:
        yield _COPY
    else:
        yield from (f"COPY {json.dumps([name, name])}" for name in found.files)
    yield from installer.dependencies(found)
    if not found.needs_code:
        yield _COPY
    if found.is_package:
        yield installer.package()
    yield f"USER {_USER_ID}:{_USER_ID}"


def _any_python(version: str | None) -> str:
    """Take the base image's Python if there is one, of that version if one is asked for; else have uv bring it."""
    bring = f"{UV} venv {_ENVIRONMENT}"
    fits = "python3 -c 'import sys'"
    if version:
        bring = f"{UV} venv --python {version} {_ENVIRONMENT}"
        fits = f"python3 -c 'import sys; sys.exit(sys.version_info[:2] != ({version.replace('.', ', ')}))'"
    # Jobs call it `python`, which Debian and Ubuntu leave out.
    name = f'mkdir -p {_ENVIRONMENT}/bin && ln -s "$(command -v python3)" {_ENVIRONMENT}/bin/python'
    return f"if {fits}; then command -v python || {{ {name}; }}; else {bring}; fi"


def _arguments(means: Means) -> Iterator[str]:
    """Build arguments are in the environment of each command, and not in that of the job."""
    yield from (f"ARG {name}" if value is None else f"ARG {name}={value}" for name, value in _known(means).items())


def _known(means: Means) -> Mapping[str, str | None]:
    config = means.config
    found: dict[str, str | None] = {}
    if config.index_url:
        found |= {"PIP_INDEX_URL": config.index_url, "UV_DEFAULT_INDEX": config.index_url}
    if config.extra_index_urls:
        urls = json.dumps(" ".join(config.extra_index_urls))
        found |= {"PIP_EXTRA_INDEX_URL": urls, "UV_INDEX": urls}
    if "netrc" in means.secrets:
        found["NETRC"] = SECRET_FILES["netrc"]
    return found | {name: None for name in sorted(config.build_args) if ENVIRONMENT_NAME.fullmatch(name)}
