"""Packages made in the test, so that environments are built without any index."""

from __future__ import annotations

import zipfile
from pathlib import Path

OFFLINE = "--no-index\n--find-links wheels\n"
"""Head of a requirements file that installs from the code's own folder `wheels` only."""


_WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_wheel(folder: Path, name: str, version: str, value: str) -> Path:
    """A wheel with one module that has a constant VALUE (the format is PEP 427)."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", f"VALUE = {value!r}\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", _WHEEL)
        wheel.writestr(f"{info}/RECORD", "")
    return path


_SLOW_BACKEND = """
import os, pathlib, time, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    told = pathlib.Path({told!r})
    with (told / "started").open("a") as started:
        started.write(f"{{os.getpid()}}\\n")
    deadline = time.monotonic() + 60
    while not (told / "go").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    name = "slow-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        wheel.writestr("slow.py", "VALUE = 'slow'\\n")
        wheel.writestr("slow-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: slow\\nVersion: 1.0\\n")
        wheel.writestr("slow-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("slow-1.0.dist-info/RECORD", "")
    return name
"""


def write_slow_package(folder: Path, told: Path) -> None:
    """A package whose build notes its pid in `told/started` and waits until there is `told/go`."""
    folder.mkdir(parents=True)
    told.mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "slow_backend"\nbackend-path = ["."]\n'
        '[project]\nname = "slow"\nversion = "1.0"\n'
    )
    (folder / "slow_backend.py").write_text(_SLOW_BACKEND.format(told=str(told)))
