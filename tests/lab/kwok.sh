#!/usr/bin/env bash
# KWOK, which plays the kubelets of nodes that are not there, for tests of many pods (tests/fake_nodes.py).
#
#   kwok.sh build   make the program, which no Debian has, once: a few minutes on two cores
#   kwok.sh path    the folder that it is in, for PATH
#
# Needs for `build` either Go 1.26 or Python's venv, which then brings that Go.

set -euo pipefail

here=$(realpath "$(dirname "$0")")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/launchyard-lab/kwok-$(sha256sum "$here/kwok/go.mod" | head -c 12)

# shellcheck source=tests/lab/go.sh
source "$here/go.sh"

build() {
    mkdir -p "$cache"
    # One builder at a time; another one waits, and then finds the program.
    exec 9>"$cache/lock"
    flock 9
    go_build kwok "$here/kwok" sigs.k8s.io/kwok/cmd/kwok
}

case ${1:-} in
build) build ;;
path) echo "$cache" ;;
*)
    echo "usage: kwok.sh build | path" >&2
    exit 2
    ;;
esac
