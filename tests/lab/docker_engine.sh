#!/usr/bin/env bash
# A current Docker engine for the tests: BuildKit, buildx, compose and the containerd image store.
#
#   docker_engine.sh up   DIR    start it; then `source DIR/env` points docker, buildx and docker-py at it
#   docker_engine.sh down DIR    remove its containers, stop it and take its network rules back
#
# The engine stands beside whatever Docker the system has. Its programs come from a newer Debian suite and are only
# unpacked, never installed, and its socket, data, bridge and firewall rules are its own. DIR keeps programs and images,
# so a second `up` takes about two seconds. When it is down, DIR may simply be deleted.
#
# Needs root on Debian, with iptables, iproute2 and runc installed. LAB_DOCKER_SUITE names another Debian suite to take
# the engine from (trixie). Forwarding of IP packets stays switched on afterwards, as after any Docker.

set -euo pipefail

usage="usage: docker_engine.sh up|down DIR"
action=${1:?$usage}
dir=$(realpath -m "${2:?$usage}")
suite=${LAB_DOCKER_SUITE:-trixie}

bin=$dir/bin
packages=(docker.io docker-cli docker-buildx docker-compose containerd tini)
programs=(dockerd docker docker-init docker-proxy containerd containerd-shim-runc-v2 ctr)

fail() {
    echo "docker_engine.sh: $*" >&2
    exit 1
}

# wait_until SECONDS COMMAND...: poll a command until it succeeds.
wait_until() {
    local tries=$(($1 * 10))
    shift
    until "$@" >/dev/null 2>&1; do
        ((tries-- > 0)) || return 1
        sleep 0.1
    done
}

