"""The layers are law, and so are the few rules that keep the code readable."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "pacs_cli"
MODULES = sorted(ROOT.rglob("*.py"))

#: Module or package of pacs_cli -> what it may import of pacs_cli. A package may import itself.
LAYERS: dict[str, set[str]] = {
    "__init__": set(),
    "errors": set(),
    "platforms": {"errors"},
    "placing": set(),
    "wire": {"errors"},
    "net": {"errors", "wire"},
    "dicom": {"errors", "__init__"},
    "services": {"errors", "wire", "net", "__init__"},
    "pixels": {"errors", "dicom"},
    "archive": {"errors", "placing", "wire", "net", "services", "dicom", "pixels"},
    "jobs": {"errors"},
    "pipelines": {
        *("errors", "placing", "wire", "net", "services", "dicom", "pixels", "jobs", "__init__"),
    },
    "config": {"errors"},
    "securing": {"errors", "config", "net", "wire"},
    "config_file": {"errors", "config", "pipelines"},
    "origins": {"errors", "config", "options", "securing"},
    "addresses": {"config"},
    "habits": set(),
    "options": {"addresses", "errors", "config", "securing", "wire", "net", "services"},
    "receiving": {"errors", "config", "options", "net", "services", "dicom", "archive", "pipelines"}
    | {"wire", "securing"},
    "admitting": {"errors", "config", "services", "pipelines"},
    "observing": {"errors", "securing", "wire", "net", "services", "pipelines"},
    "report": {"errors", "options", "tables"},
    "tables": set(),
    "helping": set(),
    "manual": {"errors", "helping", "__init__"},
    "commands": {
        *("errors", "wire", "net", "services", "dicom", "pixels", "archive", "pipelines"),
        *("addresses", "config", "config_file", "options", "origins", "jobs", "receiving"),
        *("securing", "admitting", "observing", "report", "tables", "__init__"),
    },
    "cli": {
        *("errors", "helping", "platforms", "config", "habits", "options", "report", "commands"),
        "__init__",
    },
    "completions": set(),
    "generate": {"errors", "options", "report", "cli", "completions", "commands", "__init__"}
    | {"helping", "manual", "dicom", "pipelines", "jobs", "net"},
    "__main__": {"cli"},
}

#: What may be imported from outside by one layer alone.
RESERVED = {
    # services only names the type of the socket that the listener hands over
    "socket": {"net", "services"},
    "ssl": {"net"},
    "selectors": {"net"},
    # two owners, of two kinds of files: what an archive holds, and what a job has done
    "sqlite3": {"archive", "jobs"},
    "typer": {"cli", "options", "receiving", "securing", "admitting", "observing", "commands"},
    # tables are drawn without it, tables.py
    "rich": set(),
    "tqdm": {"report"},
    "tomlkit": {"config_file"},
}
WIRE_MAY_IMPORT = {
    *(
        "__future__",
        "collections",
        "dataclasses",
        "enum",
        "functools",
        "itertools",
        "struct",
        "typing",
    ),
}


#: Modules that are nothing but tables of the standard, written by a script.
TABLES = {"profile.py"}


def layer_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield every module that is imported anywhere in a module, functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            if module == "pacs_cli":
                yield from (_own(alias.name) for alias in node.names)
            else:
                yield module


def _own(name: str) -> str:
    """A name imported from pacs_cli is a module of it, or stands in its __init__."""
    is_module = (ROOT / name).is_dir() or (ROOT / f"{name}.py").is_file()
    return f"pacs_cli.{name}" if is_module else "pacs_cli.__init__"


def violations(layer: str, source: str) -> list[str]:
    """Return what the source of a module in `layer` imports against the law."""
    found = []
    for name in imports(ast.parse(source)):
        package, *rest = name.split(".")
        if package == "pacs_cli":
            target = rest[0] if rest else "__init__"
            if target != layer and target not in LAYERS[layer]:
                found.append(name)
        elif layer not in RESERVED.get(package, {layer}) or (
            layer == "wire" and package not in WIRE_MAY_IMPORT
        ):
            found.append(name)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_imports_only_from_below(path):
    assert violations(layer_of(path), path.read_text()) == []


@pytest.mark.parametrize(
    ("layer", "source"),
    [
        ("wire", "from pacs_cli.net.channel import Channel"),
        ("wire", "import time"),
        ("wire", "def f():\n    import pydicom"),
        ("net", "from pacs_cli.services import scu"),
        ("services", "from pacs_cli import archive"),
        ("archive", "from pacs_cli.pipelines.send import send"),
        ("dicom", "import sqlite3"),
        ("pipelines", "import sqlite3"),
        ("jobs", "from pacs_cli.archive.index import Index"),
        ("commands", "import socket"),
        ("errors", "from pacs_cli.report import clean"),
    ],
)
def test_law_catches_what_it_forbids(layer, source):
    assert violations(layer, source)


def test_every_module_has_a_layer():
    assert {layer_of(path) for path in MODULES} == set(LAYERS)


def _calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_keeps_the_rules(path):
    source = path.read_text()
    tree = ast.parse(source)
    layer = layer_of(path)
    calls = set(_calls(tree))
    assert "print" not in calls
    assert "time.sleep" not in calls
    if layer not in ("__main__", "generate"):
        assert "sys.exit" not in calls
    if layer not in ("report", "cli"):
        assert "sys.stdout" not in source
    if path.name not in TABLES:
        assert source.count("\n") < (150 if layer == "commands" else 600)
    assert ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 70, node.name
        is_public = isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_"
        if is_public and node in tree.body:
            assert ast.get_docstring(node), node.name


def test_python_in_use_is_supported():
    assert sys.version_info >= (3, 11)
