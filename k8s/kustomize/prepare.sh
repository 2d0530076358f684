#!/usr/bin/env bash
# Makes the passwords of this installation, and the files that hold them. A password that exists is kept.
set -euo pipefail
umask 077
cd "$(dirname "$0")"
mkdir -p "${LAUNCHYARD_SECRETS:-secrets}"
cd "${LAUNCHYARD_SECRETS:-secrets}"

new_password() { python3 -c 'import secrets; print(secrets.token_urlsafe(24), end="")'; }
digest() { python3 -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.read().strip().encode()).hexdigest())'; }

[[ -s password ]] || new_password > password
[[ -s flower-password ]] || new_password > flower-password

# Everything but what administers the server or destroys all of it.
cat > users.acl << END_OF_USERS
user default off
user launchyard on #$(digest < password) ~* &* +@all -@admin -@dangerous +info
END_OF_USERS
printf 'redis://launchyard:%s@launchyard-valkey.launchyard.svc:6379/0' "$(< password)" > url
echo "basic_auth = [\"launchyard:$(< flower-password)\"]" > flower.py

echo "the passwords are in $PWD"
