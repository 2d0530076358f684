"""The size and structure rules of CONTRIBUTING.md, as a check that can fail.

`python -m tests.structure.rules` reads `[tool.launchyard.structure]` of pyproject.toml, prints one line for each
finding and leaves with 1 if there is any. What ruff and import-linter already judge is not judged again here.

A rule is a function from a parsed module to findings. To add one: write it, put it into `RULES`, and show in
`test_rules.py` that it can fail.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

LINES_OF_A_FILE = 400
LINES_OF_A_FUNCTION = 40
PARAMETERS = 6
DRAWERS = {"base", "common", "core", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
BROAD = {"Exception", "BaseException"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Finding:
    """One place that breaks one rule. `function` is the qualified name of the function around it, if any."""

    rule: str
    path: str
    line: int
    message: str
    function: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message} [{self.rule}]"

    def is_named_by(self, entry: str) -> bool:
        """Whether an entry of the list of exceptions, `path` or `path:function`, means this finding."""
        return entry in (self.path, f"{self.path}:{self.function}")


@dataclass(frozen=True, slots=True)
class Module:
    """A parsed source file. `path` is relative to the root of the repository and gives the dotted name."""

    path: Path
    text: str
    tree: ast.Module

    @classmethod
    def read(cls, root: Path, path: Path) -> Module:
        text = path.read_text(encoding="utf-8")
        return cls(path.relative_to(root), text, ast.parse(text, filename=str(path)))

    @property
    def name(self) -> str:
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def package(self) -> str:
        """The package that a relative import starts from."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]

    def finding(self, rule: str, line: int, message: str, function: str = "") -> Finding:
        return Finding(rule, self.path.as_posix(), line, message, function)


# --- walking ----------------------------------------------------------------------------------------------------------


def nodes(tree: ast.AST, around: str = "", in_function: bool = False) -> Iterator[tuple[str, bool, ast.AST]]:
    """Every node below `tree`, with the qualified name around it and whether that is a function's."""
    for child in ast.iter_child_nodes(tree):
        yield around, in_function, child
        if isinstance(child, Function | ast.ClassDef):
            inside = f"{around}.{child.name}".lstrip(".")
            yield from nodes(child, inside, in_function or isinstance(child, Function))
        else:
            yield from nodes(child, around, in_function)


def functions(module: Module) -> Iterator[tuple[str, Function]]:
    for around, _, node in nodes(module.tree):
        if isinstance(node, Function):
            yield f"{around}.{node.name}".lstrip("."), node


