"""Names of images."""

from __future__ import annotations

import pytest

from broker_config.oci.references import Reference, host_of, is_loopback, path_of

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "parts", "host", "path"),
    [
        ("python", ("python", "", ""), "docker.io", "library/python"),
        ("python:3.12-slim", ("python", "3.12-slim", ""), "docker.io", "library/python"),
        ("docker.io/python", ("docker.io/python", "", ""), "docker.io", "library/python"),
        ("index.docker.io/team/a", ("index.docker.io/team/a", "", ""), "docker.io", "team/a"),
        (f"team/train@{DIGEST}", ("team/train", "", DIGEST), "docker.io", "team/train"),
        ("r.example.com:5000/a/b:v1", ("r.example.com:5000/a/b", "v1", ""), "r.example.com:5000", "a/b"),
        (f"localhost:5000/a:v1@{DIGEST}", ("localhost:5000/a", "v1", DIGEST), "localhost:5000", "a"),
        ("localhost/a", ("localhost/a", "", ""), "localhost", "a"),
        ("localhost", ("localhost", "", ""), "docker.io", "library/localhost"),
    ],
)
def test_the_name_of_an_image_has_parts(image: str, parts: tuple[str, str, str], host: str, path: str) -> None:
    found = Reference.parse(image)
    assert (found.repository, found.tag, found.digest) == parts
    assert (host_of(found.repository), path_of(found.repository)) == (host, path)


def test_a_digest_is_wanted_before_a_tag_and_dockers_own_tag_where_there_is_neither() -> None:
    images = ("a:v1", "a", f"a:v1@{DIGEST}")
    assert [Reference.parse(image).wanted for image in images] == ["v1", "latest", DIGEST]


def test_only_the_machine_itself_is_loopback() -> None:
    hosts = ("localhost:5000", "127.0.0.1", "127.9.9.9:1", "[::1]:5000", "127.0.0.1.example.com", "r.example.com")
    assert [is_loopback(host) for host in hosts] == [True] * 4 + [False] * 2
