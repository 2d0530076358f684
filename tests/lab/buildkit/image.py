"""An image of a rootless BuildKit for the lab's cluster, of this machine's programs, laid out as `moby/buildkit` is.

`newuidmap` and `newgidmap` have the one capability that each needs, as in Alpine: as Debian installs them, for the user
root, the kernel asks them for CAP_SYS_ADMIN, which no ordinary pod has. Source of its form: "capabilities(7)".
"""

from __future__ import annotations

import io
import shutil
import ssl
import struct
import tarfile
from collections.abc import Mapping
from pathlib import Path

from tests.lab import base_image
from tests.lab.kubernetes.images import push
from tests.services import require

IMAGE = "moby/buildkit:lab-rootless"
SETTINGS = {
    "Entrypoint": ["rootlesskit", "buildkitd"],
    "User": "1000:1000",
    "Env": ["PATH=/usr/bin", "HOME=/home/user", "USER=user", "XDG_RUNTIME_DIR=/run/user/1000", "TMPDIR=/tmp"],
}
PROGRAMS = ("buildkitd", "rootlesskit", "runc", "newuidmap", "newgidmap")
CAPABILITIES = {"newgidmap": 6, "newuidmap": 7}
OWN_FOLDERS = ("home/user/.local/share/buildkit", "run/user/1000")
TEXT_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n",
    "etc/group": "root:x:0:\nuser:x:1000:\n",
    "etc/subuid": "user:100000:65536\n",
    "etc/subgid": "user:100000:65536\n",
}


def push_image(registry: str) -> str:
    """Make it; gives its name. Skips the test where a program is missing."""
    programs = {name: shutil.which(name) for name in PROGRAMS}
    missing = [name for name, path in programs.items() if path is None]
    cure = "tests/lab/buildkit.sh build, and its path goes into PATH; apt-get install rootlesskit runc"
    require(not missing, f"{', '.join(missing)}: missing; {cure}")
    push(registry, IMAGE, _layer({name: Path(path) for name, path in programs.items() if path}), SETTINGS)
    return f"{registry}/{IMAGE}"


def _layer(programs: Mapping[str, Path]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in OWN_FOLDERS:
            for part in (*reversed(Path(name).parents[:-1]), Path(name)):
                _add(tar, str(part), user=1000)
        _add(tar, "tmp", mode=0o1777)
        for name, path in programs.items():
            _add(tar, f"usr/bin/{name}", path.read_bytes(), capability=CAPABILITIES.get(name))
        for library in {each for path in programs.values() for each in base_image.linked_libraries(path)}:
            _add(tar, base_image.place_of_library(library), library.read_bytes())
        for name, text in TEXT_FILES.items():
            _add(tar, name, text.encode())
        authorities = Path(ssl.get_default_verify_paths().cafile or f"/{base_image.CERTIFICATES}")
        _add(tar, base_image.CERTIFICATES, authorities.read_bytes())
    return content.getvalue()


def _add(
    tar: tarfile.TarFile,
    name: str,
    content: bytes | None = None,
    mode: int = 0o755,
    user: int = 0,
    capability: int | None = None,
) -> None:
    """A folder, or a file with this content."""
    entry = tarfile.TarInfo(name)
    entry.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
    entry.size, entry.mode, entry.uid, entry.gid = len(content or b""), mode, user, user
    if capability is not None:
        # Revision 2, with the bit that makes what is permitted effective as well.
        value = struct.pack("<5I", 0x02000001, 1 << capability, 0, 0, 0)
        entry.pax_headers["SCHILY.xattr.security.capability"] = value.decode("utf-8", "surrogateescape")
    tar.addfile(entry, io.BytesIO(content or b""))
