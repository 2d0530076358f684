#!/usr/bin/env bash
# A Kubernetes cluster of one real node for the tests, with a registry beside it.
#
#   kubernetes.sh build      make the programs that no Debian has, once: ten minutes or so on two cores
#   kubernetes.sh up   DIR   start it; then `source DIR/env` points the Kubernetes client and the tests at it
#   kubernetes.sh down DIR   stop it, with its pods, and take its network back
#
# Its control plane is etcd, API server, controllers and scheduler; its node is containerd with a kubelet. Kubernetes and
# kaniko are built as Go modules (kubernetes/go.mod, kubernetes/kaniko/go.mod) and kept in a cache folder, so that later
# runs begin at once. The rest is Debian's, unpacked and not installed. There are no DNS, volume provisioner or metrics
# for pods; they do reach the network, and the API server under its in-cluster address.
#
# Needs root on Debian with iproute2, iptables, openssl, runc and busybox-static, .venv for its images, and for `build`
# either Go 1.26 or Python's venv, which then brings that Go. Forwarding of IP packets stays switched on afterwards.

set -euo pipefail

usage="usage: kubernetes.sh build | up DIR | down DIR"
action=${1:?$usage}
here=$(realpath "$(dirname "$0")")
programs_of=$here/kubernetes

# shellcheck source=tests/lab/go.sh
source "$here/go.sh"

kubernetes=v$(sed -n 's/^require k8s.io\/kubernetes v//p' "$programs_of/go.mod")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/launchyard-lab/$(cat "$programs_of"/{go.mod,main.go,kaniko/go.mod} | sha256sum | head -c 12)
packages=(containerd containernetworking-plugins docker-registry etcd-server)

fail() {
    echo "kubernetes.sh: $*" >&2
    exit 1
}

# wait_until SECONDS COMMAND...: poll a command until it succeeds.
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
}

# --- programs ---------------------------------------------------------------------------------------------------------

