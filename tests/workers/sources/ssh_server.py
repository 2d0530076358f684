"""An SSH server on loopback: OpenSSH's own, for the user of the tests and with one key."""

from __future__ import annotations

import getpass
import shutil
import subprocess
from pathlib import Path

from tests.ports import free_port, wait_until_listening
from tests.services import require

_CONFIG = """
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/allowed.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
"""


class SshServer:
    """Lets the owner of `key` in; `known_hosts` has its own key."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        require(program is not None, "sshd: install openssh-server")
        assert program is not None
        folder.mkdir()
        for name in ("host", "allowed"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True, timeout=30)
        self.key, self.known_hosts, self._port = folder / "allowed", folder / "known_hosts", free_port()
        config = folder / "sshd_config"
        config.write_text(_CONFIG.format(folder=folder))
        kind, text, _ = (folder / "host.pub").read_text().split()
        self.known_hosts.write_text(f"[127.0.0.1]:{self._port} {kind} {text}\n")
        if getpass.getuser() == "root":
            # Compiled into Debian's sshd as the folder of its unprivileged part.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._log = (folder / "log").open("wb")
        command = [program, "-D", "-e", "-f", str(config), "-p", str(self._port)]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        wait_until_listening(self._port)

    def url(self, path: Path) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self._port}{path}"

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._log.close()
