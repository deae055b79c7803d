"""The conformance statement is that of the program, and a provider does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pacs_cli.net.target import Target
from pacs_cli.services.scu import Session
from pacs_cli.wire.negotiation import Proposal
from tests.interop.peers import pacs_storescp
from tests.support import EXPLICIT
from tools import make_conformance
from tools.make_conformance import files

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "conformance.md").read_text()


def rows_of(title: str) -> list[list[str]]:
    """Return the rows of the first table behind a heading."""
    part = TEXT.partition(f" {title}\n")[2]
    table = re.search(r"(?:^\|.*\n)+", part, re.MULTILINE)[0]
    return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]


@pytest.mark.parametrize("name", files())
def test_statement_is_what_a_fresh_run_makes(name: str):
    assert (ROOT / name).read_text() == files()[name], "run python -m tools.make_docs"


def test_every_table_stands_in_the_statement_and_changes_with_the_program(monkeypatch):
    text = make_conformance.TEMPLATE.read_text()
    assert set(re.findall(r"\{\{(\w+)\}\}", text)) == set(make_conformance._TABLES)
    monkeypatch.setattr("tools.make_conformance.SUITES", ("ONE-SUITE",))
    assert "ONE-SUITE" in files()["docs/conformance.md"]


def _services() -> list[tuple[str, bool]]:
    part = TEXT.partition("| SOP class | UID |")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split("|") for line in part.splitlines()[2:]]
    uids = [(row[1].strip(), "storescp" in row[-1]) for row in rows]
    return [(uid, provided) for uid, provided in uids if re.fullmatch(r"[0-9.]+", uid)]


def test_provider_accepts_what_it_says_and_nothing_else(tmp_path: Path):
    services = _services()
    storage = [uid for _, uid in rows_of("Storage SOP classes")]
    assert len(services) == 12
    assert len(storage) > 150
    refused = [uid for uid, provided in services if not provided]
    assert refused == ["1.2.840.10008.5.1.4.31"]
    wanted = [uid for uid, _ in services] + storage
    accepted = set()
    with pacs_storescp(tmp_path / "archive", "--qr") as archive:
        target = Target("it", "127.0.0.1", archive.port)
        for start in range(0, len(wanted), 128):
            offer = [Proposal(uid, (EXPLICIT,)) for uid in wanted[start : start + 128]]
            with Session(target, offer) as session:
                accepted |= {
                    uid.abstract_syntax
                    for uid, context in zip(offer, session.contexts.values(), strict=True)
                    if context.is_accepted
                }
    assert accepted == set(wanted) - set(refused)


def test_provider_accepts_every_transfer_syntax_that_it_says(tmp_path: Path):
    syntaxes = [row[1] for row in rows_of("Transfer syntaxes") if row[2].strip() == "yes"]
    assert len(syntaxes) > 40
    offer = [Proposal("1.2.840.10008.5.1.4.1.1.2", (uid,)) for uid in syntaxes]
    with pacs_storescp(tmp_path / "archive") as archive:
        with Session(Target("it", "127.0.0.1", archive.port), offer) as session:
            assert [c.transfer_syntax for c in session.contexts.values()] == syntaxes
