"""Starts a job's program, inside of its container, with secrets in its environment that no request holds.

The text of this file goes into the request, so it needs nothing but Python and its standard library. It asks with the
rights of the job's own service account. A variable LAUNCHYARD_SECRET_NAME refers to the value of NAME:

    projects/PROJECT/secrets/SECRET                    its latest version
    projects/PROJECT/secrets/SECRET/versions/3#FIELD   one version, and of it one field of JSON

Formats: "About VM metadata", "Secret Manager API" (REST).
"""

from __future__ import annotations

import base64
import json
import os
import sys
import urllib.error
import urllib.request
from typing import Any

PREFIX = "LAUNCHYARD_SECRET_"


def fetched(url: str, headers: dict[str, str]) -> Any:
    return json.load(urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20))


def token() -> str:
    """An access token of the job's service account."""
    host = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
    url = f"http://{host}/computeMetadata/v1/instance/service-accounts/default/token"
    return str(fetched(url, {"Metadata-Flavor": "Google"})["access_token"])


def value_of(reference: str) -> str:
    """The value that a reference leads to."""
    name, _, field = reference.partition("#")
    if "/versions/" not in name:
        name += "/versions/latest"
    url = os.environ.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER", "https://secretmanager.googleapis.com")
    found = fetched(f"{url.rstrip('/')}/v1/{name}:access", {"Authorization": f"Bearer {token()}"})
    value = base64.b64decode(found["payload"]["data"]).decode()
    return str(json.loads(value)[field] if field else value)


def main() -> None:
    for variable in sorted(os.environ):
        if variable.startswith(PREFIX):
            name, reference = variable[len(PREFIX) :], os.environ.pop(variable)
            try:
                os.environ[name] = value_of(reference)
            except (OSError, LookupError, ValueError) as error:
                said = error.read().decode() if isinstance(error, urllib.error.HTTPError) else ""
                sys.exit(f"launchyard: the job's service account cannot read the secret of {name}: {error!r} {said}")
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
