"""What docs/security.md says of limits, TLS and others' vulnerabilities is what the code does."""

from __future__ import annotations

import ast
import re
import ssl
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

from pacs_cli.dicom.encoding import Bounds
from pacs_cli.net.listener import Caps
from pacs_cli.net.tls import SUITES, VERSIONS, TlsClient, TlsSettings
from pacs_cli.wire.association import Limits

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "security.md").read_text()

#: Rows of the tables of limits: what, how much, against what, where.
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| `([\w.]+):([\w.]+)` \|$", TEXT, re.M)
UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "s": 1, "bytes": 1, "characters": 1, "": 1}


def value_of(module: str, path: str) -> object:
    """The constant, or the default of a field."""
    name, _, field = path.partition(".")
    found = getattr(import_module(module), name)
    if not field:
        return found
    if isinstance(found, type):
        return next(each.default for each in fields(found) if each.name == field)
    return getattr(found, field)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[3]}:{row[4]}")
def test_limit_is_what_the_document_says(row):
    _, said, threat, module, path = row
    number, _, unit = said.partition(" ")
    assert value_of(module, path) == int(number) * UNITS[unit]
    assert len(threat) > 5


def test_every_limit_of_the_classes_of_limits_is_told():
    told = {path for *_, path in ROWS}
    for each in (Limits, Bounds, Caps):
        assert {f"{each.__name__}.{field.name}" for field in fields(each)} <= told
    assert len(ROWS) > 40


def test_tables_have_no_row_that_is_not_compared():
    section = TEXT.partition("\n## Limits\n")[2].partition("\n## Decoders\n")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    heads = sum(line.startswith("| limit |") for line in rows)
    assert heads == 2
    assert len(rows) - heads == len(ROWS)


def test_suites_and_versions_of_tls_are_those_of_the_code():
    section = re.sub(r"\s+", " ", TEXT.partition("### The profile")[2].partition("###")[0])
    assert all(
        f"TLS {version}" in section.replace("TLS 1.2 with", "TLS 1.2 ") for version in VERSIONS
    )
    starts, ends = set(), set()
    for suite in SUITES:
        start = next(each for each in ("ECDHE-ECDSA-", "ECDHE-RSA-") if suite.startswith(each))
        starts.add(start)
        ends.add(suite.removeprefix(start))
    assert starts | ends == set(re.findall(r"`([A-Z0-9-]+)`", section))
    assert len(SUITES) == len(starts) * len(ends)


def test_context_of_tls_has_what_the_document_promises(pki):
    context = TlsClient(TlsSettings(ca=pki.ca))._context
    options = context.options
    assert options & ssl.OP_NO_RENEGOTIATION
    assert options & ssl.OP_NO_COMPRESSION
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert context.security_level >= 2
    names = {each["name"] for each in context.get_ciphers() if each["protocol"] != "TLSv1.3"}
    assert names == set(SUITES)


def test_every_vulnerability_has_its_source():
    ids = r"(?:CVE-\d{4}-\d+|GHSA(?:-[0-9a-z]{4}){3}|OSV-\d{4}-\d+)"
    told = re.findall(ids, re.sub(r"\]\([^)]+\)", "]", TEXT))
    linked = [
        each
        for text in re.findall(r"\[([^\]]+)\]\(https://", TEXT)
        for each in re.findall(ids, text)
    ]
    assert len(told) > 30
    assert sorted(told) == sorted(linked)


def test_no_xml_is_read():
    for path in (ROOT / "pacs_cli").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            parsers = {"xml", "lxml", "defusedxml", "plistlib"}
            assert not [name for name in names if name.split(".")[0] in parsers], path


def test_versions_with_known_holes_are_not_installed():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"pydicom>=3.0.2", "pynetdicom>=3.0.4"} <= set(project["dependencies"])
