#!/usr/bin/env bash
# A BuildKit daemon for the tests, which start it themselves as they need it (tests/buildkit.py).
#
#   buildkit.sh build   make the program, which no Debian has, once: a few minutes on two cores
#   buildkit.sh path    the folder that it is in, for PATH
#
# Needs for `build` either Go 1.26 or Python's venv, which then brings that Go; and runc wherever it runs, as root.

set -euo pipefail

here=$(realpath "$(dirname "$0")")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/launchyard-lab/buildkit-$(sha256sum "$here/buildkit/go.mod" | head -c 12)

# shellcheck source=tests/lab/go.sh
source "$here/go.sh"

build() {
    mkdir -p "$cache"
    # One builder at a time; another one waits, and then finds the program.
    exec 9>"$cache/lock"
    flock 9
    go_build buildkitd "$here/buildkit" github.com/moby/buildkit/cmd/buildkitd
}

case ${1:-} in
build) build ;;
path) echo "$cache" ;;
*)
    echo "usage: buildkit.sh build | path" >&2
    exit 2
    ;;
esac