build() {
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

build() {
    local major minor client=k8s.io/client-go/pkg/version component=k8s.io/component-base/version
    IFS=. read -r major minor _ <<<"${kubernetes#v}"
    mkdir -p "$cache"
    # One builder at a time; another one waits, and then finds the programs.
    exec 9>"$cache/lock"
    flock 9
    go_build kubernetes "$programs_of" . "-X $component.gitVersion=$kubernetes -X $component.gitMajor=$major \
        -X $component.gitMinor=$minor -X $client.gitVersion=$kubernetes -X $client.gitMajor=$major -X $client.gitMinor=$minor"
    go_build executor "$programs_of/kaniko" github.com/GoogleContainerTools/kaniko/cmd/executor
    flock --unlock 9
}

unpack_packages() {
    [[ -e $dir/unpacked/complete ]] && return
    mkdir -p "$dir/debs" "$dir/unpacked"
    (cd "$dir/debs" && apt-get -qq -o APT::Sandbox::User=root download "${packages[@]}")
    for deb in "$dir"/debs/*.deb; do
        dpkg-deb --extract "$deb" "$dir/unpacked"
    done
    rm -rf "$dir/debs"
    touch "$dir/unpacked/complete"
}

check_machine() {
    local program
    ((EUID == 0)) || fail "only root can start a cluster"
    for program in apt-get dpkg-deb ip iptables openssl runc busybox; do
        command -v "$program" >/dev/null ||
            fail "$program is missing: apt-get install iproute2 iptables openssl runc busybox-static"
    done
    [[ -x $here/../../.venv/bin/python ]] || fail ".venv is missing: make venv"
}

# --- network ----------------------------------------------------------------------------------------------------------

# Several clusters may stand side by side: each takes the first of these networks that nobody uses, and keeps it in
# DIR/network. Its daemons listen on the address of the bridge, where pods reach them too.
free_network() {
    local octet routes
    routes=$(ip -4 route show)
    for octet in {244..254}; do
        if [[ " $routes" != *[[:space:]]10.$octet.* ]]; then
            echo "lab-k8s-$octet 10.$octet"
            return
        fi
    done
    fail "all networks from 10.244 to 10.254 are in use"
}

# firewall -I|-D: let pods out, and to the API server under the address that pods find in their environment.
firewall() {
    iptables "$1" FORWARD -s "$net.0.0/24" -j ACCEPT
    iptables "$1" FORWARD -d "$net.0.0/24" -j ACCEPT
    iptables -t nat "$1" POSTROUTING -s "$net.0.0/24" ! -d "$net.0.0/16" -j MASQUERADE
    for chain in PREROUTING OUTPUT; do
        iptables -t nat "$1" "$chain" -d "$service/32" -p tcp --dport 443 -j DNAT --to-destination "$host:6443"
    done
}

choose_network() {
    local chosen
    if [[ ! -f $dir/network ]]; then
        chosen=$(free_network)
        echo "$chosen" >"$dir/network"
    fi
    read -r bridge net <"$dir/network"
    host=$net.0.1
    service=$net.1.1
    registry=$host:5000
}

network_up() {
    ip link show "$bridge" >/dev/null 2>&1 && return
    ip link add "$bridge" type bridge
    ip addr add "$host/24" dev "$bridge"
    ip link set "$bridge" up
    echo 1 >/proc/sys/net/ipv4/ip_forward
    firewall -I
}

network_down() {
    firewall -D || true
    ip link del "$bridge" || true
    rm "$dir/network"
}

# --- certificates -----------------------------------------------------------------------------------------------------

# certificate NAME SUBJECT [ADDRESSES]: a key and what the cluster's authority says of it.
certificate() {
    local usage=clientAuth
    [[ -z ${3:-} ]] || usage=clientAuth,serverAuth
    openssl req -new -newkey rsa:2048 -nodes -keyout "$dir/pki/$1.key" -subj "$2" 2>/dev/null |
        openssl x509 -req -days 3650 -CA "$dir/pki/ca.crt" -CAkey "$dir/pki/ca.key" -CAcreateserial \
            -extfile <(printf 'extendedKeyUsage=%s\n%s\n' "$usage" "${3:+subjectAltName=$3}") \
            -out "$dir/pki/$1.crt" 2>/dev/null
}

# kubeconfig NAME SUBJECT: what a client of that name needs, in one file.
kubeconfig() {
    certificate "$1" "$2"
    cat >"$dir/pki/$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
current-context: lab
clusters: [{name: lab, cluster: {server: "https://$host:6443", certificate-authority: $dir/pki/ca.crt}}]
users: [{name: $1, user: {client-certificate: $dir/pki/$1.crt, client-key: $dir/pki/$1.key}}]
contexts: [{name: lab, context: {cluster: lab, user: $1, namespace: default}}]
YAML
}

write_certificates() {
    [[ -e $dir/pki/complete ]] && return
    mkdir -p "$dir/pki"
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=lab -keyout "$dir/pki/ca.key" -out "$dir/pki/ca.crt" \
        -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature 2>/dev/null
    openssl genrsa -out "$dir/pki/accounts.key" 2048 2>/dev/null
    certificate apiserver /CN=kube-apiserver "IP:$host,IP:$service,DNS:kubernetes.default.svc"
    certificate node "/O=system:nodes/CN=system:node:lab-node" "IP:$host,DNS:lab-node"
    kubeconfig admin /O=system:masters/CN=admin
    kubeconfig controllers /CN=system:kube-controller-manager
    kubeconfig scheduler /CN=system:kube-scheduler
    kubeconfig kubelet /O=system:nodes/CN=system:node:lab-node
    touch "$dir/pki/complete"
}

# --- daemons ----------------------------------------------------------------------------------------------------------

# The number in a pid file may belong to another process since a crash; one of ours has DIR in its arguments.
running() { [[ -f $1 ]] && grep -qsF "$dir" "/proc/$(cat "$1")/cmdline"; }
stopped() { ! running "$1"; }
api_answers() { curl_api /readyz; }
curl_api() {
    curl --silent --fail --max-time 5 --cacert "$dir/pki/ca.crt" --cert "$dir/pki/admin.crt" --key "$dir/pki/admin.key" \
        "https://$host:6443$1"
}
node_is_ready() { curl_api /api/v1/nodes/lab-node | tr -d ' \n' | grep '"type":"Ready","status":"True"'; }
has_account() { curl_api /api/v1/namespaces/default/serviceaccounts/default; }
ctr() { "$dir/unpacked/usr/bin/ctr" --address "$dir/containerd/socket" --namespace k8s.io "$@"; }

# daemon NAME COMMAND...: in the background, unless it runs already.
daemon() {
    local name=$1
    shift
    if stopped "$dir/$name.pid"; then
        PATH=$dir/unpacked/usr/bin:$PATH setsid nohup "$@" >>"$dir/$name.log" 2>&1 </dev/null &
        echo $! >"$dir/$name.pid"
    fi
}

# must_come_up NAME SECONDS COMMAND...: or say why not.
must_come_up() {
    local name=$1
    shift
    wait_until "$@" || {
        tail -n 20 "$dir/$name.log" >&2
        fail "$name did not come up; its log is $dir/$name.log"
    }
}

# stop_daemon NAME SECONDS: the polite signal, and the other one when that is not heard in time.
stop_daemon() {
    local pid=$dir/$1.pid
    if running "$pid"; then
        kill "$(cat "$pid")" || true
        wait_until "$2" stopped "$pid" || kill -KILL "$(cat "$pid")" || true
    fi
    rm -f "$pid"
}

start_control_plane() {
    local kubernetes=$cache/kubernetes pki=$dir/pki
    # Without fsync: nothing here has to survive the machine.
    daemon etcd "$dir/unpacked/usr/bin/etcd" --data-dir "$dir/etcd" --unsafe-no-fsync --log-level warn \
        --listen-client-urls "http://$host:2379" --advertise-client-urls "http://$host:2379" \
        --listen-peer-urls "http://$host:2380" --initial-advertise-peer-urls "http://$host:2380" \
        --initial-cluster "default=http://$host:2380"
    must_come_up etcd 30 curl --silent --fail "http://$host:2379/health"
    # The service `kubernetes` has no endpoint of its own here; the firewall leads its address to the API server.
    # Lists that are sent as watches need an etcd 3.5; with them on, KWOK's watches (see kwok.sh) are refused here.
    daemon kube-apiserver "$kubernetes" kube-apiserver --etcd-servers="http://$host:2379" \
        --bind-address="$host" --advertise-address="$host" --endpoint-reconciler-type=none \
        --service-cluster-ip-range="$net.1.0/24" --authorization-mode=Node,RBAC --allow-privileged=true \
        --client-ca-file="$pki/ca.crt" --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
        --service-account-issuer=https://kubernetes.default.svc.cluster.local \
        --service-account-key-file="$pki/accounts.key" --service-account-signing-key-file="$pki/accounts.key" \
        --kubelet-client-certificate="$pki/admin.crt" --kubelet-client-key="$pki/admin.key" \
        --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
        --enable-admission-plugins=NodeRestriction --profiling=false --feature-gates=WatchList=false
    must_come_up kube-apiserver 120 api_answers
    daemon kube-controller-manager "$kubernetes" kube-controller-manager --kubeconfig="$pki/controllers.kubeconfig" \
        --bind-address="$host" --leader-elect=false --use-service-account-credentials=true --profiling=false \
        --service-account-private-key-file="$pki/accounts.key" --root-ca-file="$pki/ca.crt" \
        --concurrent-job-syncs=20 --kube-api-qps=300 --kube-api-burst=600
    daemon kube-scheduler "$kubernetes" kube-scheduler --kubeconfig="$pki/scheduler.kubeconfig" \
        --bind-address="$host" --leader-elect=false --profiling=false
    must_come_up kube-controller-manager 60 has_account
}

start_registry() {
    cat >"$dir/registry.yml" <<YAML
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $dir/registry}, delete: {enabled: true}}
http: {addr: "$registry"}
YAML
    daemon registry "$dir/unpacked/usr/bin/docker-registry" serve "$dir/registry.yml"
    must_come_up registry 20 curl --silent --fail "http://$registry/v2/"
    (cd "$here/../.." && .venv/bin/python -m tests.lab.kubernetes.images "$registry" "$cache/executor")
}

start_containerd() {
    mkdir -p "$dir/cni" "$dir/containerd"
    cat >"$dir/cni/lab.conflist" <<JSON
{"cniVersion": "0.4.0", "name": "lab", "plugins": [
  {"type": "bridge", "bridge": "$bridge", "isGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$dir/cni/addresses",
            "ranges": [[{"subnet": "$net.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
JSON
    cat >"$dir/containerd.toml" <<TOML
version = 2
root = "$dir/containerd/root"
state = "$dir/containerd/state"
[grpc]
  address = "$dir/containerd/socket"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$registry/pause:1"
  disable_apparmor = true
  # A container of root without CAP_SYS_RESOURCE may not lower the score.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$dir/unpacked/usr/lib/cni"
    conf_dir = "$dir/cni"
  [plugins."io.containerd.grpc.v1.cri".registry.mirrors."$registry"]
    endpoint = ["http://$registry"]
TOML
    daemon containerd "$dir/unpacked/usr/bin/containerd" --config "$dir/containerd.toml" --log-level warn
    must_come_up containerd 30 ctr version
}

# A kubelet ends what it finds in its control groups and does not know, so each cluster has its own.
groups_up() {
    local group setting
    for group in $(group_folders); do
        mkdir -p "$group"
        # Version 1 hands neither of these down by itself, and takes no process without them.
        for setting in cpuset.cpus cpuset.mems; do
            [[ -f $group/$setting ]] || continue
            cat "$group/../$setting" >"$group/$setting" || true
        done
    done
}

groups_down() {
    local group
    for group in $(group_folders); do
        [[ ! -d $group ]] || find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
}

group_folders() {
    if [[ -f /sys/fs/cgroup/cgroup.controllers ]]; then
        echo "/sys/fs/cgroup/$bridge"
    else
        find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d -printf "%p/$bridge\n"
    fi
}

start_kubelet() {
    local kernel setting
    mkdir -p "$dir/kubelet"
    groups_up
    cat >"$dir/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $host
healthzBindAddress: $host
tlsCertFile: $dir/pki/node.crt
tlsPrivateKeyFile: $dir/pki/node.key
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $dir/pki/ca.crt}}
authorization: {mode: Webhook}
containerRuntimeEndpoint: unix://$dir/containerd/socket
cgroupDriver: cgroupfs
cgroupRoot: /$bridge
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
makeIPTablesUtilChains: false
podLogsDir: $dir/podlogs
volumePluginDir: $dir/kubelet/plugins
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1%}
YAML
    # The kubelet sets these at its start; the machine gets back what it had.
    kernel=$(sysctl vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops | tr -d ' ')
    daemon kubelet "$cache/kubernetes" kubelet --config="$dir/kubelet.yaml" --kubeconfig="$dir/pki/kubelet.kubeconfig" \
        --root-dir="$dir/kubelet" --hostname-override=lab-node --node-ip="$host"
    must_come_up kubelet 90 node_is_ready
    for setting in $kernel; do
        sysctl -qw "$setting" || true
    done
}

write_env() {
    cat >"$dir/env" <<ENV
export KUBECONFIG=$dir/pki/admin.kubeconfig
export LAUNCHYARD_TEST_CLUSTER_REGISTRY=$registry
export LAUNCHYARD_TEST_CLUSTER_NODE=$dir/pki/node
ENV
}

# A kubelet leaves its containers running when it stops, so they are ended here, with the network of each.
remove_pods() {
    local container network
    ctr version >/dev/null 2>&1 || return 0
    for container in $(ctr tasks list --quiet); do
        ctr tasks kill --signal SIGKILL "$container" >/dev/null 2>&1 || true
    done
    for network in $(ctr containers list --quiet | xargs -r -n 1 "$dir/unpacked/usr/bin/ctr" --address \
        "$dir/containerd/socket" --namespace k8s.io containers info | grep -o '/netns/cni-[0-9a-f-]*' | sort -u); do
        ip netns delete "${network#/netns/}" 2>/dev/null || true
    done
    for container in $(ctr containers list --quiet); do
        ctr tasks delete --force "$container" >/dev/null 2>&1 || true
        ctr containers delete "$container" >/dev/null 2>&1 || true
    done
}

unmount_leftovers() {
    local mount
    awk -v below="$dir/" 'index($2, below) == 1 { print $2 }' /proc/self/mounts | sort -r | while read -r mount; do
        umount --lazy "$mount" || true
    done
}

case $action in
build)
    build
    ;;
up)
    dir=$(realpath -m "${2:?$usage}")
    check_machine
    mkdir -p "$dir"
    build
    unpack_packages
    choose_network
    network_up
    write_certificates
    start_control_plane
    start_registry
    start_containerd
    start_kubelet
    write_env
    echo "Kubernetes $kubernetes is up; to use it: source $dir/env"
    ;;
down)
    dir=$(realpath -m "${2:?$usage}")
    [[ -f $dir/network ]] || exit 0
    choose_network
    stop_daemon kubelet 20
    remove_pods
    for name in containerd registry kube-scheduler kube-controller-manager kube-apiserver etcd; do
        stop_daemon "$name" 20
    done
    unmount_leftovers
    groups_down
    network_down
    ;;
*)
    fail "$usage"
    ;;
esac