def last_name(node: ast.expr | None) -> str:
    """`Exception` for both `Exception` and `builtins.Exception`; empty for anything that is not a name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


# --- rules ------------------------------------------------------------------------------------------------------------


def long_file(module: Module) -> Iterator[Finding]:
    count = len(module.text.splitlines())
    if count > LINES_OF_A_FILE:
        yield module.finding("long-file", count, f"{count} lines, the limit is {LINES_OF_A_FILE}; split it by nouns")


def long_function(module: Module) -> Iterator[Finding]:
    for name, node in functions(module):
        count = (node.end_lineno or node.lineno) - node.lineno + 1
        if count > LINES_OF_A_FUNCTION:
            message = f"{name} has {count} lines, the limit is {LINES_OF_A_FUNCTION}; name its steps"
            yield module.finding("long-function", node.lineno, message, name)


def many_parameters(module: Module) -> Iterator[Finding]:
    for name, node in functions(module):
        every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        count = sum(argument.arg not in ("self", "cls") for argument in every)
        if count > PARAMETERS:
            message = f"{name} has {count} parameters, the limit is {PARAMETERS}; a model is missing"
            yield module.finding("many-parameters", node.lineno, message, name)


def import_in_function(module: Module) -> Iterator[Finding]:
    for around, in_function, node in nodes(module.tree):
        if in_function and isinstance(node, ast.Import | ast.ImportFrom):
            message = f"import inside {around}; if the top of the file makes a cycle, the module is in the wrong layer"
            yield module.finding("import-in-function", node.lineno, message, around)


def import_for_types_only(module: Module) -> Iterator[Finding]:
    for around, _, node in nodes(module.tree):
        if isinstance(node, ast.If) and last_name(node.test) == "TYPE_CHECKING":
            message = "TYPE_CHECKING hides a cycle from the run, not from the reader; move the name to a lower layer"
            yield module.finding("import-for-types-only", node.lineno, message, around)


def drawer_name(module: Module) -> Iterator[Finding]:
    for part in module.path.with_suffix("").parts:
        if part.strip("_") in DRAWERS:
            yield module.finding("drawer-name", 1, f"a module called {part!r} could hold anything; name its noun")


def broad_except(module: Module) -> Iterator[Finding]:
    for around, _, node in nodes(module.tree):
        if isinstance(node, ast.ExceptHandler):
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            broad = node.type is None or any(last_name(one) in BROAD for one in caught)
        elif isinstance(node, ast.Call) and last_name(node.func) == "suppress":
            broad = any(last_name(one) in BROAD for one in node.args)
        else:
            continue
        if broad:
            message = "catches everything; name the errors, or allow it where a task body or a watch loop must go on"
            yield module.finding("broad-except", node.lineno, message, around)


def environment_read(module: Module) -> Iterator[Finding]:
    for around, _, node in nodes(module.tree):
        if isinstance(node, ast.Attribute) and last_name(node.value) == "os":
            names = {node.attr}
        elif isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
        else:
            continue
        if names & {"environ", "environb", "getenv"}:
            message = "reads the environment; only the settings modules do, everything else takes a setting"
            yield module.finding("environment-read", node.lineno, message, around)


RULES: tuple[Callable[[Module], Iterator[Finding]], ...] = (
    long_file,
    long_function,
    many_parameters,
    import_in_function,
    import_for_types_only,
    drawer_name,
    broad_except,
    environment_read,
)


def imported_names(module: Module) -> Iterator[str]:
    """Dotted names that `module` imports, the names after `from ... import` included: they may be modules too."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), module.package)
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def import_cycle(modules: Sequence[Module]) -> Iterator[Finding]:
    """At most one finding: the first cycle. Mending it shows the next."""
    by_name = {module.name: module for module in modules}
    graph: dict[str, set[str]] = {name: set() for name in by_name}
    for module in modules:
        for name in imported_names(module):
            target = name if name in by_name else name.rpartition(".")[0]
            if target in by_name and target != module.name:
                graph[module.name].add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # The sorter lists what has to come first, so the way of the imports is its cycle read backwards.
        cycle = list(reversed(error.args[1]))
        yield by_name[cycle[0]].finding("import-cycle", 1, "imports go in a circle: " + " -> ".join(cycle))


# --- the check --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scope:
    """What is checked: folders below the root of the repository, and the exceptions that each rule allows."""

    folders: Sequence[str]
    allowed: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of_repository(cls, root: Path) -> Scope:
        settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        return cls(**settings["tool"]["launchyard"]["structure"])


def check(root: Path, scope: Scope) -> list[Finding]:
    """All findings that no exception names, and the exceptions that name nothing any more."""
    paths = [path for folder in scope.folders for path in sorted((root / folder).rglob("*.py"))]
    modules = [Module.read(root, path) for path in paths]
    found = [finding for module in modules for rule in RULES for finding in rule(module)]
    found = [*dict.fromkeys(found), *import_cycle(modules)]
    kept = [one for one in found if not any(map(one.is_named_by, scope.allowed.get(one.rule, ())))]
    return kept + list(needless_exceptions(found, scope))


def needless_exceptions(found: Sequence[Finding], scope: Scope) -> Iterator[Finding]:
    for rule, entries in scope.allowed.items():
        for entry in entries:
            if not any(one.rule == rule and one.is_named_by(entry) for one in found):
                yield Finding("needless-exception", "pyproject.toml", 1, f"nothing at {entry} breaks {rule} any more")


def main() -> int:
    root = Path(__file__).resolve().parents[2]
    findings = check(root, Scope.of_repository(root))
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
