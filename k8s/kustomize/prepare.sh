#!/usr/bin/env bash
# Makes the passwords of this installation, and the files that hold them. A password that exists is kept.
set -euo pipefail
umask 077
cd "$(dirname "$0")"
users=$PWD/users.acl
mkdir -p "${LAUNCHYARD_SECRETS:-secrets}"
cd "${LAUNCHYARD_SECRETS:-secrets}"

new_password() { python3 -c 'import secrets; print(secrets.token_urlsafe(24), end="")'; }
digest() { python3 -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.read().strip().encode()).hexdigest())'; }

for file in password flower-password broker-{agent,flower,producer,server}-password; do
    [[ -s $file ]] || new_password > "$file"
done
of() { digest < "broker-$1-password"; }

# The operator may do everything but what administers the server or destroys all of it. The others have their roles.
{
    echo "user default off"
    echo "user launchyard on #$(digest < password) ~* &* +@all -@admin -@dangerous +info"
    sed "s/@agent@/$(of agent)/; s/@flower@/$(of flower)/; s/@producer@/$(of producer)/; s/@server@/$(of server)/" "$users"
} > users.acl
url() { printf 'redis://%s:%s@launchyard-valkey.launchyard.svc:6379/0' "$1" "$(< "$2")"; }
url launchyard password > url
for user in agent flower producer server; do
    url "$user" "broker-$user-password" > "$user-url"
done
echo "basic_auth = [\"launchyard:$(< flower-password)\"]" > flower.py

echo "the passwords are in $PWD"
