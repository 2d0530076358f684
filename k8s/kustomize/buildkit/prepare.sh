#!/usr/bin/env bash
# Makes the certificates by which agents and BuildKit know each other, for ten years. Those that exist are kept.
set -euo pipefail
umask 077
cd "$(dirname "$0")"
[[ ! -e secrets ]] || exit 0
rm -rf secrets.new
mkdir -p secrets.new/daemon secrets.new/agent
cd secrets.new

key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
openssl req -x509 "${key[@]}" -keyout ca.key -out ca.crt -days 3650 -subj "/CN=launchyard-buildkit authority"

# sign FOLDER NAME
sign() {
    openssl req -new "${key[@]}" -keyout "$1/tls.key" -subj "/CN=$2" |
        openssl x509 -req -days 3650 -CA ca.crt -CAkey ca.key -CAcreateserial \
            -extfile <(printf 'basicConstraints=CA:FALSE\nsubjectAltName=DNS:%s\n' "$2") -out "$1/tls.crt"
    cp ca.crt "$1"
}

sign daemon launchyard-buildkit.launchyard.svc
sign agent launchyard-agent
# Nobody gets another one.
rm ca.*
cd ..
mv secrets.new secrets
echo "the certificates are in $PWD/secrets"
