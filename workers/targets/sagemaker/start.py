"""Starts a job's program, inside of its container, with secrets in its environment that no request holds.

The text of this file goes into the request, so it needs nothing but Python and its standard library. It asks with the
rights of the job's own role. A variable LAUNCHYARD_SECRET_NAME refers to the value of NAME:

    secretsmanager:launchyard/launchyard-RUN-1#NAME          a field of a secret in the job's own account and region
    arn:aws:secretsmanager:REGION:ACCOUNT:secret:ID#FIELD    without #FIELD: all of it
    ssm:/path, arn:aws:ssm:REGION:ACCOUNT:parameter/path     a parameter of Systems Manager

Formats: "AWS Signature Version 4", "Container credential provider" (AWS SDKs and Tools).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
import time
import urllib.error
import urllib.request
from typing import Any

PREFIX = "LAUNCHYARD_SECRET_"


def digest(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def fetched(url: str, headers: dict[str, str], body: bytes | None = None) -> Any:
    return json.load(urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=20))


def credentials() -> tuple[str, str, str]:
    """Access key, secret key and token of the job's role."""
    e = os.environ
    url = e.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if e.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        url = "http://169.254.170.2" + e["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
    if not url:
        return e["AWS_ACCESS_KEY_ID"], e["AWS_SECRET_ACCESS_KEY"], e.get("AWS_SESSION_TOKEN", "")
    token = e.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
    told = fetched(url, {"Authorization": token} if token else {})
    return told["AccessKeyId"], told["SecretAccessKey"], told["Token"]


def signed(service: str, region: str, headers: dict[str, str], body: bytes, at: str) -> dict[str, str]:
    """The headers with a signature; `at` is the time as 20260131T235959Z."""
    key, secret, token = credentials()
    headers = {**headers, "x-amz-date": at}
    if token:
        headers["x-amz-security-token"] = token
    names = ";".join(sorted(headers))
    lines = ["POST", "/", "", *(f"{name}:{headers[name]}" for name in sorted(headers)), "", names]
    request = "\n".join([*lines, hashlib.sha256(body).hexdigest()])
    scope = "/".join([at[:8], region, service, "aws4_request"])
    text = "\n".join(["AWS4-HMAC-SHA256", at, scope, hashlib.sha256(request.encode()).hexdigest()])
    signing = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        signing = digest(signing, part)
    words = [f"Credential={key}/{scope}", f"SignedHeaders={names}", f"Signature={digest(signing, text).hex()}"]
    return {**headers, "authorization": "AWS4-HMAC-SHA256 " + ", ".join(words)}


def ask(service: str, target: str, region: str, told: dict[str, object]) -> Any:
    """What a service answers to one call."""
    suffix = ".cn" if region.startswith("cn-") else ""
    url = os.environ.get("AWS_ENDPOINT_URL") or f"https://{service}.{region}.amazonaws.com{suffix}"
    headers = {"host": url.split("//")[1], "content-type": "application/x-amz-json-1.1", "x-amz-target": target}
    body = json.dumps(told).encode()
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return fetched(url, signed(service, region, headers, body, at), body)


def value_of(reference: str) -> str:
    """The value that a reference leads to."""
    what, _, field = reference.partition("#")
    parts = what.split(":")
    is_arn = parts[0] == "arn"
    region = parts[3] if is_arn else os.environ.get("AWS_REGION") or os.environ["AWS_DEFAULT_REGION"]
    if (parts[2] if is_arn else parts[0]) == "ssm":
        name = what if is_arn else what[len("ssm:") :]
        found = ask("ssm", "AmazonSSM.GetParameter", region, {"Name": name, "WithDecryption": True})
        value = found["Parameter"]["Value"]
    else:
        name = what if is_arn else what[len("secretsmanager:") :]
        value = ask("secretsmanager", "secretsmanager.GetSecretValue", region, {"SecretId": name})["SecretString"]
    return str(json.loads(value)[field] if field else value)


def main() -> None:
    for variable in sorted(os.environ):
        if variable.startswith(PREFIX):
            name, reference = variable[len(PREFIX) :], os.environ.pop(variable)
            try:
                os.environ[name] = value_of(reference)
            except (OSError, LookupError, ValueError) as error:
                said = error.read().decode() if isinstance(error, urllib.error.HTTPError) else ""
                sys.exit(f"launchyard: the job's role cannot read the secret of {name}: {error!r} {said}")
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
