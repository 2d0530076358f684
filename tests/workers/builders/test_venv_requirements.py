"""Which requirements make the same environment, and which cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from broker_config.jobs import CodeSource, Job
from broker_config.states import FailureClass
from workers.builders.protocol import BuildOrder
from workers.builders.venv import VenvBuilder
from workers.config.builder import VenvConfig
from workers.failures import RunFailed
from workers.sources.protocol import Fetched


@pytest.fixture
def builder(home: Path) -> VenvBuilder:
    return VenvBuilder(home, VenvConfig())


def key_of(
    builder: VenvBuilder, folder: Path, files: Mapping[str, str], digest: str = "one", python: str | None = None
) -> str:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    source = CodeSource(digest="sha256:" + "0" * 64, size_bytes=1)
    return builder.key(BuildOrder(Job(source=source, python_version=python), Fetched(digest, folder=folder)))


def test_the_key_is_that_of_the_content_and_not_of_its_place_comments_or_blanks(
    builder: VenvBuilder, home: Path
) -> None:
    # When
    plain = key_of(builder, home / "a", {"requirements.txt": "six==1.17\nattrs\n", "train.py": "1"})
    other = key_of(
        builder, home / "b", {"requirements.txt": "# mine\nsix==1.17  # old\n\n  attrs", "train.py": "2"}, "two"
    )
    # Then
    assert plain == other


@pytest.mark.parametrize(
    "other",
    [
        {"requirements.txt": "six==1.16\n"},
        {"requirements.txt": "six\n-c limits.txt\n", "limits.txt": "six<2\n"},
        {"requirements.txt": "six\n-r more/extra.txt\n", "more/extra.txt": "attrs\n"},
        {"requirements.txt": "six\n", "uv.toml": 'index-url = "https://example.org"\n'},
        {"requirements.txt": "six\n", "pyproject.toml": '[tool.uv]\nindex-url = "https://example.org"\n'},
        {"pyproject.toml": '[project]\nname = "x"\ndependencies = ["six>1"]\n'},
        {},
    ],
    ids=["version", "constraint", "included", "uv.toml", "tool.uv", "pyproject", "none"],
)
def test_whatever_changes_the_outcome_changes_the_key(builder: VenvBuilder, home: Path, other: dict[str, str]) -> None:
    assert key_of(builder, home / "a", {"requirements.txt": "six\n"}) != key_of(builder, home / "b", other)


def test_an_included_file_is_part_of_the_content(builder: VenvBuilder, home: Path) -> None:
    files = {"requirements.txt": "-r extra.txt\n", "extra.txt": "six<1\n"}
    assert key_of(builder, home / "a", files) != key_of(builder, home / "b", {**files, "extra.txt": "six<2\n"})


def test_another_version_of_python_has_another_key(builder: VenvBuilder, home: Path) -> None:
    keys = {key_of(builder, home / "a", {"requirements.txt": "six\n"}, python=one) for one in ("3.12", "3.13", None)}
    assert len(keys) == 3


@pytest.mark.parametrize(
    "line", [".", "./package", "package/one", "wheels/six-1.0-py3-none-any.whl", "six @ ./six", "-f wheels"]
)
def test_the_code_is_part_of_the_content_where_something_is_installed_from_it(
    builder: VenvBuilder, home: Path, line: str
) -> None:
    files = {"requirements.txt": f"{line}\n"}
    assert key_of(builder, home / "a", files, "one") != key_of(builder, home / "a", files, "two")


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"requirements.txt": "-e ./package\n"}, "'-e ./package'.*write './package' without -e"),
        ({"requirements.txt": "-r missing.txt\n"}, "missing.txt, which is not in the code"),
        ({"requirements.txt": "-r ../../settings.toml\n"}, "settings.toml, which is not in the code"),
        ({"pyproject.toml": "[project\n"}, "pyproject.toml cannot be read"),
        ({"pyproject.toml": '[project]\ndynamic = ["dependencies"]\n'}, "add a requirements.txt"),
        ({"pyproject.toml": '[project]\ndependencies = "six"\n'}, "must be a list of strings"),
    ],
)
def test_requirements_that_cannot_be_used_say_why(
    builder: VenvBuilder, home: Path, files: dict[str, str], complaint: str
) -> None:
    with pytest.raises(RunFailed, match=complaint) as failed:
        key_of(builder, home / "code", files)
    assert failed.value.failure is FailureClass.CONFIG
