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
for name in broker flower broker-agent broker-flower broker-producer broker-server; do
    [[ -s $secrets/$name-password ]] || new_password > "$secrets/$name-password"
done
of() { digest < "$secrets/$1-password"; }

# The operator may do everything but what administers the server or destroys all of it. The others have their roles.
{
    echo "user default off"
    echo "user launchyard on #$(of broker) ~* &* +@all -@admin -@dangerous +info"
    sed "s/@agent@/$(of broker-agent)/; s/@flower@/$(of broker-flower)/; s/@producer@/$(of broker-producer)/; s/@server@/$(of broker-server)/" users.acl
} > "$secrets/users.acl"
for user in agent flower server; do
    echo "broker_url = \"redis://$user:$(< "$secrets/broker-$user-password")@broker:6379/0\"" > "$secrets/$user.toml"
done
echo "basic_auth = [\"launchyard:$(< "$secrets/flower-password")\"]" > "$secrets/flower.py"

echo "the passwords are in $secrets"
echo "next: docker compose -f $PWD/compose.yaml up --build --detach --wait"
