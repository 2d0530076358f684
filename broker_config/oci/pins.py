"""An image pinned to its digest: what a tag stands for today, whatever it stands for tomorrow."""

from __future__ import annotations

from collections.abc import Callable

from broker_config.errors import InvalidRequest
from broker_config.jobs import ImageSource
from broker_config.oci.distribution import Distribution
from broker_config.oci.references import Reference, host_of


def pinned(source: ImageSource, repository_of: Callable[[str], Distribution]) -> ImageSource:
    """The source by its digest; of an image for several platforms that of the index, as all of them are meant.

    `repository_of` gives a repository by its name.

    Raises:
        InvalidRequest: when no registry shows the image.
        ConfigError: when its registry does not take the login.
        TemporaryError: when its registry does not answer.
    """
    named = Reference.parse(source.image)
    if named.digest:
        return source
    digest = repository_of(named.repository).digest(named.wanted)
    if digest is None:
        raise InvalidRequest(
            f"registry {host_of(named.repository)} shows no image {source.image}; check its name and the login there, "
            "or push it: one that is only on a Docker engine has no digest that others could pull it by"
        )
    return ImageSource(image=f"{named.repository}@{digest}", tag=named.wanted)
