"""Each structure rule can fail, and lets pass what it should."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tests.structure.rules import Scope, check


def rules_broken_by(root: Path, *sources: tuple[str, str], allowed: dict[str, list[str]] | None = None) -> list[str]:
    """Names of the rules that `sources`, pairs of a path and a text, break."""
    for path, text in sources:
        file = root / "package" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")
    return [finding.rule for finding in check(root, Scope(["package"], allowed or {}))]


def function_of(lines: int) -> str:
    return "def work():\n" + "    pass\n" * (lines - 1)


BREAKING = {
    "a file of 401 lines": ("long-file", "x = 1\n" * 401),
    "a function of 41 lines": ("long-function", function_of(41)),
    "seven parameters": ("many-parameters", "def work(a, b, /, c, d, e, *, f, g): ..."),
    "seven parameters beside self": ("many-parameters", "class A:\n    def work(self, a, b, c, d, e, f, g): ..."),
    "an import in a function": ("import-in-function", "def work():\n    import json"),
    "an import in a method's if": (
        "import-in-function",
        "class A:\n    async def work(self):\n        if self:\n            from json import loads",
    ),
    "an import for types": ("import-for-types-only", "if TYPE_CHECKING:\n    import json"),
    "an import for types, by module": ("import-for-types-only", "if typing.TYPE_CHECKING:\n    import json"),
    "a bare except": ("broad-except", "try:\n    x = 1\nexcept:\n    pass"),
    "except Exception": ("broad-except", "try:\n    x = 1\nexcept Exception as error:\n    print(error)"),
    "Exception among others": ("broad-except", "try:\n    x = 1\nexcept (OSError, builtins.Exception):\n    pass"),
    "suppress(Exception)": ("broad-except", "with contextlib.suppress(Exception):\n    x = 1"),
    "os.environ": ("environment-read", "import os\nhome = os.environ['HOME']"),
    "os.getenv": ("environment-read", "import os\nhome = os.getenv('HOME')"),
    "environ by name": ("environment-read", "from os import environ"),
}

PASSING = {
    "a file of 400 lines": "x = 1\n" * 400,
    "a function of 40 lines": function_of(40),
    "six parameters beside self": "class A:\n    def work(self, a, b, c, d, e, f, *rest, **options): ...",
    "an import at the top, under a condition": "import sys\nif sys.platform == 'linux':\n    import fcntl",
    "an except that names its errors": "try:\n    x = 1\nexcept (OSError, ValueError):\n    pass",
    "another module's environ": "environ = self.environ",
}


@pytest.mark.parametrize(("rule", "source"), BREAKING.values(), ids=BREAKING.keys())
def test_it_is_reported(tmp_path: Path, rule: str, source: str) -> None:
    assert rules_broken_by(tmp_path, ("module.py", source)) == [rule]


@pytest.mark.parametrize("source", PASSING.values(), ids=PASSING.keys())
def test_it_passes(tmp_path: Path, source: str) -> None:
    assert rules_broken_by(tmp_path, ("module.py", source)) == []


@pytest.mark.parametrize("path", ["utils.py", "helpers/__init__.py", "base.py", "_common.py", "manager.py"])
def test_a_name_that_could_hold_anything_is_reported(tmp_path: Path, path: str) -> None:
    assert rules_broken_by(tmp_path, (path, "x = 1")) == ["drawer-name"]


@pytest.mark.parametrize(
    "statement", ["import package.b", "from package import b", "from . import b", "from .b import c"]
)
def test_modules_that_import_each_other_are_reported_once(tmp_path: Path, statement: str) -> None:
    # Given a module that imports its neighbour in one of the ways, and the neighbour importing it
    sources = [("__init__.py", ""), ("a.py", statement), ("b.py", "from package.a import y")]

    # Then the circle is one finding
    assert rules_broken_by(tmp_path, *sources) == ["import-cycle"]


def test_a_cycle_is_told_in_the_direction_of_the_imports(tmp_path: Path) -> None:
    # Given three modules in a circle: a imports b, b imports c, c imports a
    for name, neighbour in ("ab", "bc", "ca"):
        (tmp_path / f"{name}.py").write_text(f"import {neighbour}\n", encoding="utf-8")

    # When the folder is checked
    [finding] = check(tmp_path, Scope(["."]))

    # Then the message walks the circle that way, from wherever it starts
    assert finding.message.removeprefix("imports go in a circle: ") in (
        "a -> b -> c -> a",
        "b -> c -> a -> b",
        "c -> a -> b -> c",
    )


def test_a_package_that_gathers_names_of_its_modules_is_no_cycle(tmp_path: Path) -> None:
    sources = [("__init__.py", "from package.a import x"), ("a.py", "from package.b import y"), ("b.py", "y = 1")]
    assert rules_broken_by(tmp_path, *sources) == []


def test_an_exception_names_a_file_or_one_function_of_it(tmp_path: Path) -> None:
    # Given two functions that catch everything
    text = """
        class A:
            def loop(self):
                try: ...
                except Exception: ...
        def other():
            try: ...
            except Exception: ...
    """

    # Then the whole file, or only one of them, can be allowed to
    whole = {"broad-except": ["package/module.py"]}
    one = {"broad-except": ["package/module.py:A.loop"]}
    assert rules_broken_by(tmp_path, ("module.py", text), allowed=whole) == []
    assert rules_broken_by(tmp_path, ("module.py", text), allowed=one) == ["broad-except"]


def test_an_exception_that_nothing_needs_any_more_is_reported(tmp_path: Path) -> None:
    allowed = {"long-file": ["package/module.py"]}
    assert rules_broken_by(tmp_path, ("module.py", "x = 1"), allowed=allowed) == ["needless-exception"]


def test_a_finding_says_where_what_and_the_cure(tmp_path: Path) -> None:
    # Given a function that is too long
    (tmp_path / "module.py").write_text(function_of(41), encoding="utf-8")

    # When the folder is checked
    [finding] = check(tmp_path, Scope(["."]))

    # Then its line can be clicked in a terminal and says what to do
    assert str(finding) == "module.py:1: work has 41 lines, the limit is 40; name its steps [long-function]"
