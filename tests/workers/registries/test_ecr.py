"""What ECR has that other registries have not: repositories that somebody must create."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest

from broker_config.errors import ConfigError
from tests.contract.registries import ECR_HOST
from tests.moto_server import aws
from workers.config.images import RegistryKind
from workers.config.registry import RegistryConfig
from workers.environments.aws import Aws
from workers.registries.ecr import EcrRegistry


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An account without repositories."""
    with aws() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield


def registry_of(*, create_repository: bool) -> EcrRegistry:
    uri = f"{ECR_HOST}/team/jobs"
    return EcrRegistry(RegistryConfig(type=RegistryKind.ECR, uri=uri, create_repository=create_repository), Aws(None))


def repositories() -> list[str]:
    client = boto3.client("ecr", "eu-west-1")
    return [found["repositoryName"] for found in client.describe_repositories()["repositories"]]


def test_a_repository_that_is_not_there_has_no_images_and_takes_none() -> None:
    # Given
    registry = registry_of(create_repository=False)
    # When
    registry.prepare()
    # Then
    assert registry.digest("any") is None
    assert repositories() == []
    with pytest.raises(ConfigError, match=r"team/jobs is not in account 123456789012, region eu-west-1; create it"):
        registry.check()


def test_a_repository_is_created_in_the_region_of_its_address_when_the_config_says_so() -> None:
    # Given
    registry = registry_of(create_repository=True)
    assert "created with the first push" in registry.check()
    assert repositories() == []
    # When
    registry.prepare()
    registry.prepare()
    # Then
    assert repositories() == ["team/jobs"]


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("123456789012.dkr.ecr.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com", "us-east-1"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", "eu-west-1"),
    ],
)
def test_a_repository_is_asked_for_in_its_own_region_in_every_partition(host: str, region: str) -> None:
    # Given
    config = RegistryConfig.model_validate({"uri": f"{host}/team/jobs", "create_repository": True})
    assert config.type is RegistryKind.ECR
    # When
    EcrRegistry(config, Aws(None)).prepare()
    # Then
    (found,) = boto3.client("ecr", region).describe_repositories()["repositories"]
    assert found["repositoryName"] == "team/jobs"