# The number in a pid file may belong to another process since a crash; one of ours runs a program below DIR.
running() { [[ -f $1 && $(readlink "/proc/$(cat "$1")/exe") == "$dir"/* ]]; }
stopped() { ! running "$1"; }
docker_here() { "$bin/docker" --host "unix://$dir/docker.sock" "$@"; }
docker_answers() { docker_here version >/dev/null 2>&1; }
containerd_answers() { "$bin/ctr" --address "$dir/containerd/socket" --timeout 2s version >/dev/null 2>&1; }

check_machine() {
    local program
    ((EUID == 0)) || fail "only root can start an engine"
    for program in apt-get dpkg-deb ip iptables runc; do
        command -v "$program" >/dev/null || fail "$program is missing: apt-get install iproute2 iptables runc"
    done
}

# --- programs ---------------------------------------------------------------------------------------------------------

# The address that apt uses on this machine already, so that a local mirror is honoured and none is written down here.
debian_archive() {
    # shellcheck disable=SC2016 # apt-get fills it in
    apt-get indextargets --format '$(SITE)' 'Origin: Debian' 'Label: Debian' 'Component: main' | sort -u | head -n 1
}

# A private apt, so that neither the package lists nor the pins of the system change.
private_apt() {
    apt-get -qq -o "Dir::State::lists=$dir/apt/lists" -o "Dir::Cache=$dir/apt/cache" \
        -o "Dir::Etc::sourcelist=$dir/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferencesparts=/dev/null -o APT::Sandbox::User=root -o Acquire::Languages=none "$@"
}

fetch_programs() {
    local archive deb program found
    [[ -e $dir/programs-complete ]] && return
    archive=$(debian_archive)
    [[ -n $archive ]] || fail "apt knows no Debian archive yet: apt-get update"
    mkdir -p "$dir"/apt/{lists,cache/archives}/partial "$dir"/{debs,unpacked,bin,cli-plugins}
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive $suite main" >"$dir/apt/sources.list"
    private_apt update
    (cd "$dir/debs" && private_apt download "${packages[@]}")
    for deb in "$dir"/debs/*.deb; do
        dpkg-deb --extract "$deb" "$dir/unpacked"
    done
    for program in "${programs[@]}"; do
        found=$(find "$dir"/unpacked/usr/{bin,sbin,libexec} -name "$program" ! -type d -print -quit 2>/dev/null)
        [[ -n $found ]] || fail "$program is in none of: ${packages[*]}"
        ln -sf "$found" "$bin/$program"
    done
    ln -sf "$dir"/unpacked/usr/libexec/docker/cli-plugins/* "$dir/cli-plugins/"
    # runc stays the system's: the one of a newer suite may ask for a newer C library than this machine has.
    rm -rf "$dir"/{apt,debs}
    touch "$dir/programs-complete"
}

# --- network ----------------------------------------------------------------------------------------------------------

# Several engines may stand side by side, so each takes the first of these networks that nobody uses and keeps it in
# DIR/network: its bridge, and the first two octets of its addresses.
free_network() {
    local octet routes
    routes=$(ip -4 route show)
    for octet in {213..243}; do
        if [[ " $routes" != *[[:space:]]10.$octet.* ]]; then
            echo "lab-docker-$octet 10.$octet"
            return
        fi
    done
    fail "all networks from 10.213 to 10.243 are in use"
}

# firewall -I|-D NET: let containers out. The engine itself writes no rule, so another engine beside it keeps its own.
firewall() {
    iptables "$1" FORWARD -s "$2.0.0/19" -j ACCEPT
    iptables "$1" FORWARD -d "$2.0.0/19" -j ACCEPT
    iptables -t nat "$1" POSTROUTING -s "$2.0.0/19" ! -d "$2.0.0/19" -j MASQUERADE
}

network_up() {
    local chosen bridge net
    if [[ ! -f $dir/network ]]; then
        chosen=$(free_network)
        echo "$chosen" >"$dir/network"
    fi
    read -r bridge net <"$dir/network"
    ip link show "$bridge" >/dev/null 2>&1 && return
    ip link add "$bridge" type bridge
    ip addr add "$net.0.1/24" dev "$bridge"
    ip link set "$bridge" up
    echo 1 >/proc/sys/net/ipv4/ip_forward
    firewall -I "$net"
}

network_down() {
    local bridge net
    [[ -f $dir/network ]] || return 0
    read -r bridge net <"$dir/network"
    firewall -D "$net" || true
    ip link del "$bridge" || true
    rm "$dir/network"
}

# --- daemons ----------------------------------------------------------------------------------------------------------

# stop_daemon PIDFILE SECONDS: the polite signal, and the other one when that is not heard in time.
stop_daemon() {
    if running "$1"; then
        kill "$(cat "$1")" || true
        wait_until "$2" stopped "$1" || kill -KILL "$(cat "$1")" || true
    fi
    rm -f "$1"
}

# containerd runs as a process of its own, as systemd runs it: so a container that ends while dockerd is being restarted
# still has its exit code recorded, which is what an agent that watches the engine has to cope with.
start_containerd() {
    containerd_answers && return
    stop_daemon "$dir/containerd.pid" 10
    mkdir -p "$dir/containerd"
    cat >"$dir/containerd.toml" <<TOML
version = 2
root = "$dir/containerd/root"
state = "$dir/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$dir/containerd/socket"
TOML
    rm -f "$dir/containerd/socket"
    PATH=$bin:$PATH setsid nohup "$bin/containerd" --config "$dir/containerd.toml" \
        >"$dir/containerd.log" 2>&1 </dev/null &
    echo $! >"$dir/containerd.pid"
    wait_until 20 containerd_answers || {
        tail -n 20 "$dir/containerd.log" >&2
        fail "containerd did not come up"
    }
}

# Published ports listen on loopback only, and an MTU of 1400 also fits machines whose own link is a tunnel.
start_dockerd() {
    local bridge net
    read -r bridge net <"$dir/network"
    docker_answers && return
    stop_daemon "$dir/dockerd.pid" 10
    cat >"$dir/daemon.json" <<JSON
{
  "hosts": ["unix://$dir/docker.sock"],
  "data-root": "$dir/data",
  "exec-root": "$dir/exec",
  "pidfile": "$dir/dockerd.pid",
  "containerd": "$dir/containerd/socket",
  "features": {"containerd-snapshotter": true},
  "live-restore": true,
  "bridge": "$bridge",
  "default-address-pools": [{"base": "$net.16.0/20", "size": 24}],
  "iptables": false,
  "ip6tables": false,
  "ip": "127.0.0.1",
  "mtu": 1400
}
JSON
    PATH=$bin:$PATH setsid nohup "$bin/dockerd" --config-file "$dir/daemon.json" >"$dir/dockerd.log" 2>&1 </dev/null &
    wait_until 30 docker_answers || {
        tail -n 20 "$dir/dockerd.log" >&2
        fail "dockerd did not come up"
    }
}

# DOCKER_CONFIG is where the command line looks for its plug-ins, so buildx and compose come with it.
write_env() {
    cat >"$dir/env" <<ENV
export DOCKER_HOST=unix://$dir/docker.sock
export DOCKER_CONFIG=$dir
export PATH=$bin:\$PATH
ENV
}

# Live-restore keeps containers running without their engine, and networks of their own keep their bridges, so both
# have to go while the engine is still there.
remove_containers() {
    local containers
    mapfile -t containers < <(docker_here ps --all --quiet)
    ((${#containers[@]} == 0)) || docker_here rm --force --volumes "${containers[@]}" >/dev/null
    docker_here network prune --force >/dev/null
}

unmount_leftovers() {
    local mount
    awk -v below="$dir/" 'index($2, below) == 1 { print $2 }' /proc/self/mounts | sort -r | while read -r mount; do
        umount --lazy "$mount" || true
    done
}

case $action in
up)
    check_machine
    mkdir -p "$dir"
    fetch_programs
    network_up
    start_containerd
    start_dockerd
    write_env
    echo "engine $(docker_here version --format '{{.Server.Version}}') is up; to use it: source $dir/env"
    ;;
down)
    # An engine that was killed left its containers running; it is started once more, as only it can remove them.
    if [[ -f $dir/dockerd.pid ]]; then
        start_containerd
        start_dockerd
        remove_containers
    fi
    stop_daemon "$dir/dockerd.pid" 30
    stop_daemon "$dir/containerd.pid" 20
    unmount_leftovers
    network_down
    ;;
*)
    fail "$usage"
    ;;
esac
