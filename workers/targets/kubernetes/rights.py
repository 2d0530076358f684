"""What an agent has to be allowed in a namespace, and what of that its credentials do not allow.

Source: the SelfSubjectAccessReview of `authorization.k8s.io/v1`, which every user may make.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from workers.kubernetes.resource import CONFIG_MAPS, EVENTS, PODS, Resource, root_of
from workers.targets.kubernetes.places import Place

_REVIEWS = f"{root_of('authorization.k8s.io/v1')}/selfsubjectaccessreviews"


class Right(NamedTuple):
    """A verb on a kind of objects, or on a part of them."""

    verb: str
    resource: Resource
    part: str = ""

    def __str__(self) -> str:
        group = self.resource.api_version.rpartition("/")[0]
        return f"{self.verb} {'.'.join(filter(None, (self.resource.plural, group)))}{self.part and f'/{self.part}'}"


OF_OBJECTS = ("get", "list", "watch", "create", "patch", "delete")
OF_OTHERS: Mapping[tuple[Resource, str], Sequence[str]] = {
    (PODS, ""): ("get", "list", "watch", "deletecollection"),
    (PODS, "log"): ("get",),
    (CONFIG_MAPS, ""): ("get", "list", "create", "delete"),
    (EVENTS, ""): ("list",),
}
"""By kind and part: what an agent does, whatever its queues are."""


def missing(place: Place) -> list[Right]:
    """What an agent needs for objects of a place, and may not do with the credentials from here.

    Raises:
        Refused, TemporaryError: when the server does not say.
    """
    needed = [Right(verb, place.resource) for verb in OF_OBJECTS]
    needed += [Right(verb, resource, part) for (resource, part), verbs in OF_OTHERS.items() for verb in verbs]
    return [right for right in needed if not is_allowed(place, right)]


def is_allowed(place: Place, right: Right) -> bool:
    """Whether the server lets these credentials do it. Raises as `missing` does."""
    group, _, version = right.resource.api_version.rpartition("/")
    attributes = {
        "namespace": place.namespace,
        "verb": right.verb,
        "group": group,
        "version": version,
        "resource": right.resource.plural,
        "subresource": right.part,
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    return bool(place.cluster.call("POST", _REVIEWS, body=body)["status"]["allowed"])
