#!/usr/bin/env python3
"""Make a `python` base image out of the interpreter that runs this script, without a registry.

The image holds the interpreter with its standard library and pip, the shared libraries that these link to, a few
that wheels expect of any system, busybox as shell and tools, and this machine's certificate authorities. The last
matters where a company's own authority signs what pip downloads: a stock image would not trust it.

    base_image.py [--docker docker] [--tag python:3.11 ...]
    base_image.py --output base.tar

With no tag it is named after the interpreter, `python:3.11` and `python:3.11-slim`, so that `FROM python:3.11`
finds it. Only the standard library is used here, so that any interpreter can run it before an environment exists.
Needs a statically linked busybox (`apt-get install busybox-static`).
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
HOST_PREFIX = Path(sys.base_prefix).resolve()
# A system's own Python finds its packages by rules that are patched for /usr, so it keeps that prefix.
IMAGE_PREFIX = "usr" if str(HOST_PREFIX) == "/usr" else "usr/local"

NOT_IN_AN_IMAGE = {"site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo"}
# Folders that the dynamic loader searches by itself; a library from elsewhere (pyenv, conda) moves to usr/lib.
LOADER_FOLDERS = ("/lib", "/usr/lib")
# Wheels may count on these by the manylinux promise, name lookup loads the nss ones at run time, and wheels that were
# built on an old glibc still name the libraries that glibc 2.34 made part of libc.
LIBRARIES_OF_ANY_SYSTEM = (
    "libanl.so.1",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libnss_dns.so.2",
    "libnss_files.so.2",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libstdc++.so.6",
    "libutil.so.1",
    "libz.so.1",
)

CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
    "LANG": "C.UTF-8",
    # pip brings its own list of authorities and reads the system's only when told to.
    "PIP_CERT": f"/{CERTIFICATES}",
    "REQUESTS_CA_BUNDLE": f"/{CERTIFICATES}",
    "SSL_CERT_FILE": f"/{CERTIFICATES}",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_ROOT_USER_ACTION": "ignore",
}
FOLDERS = {
    "bin": 0o755,
    "dev": 0o755,
    "etc": 0o755,
    "proc": 0o755,
    "root": 0o700,
    "run": 0o755,
    "sys": 0o755,
    "tmp": 0o1777,
    "usr/bin": 0o755,
    "var/tmp": 0o1777,
}
TEXT_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "hosts: files dns\npasswd: files\ngroup: files\n",
    "etc/os-release": 'ID=launchyard-test\nNAME="Base image of the Launchyard tests"\n',
}
# 1980, the first year that a wheel, which is a zip file, can hold.
EARLIEST_IN_A_ZIP = 315619200
PIP_SCRIPT = f"#!/{IMAGE_PREFIX}/bin/python3\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n"


def linked_libraries(binary: Path) -> set[Path]:
    """The shared libraries that the loader would map for `binary`, the loader itself included."""
    # ldd leaves with an error for a static binary, which simply has none.
    answer = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False).stdout
    return {Path(path) for path in re.findall(r"(/\S+) \(0x", answer)}


def place_of_library(library: Path) -> str:
    if str(library).startswith(("/lib/", "/lib64/", "/usr/lib/")):
        return str(library).lstrip("/")
    return f"usr/lib/{library.name}"


def libraries_of_any_system() -> Iterator[Path]:
    folders = [Path(top, sysconfig.get_config_var("MULTIARCH") or "") for top in LOADER_FOLDERS]
    for name in LIBRARIES_OF_ANY_SYSTEM:
        yield from [folder / name for folder in folders if (folder / name).exists()][:1]


def interpreter_files() -> dict[str, Path]:
    """The interpreter and its standard library, by their paths in the image."""
    files = {f"{IMAGE_PREFIX}/bin/{PYTHON}": (HOST_PREFIX / "bin" / PYTHON).resolve()}
    library = Path(sysconfig.get_path("stdlib")).resolve()
    for folder, subfolders, names in os.walk(library):
        subfolders[:] = [name for name in subfolders if name not in NOT_IN_AN_IMAGE and not name.startswith("config-")]
        for name in names:
            # Without the EXTERNALLY-MANAGED marker, pip may install into the image as in any other python image.
            if name != "EXTERNALLY-MANAGED" and not name.endswith((".a", ".opt-1.pyc", ".opt-2.pyc")):
                path = Path(folder, name)
                files[f"{IMAGE_PREFIX}/lib/{PYTHON}/{path.relative_to(library)}"] = path
    return files


def wheels_of_ensurepip() -> list[Path]:
    """The wheels that `ensurepip` installs, pip among them; distributions keep them in a folder of their own."""
    folders = [
        Path(sysconfig.get_path("stdlib"), "ensurepip/_bundled"),
        Path(sysconfig.get_config_var("WHEEL_PKG_DIR") or "/usr/share/python-wheels"),
    ]
    wheels = [wheel for folder in folders for wheel in sorted(folder.glob("*.whl"))]
    if not any(wheel.name.startswith("pip-") for wheel in wheels):
        sys.exit("base_image.py: this interpreter comes without pip's wheel: apt-get install python3-venv")
    return wheels


def all_files() -> dict[str, Path]:
    """Every file that is copied from this machine, by its path in the image."""
    busybox = shutil.which("busybox")
    if busybox is None:
        sys.exit("base_image.py: busybox is missing: apt-get install busybox-static")
    files = interpreter_files()
    if IMAGE_PREFIX == "usr":
        files |= {str(wheel).lstrip("/"): wheel for wheel in wheels_of_ensurepip()}
    libraries = set(libraries_of_any_system())
    for path, real in files.items():
        if path.endswith((".so", f"/bin/{PYTHON}")):
            libraries |= linked_libraries(real)
    files |= {place_of_library(library): library for library in libraries}
    files["bin/busybox"] = Path(busybox)
    authorities = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or f"/{CERTIFICATES}"
    if Path(authorities).is_file():
        files[CERTIFICATES] = Path(authorities)
    return files


def pip_files() -> Iterator[tuple[str, bytes]]:
    # In the patched layout of /usr, packages that belong to the system live in a folder that all versions share.
    shared = IMAGE_PREFIX == "usr"
    packages = "usr/lib/python3/dist-packages" if shared else f"{IMAGE_PREFIX}/lib/{PYTHON}/site-packages"
    pip = next(wheel for wheel in wheels_of_ensurepip() if wheel.name.startswith("pip-"))
    with zipfile.ZipFile(pip) as wheel:
        for member in wheel.infolist():
            if not member.is_dir():
                yield f"{packages}/{member.filename}", wheel.read(member)


class Image:
    """A root file system that is written as a tar stream, owned by root throughout."""

    def __init__(self, sink: IO[bytes]) -> None:
        self.tar = tarfile.open(fileobj=sink, mode="w|")  # noqa: SIM115 - closed in `close`

    def folder(self, name: str, mode: int) -> None:
        self._entry(name, tarfile.DIRTYPE, mode=mode)

    def link(self, name: str, target: str) -> None:
        self._entry(name, tarfile.SYMTYPE, linkname=target)

    def data(self, name: str, content: bytes, mode: int = 0o644, mtime: int = EARLIEST_IN_A_ZIP) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.mtime = len(content), mode, mtime
        self.tar.addfile(entry, io.BytesIO(content))

    def copy(self, name: str, path: Path) -> None:
        # Compiled modules are valid for sources of exactly this time, and without them every start would compile.
        status = path.stat()
        self.data(name, path.read_bytes(), 0o755 if status.st_mode & 0o100 else 0o644, int(status.st_mtime))

    def close(self) -> None:
        self.tar.close()

    def _entry(self, name: str, kind: bytes, mode: int = 0o777, linkname: str = "") -> None:
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.linkname = kind, mode, linkname
        self.tar.addfile(entry)


def write_image(sink: IO[bytes]) -> None:
    image = Image(sink)
    for name, mode in FOLDERS.items():
        image.folder(name, mode)
    files = all_files()
    for name, path in sorted(files.items()):
        image.copy(name, path)
    for name, text in TEXT_FILES.items():
        image.data(name, text.encode())
    for name, content in pip_files():
        image.data(name, content)
    for name in ("pip", "pip3"):
        image.data(f"{IMAGE_PREFIX}/bin/{name}", PIP_SCRIPT.encode(), 0o755)
    for name in ("python", "python3"):
        image.link(f"{IMAGE_PREFIX}/bin/{name}", PYTHON)
    tools = subprocess.run([files["bin/busybox"], "--list"], capture_output=True, text=True, check=True).stdout
    for tool in sorted(set(tools.split()) - {"busybox"}):
        image.link(f"bin/{tool}", "busybox")
    # The one tool whose full path people write in scripts.
    image.link("usr/bin/env", "/bin/busybox")
    image.close()


def import_image(docker: str, tags: list[str]) -> None:
    """Stream the image into the engine that `docker` talks to, under every one of `tags`."""
    variables = " ".join(f"{name}={value}" for name, value in ENVIRONMENT.items())
    command = [docker, "import", "--change", f"ENV {variables}", "--change", 'CMD ["python3"]', "-", tags[0]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as importing:
        assert importing.stdin is not None
        write_image(importing.stdin)
        importing.stdin.close()
    if importing.returncode:
        sys.exit(f"base_image.py: docker import left with {importing.returncode}")
    for tag in tags[1:]:
        subprocess.run([docker, "tag", tags[0], tag], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a python base image out of the running interpreter.")
    version = PYTHON.removeprefix("python")
    parser.add_argument("--tag", action="append", help=f"name of the image (python:{version}, python:{version}-slim)")
    parser.add_argument("--docker", default="docker", help="the docker command to import it with (docker)")
    parser.add_argument("--output", type=Path, help="write a tar file in place of importing it")
    arguments = parser.parse_args()
    if arguments.output:
        with arguments.output.open("wb") as sink:
            write_image(sink)
        return
    tags = arguments.tag or [f"python:{version}", f"python:{version}-slim"]
    import_image(arguments.docker, tags)
    print(*tags)


if __name__ == "__main__":
    main()
