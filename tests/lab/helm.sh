#!/usr/bin/env bash
# Helm and kustomize, for the tests of k8s/ (tests/k8s/chart.py).
#
#   helm.sh build   make the programs, which no Debian has, once: a few minutes on two cores
#   helm.sh path    the folder that they are in, for PATH
#
# Needs for `build` either Go 1.26 or Python's venv, which then brings that Go.

set -euo pipefail

here=$(realpath "$(dirname "$0")")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/launchyard-lab/helm-$(sha256sum "$here/helm/go.mod" | head -c 12)

# shellcheck source=tests/lab/go.sh
source "$here/go.sh"

build() {
    mkdir -p "$cache"
    # One builder at a time; another one waits, and then finds the programs.
    exec 9>"$cache/lock"
    flock 9
    go_build helm "$here/helm" helm.sh/helm/v4/cmd/helm
    go_build kustomize "$here/helm" sigs.k8s.io/kustomize/kustomize/v5
}

case ${1:-} in
build) build ;;
path) echo "$cache" ;;
*)
    echo "usage: helm.sh build | path" >&2
    exit 2
    ;;
esac
