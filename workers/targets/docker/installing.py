"""Code on a base image: what it needs is installed in the container before the job begins, as nothing was built.

The order of the files, and that packages of a frozen list may fail, are W&B Launch's.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from typing import Any

from docker.errors import NotFound

from broker_config.states import FailureClass, Reason
from workers.targets.docker.engine import Engine
from workers.targets.docker.inside import CODE_FOLDER
from workers.targets.protocol import Observation, Phase

INSTALLS = "launchyard.installs"
"""Label of containers that install before they run."""

_FOLDER = f"{CODE_FOLDER}/.launchyard"
"""Beside the code, where the container's user can write; it is there during the install, and stays when that fails."""

_LAST_LINES = 20

SCRIPT = f"""\
python=$(command -v python3 || command -v python)
install() {{
  if command -v uv >/dev/null 2>&1; then
    UV_BREAK_SYSTEM_PACKAGES=1 uv pip install --python "$python" "$@"
  else
    PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore "$python" -m pip install --no-cache-dir "$@"
  fi
}}
listed() {{
  "$python" - <<'END'
try:
    import tomllib
except ImportError:
    from pip._vendor import tomli as tomllib
with open("pyproject.toml", "rb") as file:
    print(*tomllib.load(file).get("project", {{}}).get("dependencies", []), sep="\\n")
END
}}
each() {{
  grep -v '^ *\\(#\\|-\\|$\\)' requirements.frozen.txt | while read -r one; do
    install "$one" </dev/null || echo "launchyard: $one is not installed; the job goes on without it"
  done
}}
prepare() {{
  cd {CODE_FOLDER} || return
  for file in requirements.txt pyproject.toml requirements.frozen.txt ''; do [ -f "$file" ] && break; done
  [ -n "$file" ] || return 0
  [ -n "$python" ] || {{ echo "the image has no python, so $file cannot be installed"; return 1; }}
  echo "launchyard: installing what $file names"
  case $file in
    requirements.txt) install -r requirements.txt ;;
    pyproject.toml) listed >{_FOLDER}/listed && install -r {_FOLDER}/listed ;;
    *) install -r requirements.frozen.txt || each ;;
  esac
}}
mkdir -p {_FOLDER} || exit 1
{{ (prepare) 2>&1; echo $? >{_FOLDER}/status; }} | tee {_FOLDER}/log
[ "$(cat {_FOLDER}/status)" = 0 ] || exit 1
rm -rf {_FOLDER}
exec "$@"
"""


def with_install(command: Sequence[str]) -> dict[str, list[str]]:
    """The command of a container that installs first, in the Engine API's words."""
    return {"Entrypoint": ["/bin/sh", "-c", SCRIPT, "launchyard"], "Cmd": list(command)}


def failed_install(engine: Engine, name: str, exit_code: int) -> Observation | None:
    """What is to be said of a container that has ended while it installed; None for one whose job had begun."""
    with engine.answering():
        try:
            chunks, _ = engine.api.get_archive(name, f"{_FOLDER}/log")
        except NotFound:
            return None
        packed = io.BytesIO(b"".join(chunks))
    with tarfile.open(fileobj=packed) as archive:
        log: Any = archive.extractfile(archive.getmembers()[0])
        lines = log.read().decode(errors="replace").splitlines() if log else []
    text = "The code's dependencies could not be installed; the last lines:\n" + "\n".join(lines[-_LAST_LINES:])
    return Observation(Phase.FAILED, Reason.BUILD_FAILED, text, exit_code, FailureClass.BUILD)
