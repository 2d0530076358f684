"""The labels of a job by which it is found. Nobody can change them once there is the job."""

from __future__ import annotations

PREFIX = "launchyard-"
MANAGED = f"{PREFIX}managed"
RUN_ID = f"{PREFIX}run-id"
ATTEMPT = f"{PREFIX}attempt"
REQUEST = f"{PREFIX}request"
"""The digest of the request that a job was made for; it comes with the submission."""
