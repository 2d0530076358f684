"""Reading JSON and YAML: what comes out, where it stood, and what is refused with which words."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from broker_config.errors import InvalidRequest
from broker_config.texts import read, read_file, read_object

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff\ufffe\uffff"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.sampled_from([None, 2, "\t"]), st.booleans())
def test_what_json_wrote_is_read_as_it_was(data: Any, indent: int | str | None, ascii_only: bool) -> None:
    assert read(json.dumps(data, indent=indent, ensure_ascii=ascii_only), "x").data == data


# PyYAML writes texts without quotes that are numbers for YAML 1.2 alone, and for us: 1e3, 0o17.
NUMBERS_OF_1_2 = re.compile(r"[-+]?(0o[0-7_]+|[0-9_.]+[eE][-+]?[0-9]+)")


def has_none_of(data: Any) -> bool:
    if isinstance(data, dict):
        return has_none_of([*data, *data.values()])
    if isinstance(data, list):
        return all(map(has_none_of, data))
    return not (isinstance(data, str) and NUMBERS_OF_1_2.fullmatch(data))


@given(JSON.filter(has_none_of), st.booleans())
def test_what_yaml_wrote_is_read_as_it_was(data: Any, flow: bool) -> None:
    assert read(yaml.safe_dump(data, default_flow_style=flow, allow_unicode=True), "x").data == data


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", None),
        ("# nothing yet\n", None),
        ("\ufeffa: 1", {"a": 1}),
        ("a: 22:22", {"a": "22:22"}),
        ("a: 1e3", {"a": 1000.0}),
        ("a: 0644", {"a": 420}),
        ("a: 0x1F", {"a": 31}),
        ("a: 08", {"a": "08"}),
        ("a: yes", {"a": True}),
        ("a: 1.2.3", {"a": "1.2.3"}),
        ("a: !!str 1", {"a": "1"}),
        ("a: !!float 1", {"a": 1.0}),
        ("{a: 1, b: [x, y],}", {"a": 1, "b": ["x", "y"]}),
        ("a: &x {n: 1}\nb: *x", {"a": {"n": 1}, "b": {"n": 1}}),
        ("a: &x {n: 1, m: 2}\nb:\n  <<: *x\n  m: 3", {"a": {"n": 1, "m": 2}, "b": {"n": 1, "m": 3}}),
        ('{"memory": 5Gi}', {"memory": "5Gi"}),
        ('{"face": "\\ud83d\\ude00"}', {"face": "\U0001f600"}),
    ],
)
def test_a_text_means_this(text: str, data: Any) -> None:
    assert read(text, "x").data == data


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{one}: &{one} [{', '.join([f'*{before}'] * 10)}]\n" for before, one in zip("abcdef", "bcdefg", strict=True)
)

LONG = "a: &a " + "x" * 1000 + "\nb: [" + "*a, " * 1100 + "]"

DEEP_BY_ALIAS = "a0: &a0 []\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 70))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a:\n\tb: 1", "x:2:1: a tab is here, and YAML is indented with spaces only"),
        ("a: 1\nb: 2\na: 3", "x:3:1: the key 'a' is here for the second time; remove one of the two"),
        ('{"a": 1, "a": 2}', "x:1:10: the key 'a' is here for the second time; remove one of the two"),
        ("cpu: {{cpu}}", "x:1:7: braces inside braces"),
        ('{"cpu": {{cpu}}}', "x:1:10: braces inside braces"),
        ("a: &x [*x]", "x:1:8: the alias '*x' is inside of what it stands for"),
        ("a: *x", "x:1:4: the alias '*x' stands for nothing"),
        (BOMB, "there are more than 50,000 values up to here, aliases unfolded"),
        (LONG, "the alias '*a' makes the document too large"),
        (DEEP_BY_ALIAS, "makes the document too large"),
        ("[" * 100_000, "x:1:66: this is nested deeper than 64 levels"),
        ('{"a":' * 100_000, "this is nested deeper than 64 levels"),
        ("- " * 100_000, "this is nested deeper than 64 levels"),
        ("[" + "1," * 60_000 + "1]", "there are more than 50,000 values"),
        ("a: " + "x" * 2_000_000, "x:1:1: the text has more than 1,048,576 characters"),
        ("when: 2024-01-31", "x:1:7: 2024-01-31 is a date in YAML, and JSON has none; write it in quotes"),
        ("a: !!binary aGk=", "x:1:4: the tag '!!binary' makes something that JSON cannot hold; write the text of it"),
        ("a: !!set {b}", "x:1:4: the tag '!!set' makes something that JSON cannot hold; write a list"),
        ("a: !!python/object/apply:os.system [ls]", "the tag '!!python/object/apply:os.system' makes something"),
        ("a: !Ref b", "the tag '!Ref' makes something"),
        ("a: !!int b", "x:1:4: 'b' is not what its tag says: !!int"),
        ("a: .nan", "x:1:4: JSON has no number .nan"),
        ('{"a": Infinity}', "x:1:7: JSON has no number Infinity"),
        ('{"a": 1e999}', "x:1:7: JSON has no number 1e999"),
        ("a: " + "9" * 5000, "x:1:4: this number cannot be read"),
        ("on: push", "x:1:1: the key on is not text in YAML; put it into quotes"),
        ("80: web", "x:1:1: the key 80 is not text in YAML"),
        ("? [a]\n: b", "x:1:3: a key must be text, not a list"),
        ("<<: text", "x:1:1: '<<' merges objects"),
        ("a: 1\n---\na: 2", "x:2:1: a second document begins here"),
        ("a: b: c", "x:1:5: this is not YAML: mapping values are not allowed in this context; a text with ': ' in it"),
        ('{"a" 1}', "x:1:6: ':' is expected here, after the key 'a'"),
        ('{"a": 1 "b"}', "x:1:9: ',' or '}' is expected here"),
        ('{"a": 1} b', "x:1:10: the JSON text has ended here"),
        ('{"a": "\\ud800"}', "x:1:7: the text has half of a surrogate pair"),
        ("a: \x07", "x:1:4: the character '\\x07' cannot stand in a document"),
        ("a: \ud800", "x:1:4: the character '\\ud800' cannot stand in a document"),
    ],
)
def test_what_no_document_may_say_is_refused_with_its_place(text: str, error: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(text, "x")
    assert error in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    ["a:\n  b:\n  - c: 1\n    d: 2\n", '{"a":\n {"b":\n  [{ "c": 1,\n    "d": 2}]}}'],
    ids=["yaml", "json"],
)
def test_everything_has_its_place(text: str) -> None:
    # Given a text with an object in a list in two objects, when it is read
    document = read(text, "gpu")

    # Then a member stands where its key stands, and what is missing where it would be inside
    assert document.place("/a/b/0/d") == "gpu:4:5"
    assert document.place("/a/b") == "gpu:2:3"
    assert document.place("/a/b/0/missing/deeper") == document.place("/a/b/0")
    assert document.place("") == "gpu:1:1"


def test_only_an_object_is_an_object() -> None:
    assert read_object("", "--retries") == {}
    with pytest.raises(InvalidRequest, match="--retries:1:1: this must be an object"):
        read_object("[1]", "--retries")


def test_a_file_that_cannot_be_read_is_told_with_its_reason(tmp_path: Path) -> None:
    # Given a folder, a file of another encoding and one that is missing
    (tmp_path / "latin").write_bytes("a: ä".encode("latin-1"))

    # When they are read, then the reason is told
    for name, reason in (("", "Is a directory"), ("latin", "is not UTF-8 text"), ("gone", "No such file")):
        with pytest.raises(InvalidRequest, match=reason):
            read_file(str(tmp_path / name), "--config")
