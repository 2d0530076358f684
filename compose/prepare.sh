#!/usr/bin/env bash
# Makes the passwords of this installation, and the files that hold them. A password that exists is kept.
set -euo pipefail
cd "$(dirname "$0")"
secrets=${LAUNCHYARD_SECRETS:-$PWD/secrets}

new_password() { python3 -c 'import secrets; print(secrets.token_urlsafe(24))'; }
digest() { python3 -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.read().strip().encode()).hexdigest())'; }

# Nobody but you may enter the folder. The files in it can be read by whoever is given them, because the users in the
# containers have other numbers than you.
mkdir -p "$secrets"
chmod 700 "$secrets"
umask 022
[[ -s $secrets/broker-password ]] || new_password > "$secrets/broker-password"
[[ -s $secrets/flower-password ]] || new_password > "$secrets/flower-password"
broker=$(< "$secrets/broker-password")
flower=$(< "$secrets/flower-password")

# Everything but what administers the server or destroys all of it.
cat > "$secrets/users.acl" << END
user default off
user launchyard on #$(digest <<< "$broker") ~* &* +@all -@admin -@dangerous +info
END
echo "broker_url = \"redis://launchyard:$broker@broker:6379/0\"" > "$secrets/settings.toml"
echo "basic_auth = [\"launchyard:$flower\"]" > "$secrets/flower.py"

echo "the passwords are in $secrets"
echo "next: docker compose -f $PWD/compose.yaml up --build --detach --wait"
