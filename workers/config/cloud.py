"""The block `environment` of the agent's config: the cloud whose credentials the agent uses.

No block holds a credential. Each cloud's own library finds them where it always does: in the environment, in its files,
or from the machine or the cluster that the agent runs on.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from broker_config.frozen import Frozen


class AwsEnvironment(Frozen):
    """Credentials as boto3 finds them."""

    type: Literal["aws"] = "aws"

    region: str = Field(min_length=1)
    """Region of everything that the agent asks AWS for."""


class GcpEnvironment(Frozen):
    """Google's application default credentials."""

    type: Literal["gcp"] = "gcp"

    region: str = Field(min_length=1)
    """Location of everything that the agent asks Google Cloud for."""

    project: str | None = None
    """Google Cloud project. Absent: that of the credentials."""


class AzureEnvironment(Frozen):
    """Azure's `DefaultAzureCredential`."""

    type: Literal["azure"] = "azure"

    region: str | None = None
    """Taken because W&B Launch asks for it. Nothing on Azure needs it."""


Environment = AwsEnvironment | GcpEnvironment | AzureEnvironment

ENVIRONMENTS: dict[str, type[Environment]] = {"aws": AwsEnvironment, "gcp": GcpEnvironment, "azure": AzureEnvironment}
