"""A file as `validate` checks it: every rule ends, with findings or without."""

from __future__ import annotations

from collections.abc import Iterator

from pacs_cli.pipelines.validation.check import check_data
from pacs_cli.pipelines.validation.findings import Findings
from tests.validation.breaking import encapsulated, extended
from tests.validation.objects import KINDS, file


def seeds() -> Iterator[bytes]:
    for make in KINDS.values():
        content = file(make())
        if len(content) < 8000:
            yield content
    yield encapsulated(b"\xff\xd8\xff\xc0" + bytes(20), **extended((0,), (24,)))


def check(data: bytes) -> None:
    findings = Findings()
    check_data(memoryview(data), findings)
    for finding in findings.all():
        assert finding.rule
