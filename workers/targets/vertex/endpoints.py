"""Where Google Cloud's services are: at their public addresses, or where gcloud's own variables say.

A project that is reached over Private Service Connect has others (`api_endpoint_overrides` in gcloud's properties).
"""

from __future__ import annotations

import os

_PUBLIC = {
    "aiplatform": "https://{location}-aiplatform.googleapis.com",
    "logging": "https://logging.googleapis.com",
    "secretmanager": "https://secretmanager.googleapis.com",
    "iamcredentials": "https://iamcredentials.googleapis.com",
    "iam": "https://iam.googleapis.com",
    "pubsub": "https://pubsub.googleapis.com",
    "cloudresourcemanager": "https://cloudresourcemanager.googleapis.com",
}


def endpoint(service: str, location: str = "") -> str:
    """The address of a service, without a slash at its end."""
    override = os.environ.get(f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service.upper()}")
    return (override or _PUBLIC[service].format(location=location)).rstrip("/")
