"""`pacs findscu` through its entry point."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from pacs_cli.net.target import Target
from pacs_cli.wire.command import CommandField
from tests.dicom.datasets import IMPLICIT as IMPLICIT_VR
from tests.dicom.datasets import LITTLE, element, written
from tests.services.finding import (
    CANCELLED,
    PENDING,
    PENDING_WARNING,
    STUDY_ROOT,
    Finder,
    accept,
    acting,
    match,
    read_command,
    read_query,
    release,
    response,
)
from tests.services.misbehaviour import read_all
from tests.services.raw import data, read_pdu
from tests.support import CT, EXPLICIT, IMPLICIT, running_provider
from tests.test_startup import HEAVY, run

DOCUMENTED = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
WORKLIST = "1.2.840.10008.5.1.4.31"


def made(**values: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def identifier(encoding=LITTLE, **values: object) -> bytes:
    return written(made(**values), encoding)


def parsed(query: bytes, is_implicit: bool = False) -> Dataset:
    return read_dataset(io.BytesIO(query), is_implicit, True)


def study(number: int, **values: object) -> bytes:
    return identifier(
        **{
            "QueryRetrieveLevel": "STUDY",
            "StudyDate": f"2024010{number}",
            "PatientName": "Made^Up",
            "PatientID": f"TEST-{number}",
            "ModalitiesInStudy": ["CT", "SR"],
            "StudyInstanceUID": f"1.2.3.{number}",
            **values,
        }
    )


def studies(*identifiers: bytes, **options: object) -> Finder:
    """A peer that answers every query with these."""
    answers = [(PENDING, each) for each in identifiers]
    return Finder(lambda _: [*answers, (0, None)], **options)


def place(target: Target) -> tuple[str, int]:
    return "127.0.0.1", target.port


@pytest.fixture
def find(pacs):
    """Run findscu against a peer; what was asked is in the peer."""

    def run(finder: Finder, *args: object, **options: object):
        with finder.serving() as target:
            return pacs("findscu", *place(target), *args, **options)

    return run


# -- what is shown -------------------------------------------------------------------------------


def test_matches_in_a_pipe_are_tab_separated_and_the_model_is_said_on_stderr(find):
    result = find(studies(study(1), study(2)))
    assert result.exit == 0
    header, *rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert header[:4] == ["StudyDate", "StudyTime", "AccessionNumber", "PatientName"]
    shown = [dict(zip(header, row, strict=True)) for row in rows]
    assert [row["StudyInstanceUID"] for row in shown] == ["1.2.3.1", "1.2.3.2"]
    assert shown[0]["ModalitiesInStudy"] == "CT\\SR"
    assert re.fullmatch(
        r"2 studies found in the study root model of ANY-SCP \(127\.0\.0\.1:\d+\), [\d.]+ s\n",
        result.stderr,
    )


def test_matches_on_a_terminal_are_a_table_of_what_there_is(find):
    result = find(studies(study(1), study(2)), terminal=True)
    assert result.exit == 0
    assert result.stdout.startswith("study root model, STUDY level")
    assert "Patient ID" in result.stdout
    # nothing in it
    assert "Accession" not in result.stdout
    assert "2 studies found in the study root model" in result.stdout
    assert result.stderr == ""


def test_table_is_drawn_when_it_is_full_so_that_no_peer_fills_the_memory(find):
    result = find(studies(*[study(1)] * 1001), terminal=True)
    assert result.stdout.count("study root model, STUDY level") == 2
    assert result.stdout.count("1.2.3.1") == 1001


def test_key_that_was_typed_has_its_column_on_a_terminal(find):
    finder = studies(study(1, StudyTime="120000"))
    assert "12:00:00" not in find(finder, terminal=True).stdout
    finder = studies(study(1, StudyTime="120000"))
    assert "12:00:00" in find(finder, "-k", "StudyTime", terminal=True).stdout


def test_quiet_shows_nothing_and_finds_all_the_same(find):
    result = find(studies(study(1)), "-q")
    assert (result.exit, result.stdout, result.stderr) == (0, "", "")


def test_json_lines_have_flat_keywords_a_level_and_a_summary_last(find):
    codes = [made(CodeValue="A", CodeMeaning="chest")]
    result = find(studies(study(1, ProcedureCodeSequence=codes), study(2)), "--json")
    assert (result.exit, result.stderr) == (0, "")
    first, second, summary = result.json
    assert first == {
        "type": "match",
        "level": "STUDY",
        "QueryRetrieveLevel": "STUDY",
        "StudyDate": "20240101",
        "ModalitiesInStudy": ["CT", "SR"],
        "ProcedureCodeSequence": [{"CodeValue": "A", "CodeMeaning": "chest"}],
        "PatientName": "Made^Up",
        "PatientID": "TEST-1",
        "StudyInstanceUID": "1.2.3.1",
    }
    assert second["StudyInstanceUID"] == "1.2.3.2"
    seconds = summary.pop("seconds")
    assert seconds > 0
    assert summary == {
        "type": "summary",
        "peer": "127.0.0.1",
        "model": "study root",
        "level": "STUDY",
        "matches": 2,
        "by_level": {"STUDY": 2},
        "requests": 1,
        "failed": 0,
        "cancelled": False,
        "status": "0000",
    }
    for name in ("match", "level", *summary):
        assert f"`{name}`" in DOCUMENTED


def test_csv_has_the_level_and_the_columns_of_the_query(find):
    result = find(studies(study(1), study(2)), "--csv", "-k", "PatientName", "--no-defaults")
    assert result.stdout.splitlines() == [
        "level,StudyInstanceUID,PatientName",
        "STUDY,1.2.3.1,Made^Up",
        "STUDY,1.2.3.2,Made^Up",
    ]
    assert "2 studies found" in result.stderr


def test_dicom_json_is_read_by_pydicom_and_nothing_else_is_on_stdout(find):
    result = find(studies(study(1), study(2)), "--dicom-json")
    datasets = [Dataset.from_json(line) for line in result.stdout.splitlines()]
    assert [each.StudyInstanceUID for each in datasets] == ["1.2.3.1", "1.2.3.2"]
    assert datasets[0] == parsed(study(1))
    assert "2 studies found" in result.stderr


def test_answers_are_saved_as_they_came(find, tmp_path):
    folder = tmp_path / "a" / "b"
    hostile = study(2, StudyDescription="../../x", AccessionNumber="/etc/x")
    result = find(studies(study(1), hostile), "--save", folder)
    assert result.exit == 0
    names = ["match-000001.dcm", "match-000002.dcm"]
    assert sorted(path.name for path in folder.iterdir()) == names
    for name, sent in zip(names, (study(1), hostile), strict=True):
        assert (folder / name).read_bytes().endswith(sent)
        saved = dcmread(folder / name)
        assert saved == parsed(sent)
        assert saved.file_meta.MediaStorageSOPClassUID == STUDY_ROOT
        assert saved.file_meta.TransferSyntaxUID == EXPLICIT


def test_folder_with_answers_is_not_written_into(find, tmp_path, pacs):
    find(studies(study(1)), "--save", tmp_path)
    before = (tmp_path / "match-000001.dcm").read_bytes()
    result = pacs("findscu", "127.0.0.1", 1, "--save", tmp_path)
    assert result.exit == 7
    assert "it has match-000001.dcm" in result.stderr
    assert (tmp_path / "match-000001.dcm").read_bytes() == before


def test_folder_that_cannot_be_written_is_said(pacs, tmp_path):
    (tmp_path / "file").write_text("")
    result = pacs("findscu", "127.0.0.1", 1, "--save", tmp_path / "file")
    assert (result.exit, result.stderr.count("\n")) == (7, 1)


def test_file_that_appears_meanwhile_is_not_overwritten(find, tmp_path):
    def answer(_: bytes):
        (tmp_path / "match-000001.dcm").write_text("mine")
        return [(PENDING, study(1)), (0, None)]

    result = find(Finder(answer), "--save", tmp_path)
    assert result.exit == 7
    assert [path.name for path in tmp_path.iterdir()] == ["match-000001.dcm"]
    assert (tmp_path / "match-000001.dcm").read_text() == "mine"


def test_nothing_found_is_no_failure_unless_asked(find):
    assert find(studies()).exit == 0
    result = find(studies(), "--fail-if-empty")
    assert (result.exit, result.stdout) == (1, "")
    assert "nothing found in the study root model" in result.stderr
    assert find(studies(study(1)), "--fail-if-empty").exit == 0


def test_hostile_text_cannot_steer_the_terminal(find):
    name = "\x1b]0;x\x07A\x1b[31m\u202e\x85\r\n\tB"
    sent = identifier(SpecificCharacterSet="ISO_IR 192", PatientName=name, StudyDescription=name)
    for options in ([], ["--csv"], ["--json"], ["--dicom-json"], ["--drill"]):
        for terminal in (True, False):
            result = find(studies(sent), *options, terminal=terminal)
            assert not set("\x1b\x07\u202e\x85\r") & set(
                re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)
            )
            assert "\x1b[31m" not in result.stdout
            assert "Traceback" not in result.stderr
    sent = identifier(SpecificCharacterSet="ISO_IR 192", PatientName=name)
    assert find(studies(sent), "--json").json[0]["PatientName"].startswith("\x1b]0;x")


@pytest.mark.parametrize(
    ("label", "encoded"),
    [
        (b"ISO_IR 100", b"M\xfcller^\xc4nne "),
        (b"ISO_IR 192", "Müller^Änne ".encode()),
        (b"", b"M\xfcller^\xc4nne "),
    ],
)
def test_answer_is_decoded_by_its_own_character_set(find, label, encoded):
    name = element(LITTLE, 0x00100010, "PN", encoded)
    sent = element(LITTLE, 0x00080005, "CS", label) + name if label else name
    assert find(studies(sent), "--json").json[0]["PatientName"] == "Müller^Änne"


def test_unknown_character_set_is_said_once(find):
    sent = element(LITTLE, 0x00080005, "CS", b"ISO_IR 999") + identifier(PatientName="A")
    result = find(studies(sent, sent), "--json")
    assert (result.exit, result.json[-1]["matches"]) == (0, 2)
    assert result.stderr.count("ISO_IR 999, which is no character set") == 1


def test_remarks_of_a_peer_come_to_an_end(find):
    sent = [element(LITTLE, 0x00080005, "CS", b"ISO_IR 9%02d " % number) for number in range(60)]
    result = find(studies(*sent), "--json")
    assert (result.exit, result.json[-1]["matches"]) == (0, 60)
    assert result.stderr.count("which is no character set") == 20


def test_peer_that_accepts_implicit_vr_only_is_asked_in_it(find):
    sent = identifier(IMPLICIT_VR, PatientName="Made^Up", StudyInstanceUID="1.2.3")
    finder = studies(sent, syntax=IMPLICIT)
    result = find(finder, "-k", "PatientName=M*", "--json")
    assert result.json[0]["PatientName"] == "Made^Up"
    assert parsed(finder.queries[0], is_implicit=True).PatientName == "M*"


# -- what is asked -------------------------------------------------------------------------------


def asked(finder: Finder) -> Dataset:
    (query,) = finder.queries
    return parsed(query)


def test_keys_in_every_form_are_asked(find):
    finder = studies()
    keys = [
        *("-k", "0010,0010=DOE*", "-k", "(0010,0020)=", "-k", "00080050=A1", "--key", "StudyID"),
        *("-k", "ProcedureCodeSequence[0].CodeValue=R1"),
    ]
    assert find(finder, *keys).exit == 0
    query = asked(finder)
    assert (query.PatientName, query.PatientID, query.AccessionNumber) == ("DOE*", "", "A1")
    assert query.StudyID == ""
    assert query.ProcedureCodeSequence[0].CodeValue == "R1"
    assert query.QueryRetrieveLevel == "STUDY"
    assert "SpecificCharacterSet" not in query


def test_wildcard_where_a_uid_belongs_is_asked_without_a_word_of_pydicom(find, tmp_path):
    """Warnings are errors here: the value is none of its VR, but a key of a query."""
    file = tmp_path / "query.json"
    file.write_text('{"0020000D": {"vr": "UI", "Value": ["*"]}}')
    for options in (["-k", "StudyInstanceUID=*"], ["--query", file]):
        finder = studies()
        result = find(finder, *options, "-q")
        assert (result.exit, result.stderr) == (0, "")
        assert b"*" in finder.queries[0]


def test_query_that_is_not_ascii_is_labelled(find):
    finder = studies()
    find(finder, "-k", "PatientName=Müller*")
    assert (asked(finder).SpecificCharacterSet, asked(finder).PatientName) == (
        "ISO_IR 192",
        "Müller*",
    )
    finder = studies()
    find(finder, "-k", "PatientName=Müller*", "--charset", "latin1")
    assert asked(finder).SpecificCharacterSet == "ISO_IR 100"
    assert b"M\xfcller*" in finder.queries[0]


@pytest.mark.parametrize(
    ("options", "sop_class", "level"),
    [
        ([], STUDY_ROOT, "STUDY"),
        (["-S"], STUDY_ROOT, "STUDY"),
        (["-P"], "1.2.840.10008.5.1.4.1.2.1.1", "PATIENT"),
        (["-O", "--level", "study"], "1.2.840.10008.5.1.4.1.2.3.1", "STUDY"),
        (["-W"], WORKLIST, None),
    ],
)
def test_model_is_proposed_and_said(find, options, sop_class, level):
    finder = studies()
    result = find(finder, *options, "--json")
    (context,) = finder.request.contexts
    assert context.abstract_syntax == sop_class
    assert context.transfer_syntaxes == (EXPLICIT, IMPLICIT)
    assert asked(finder).get("QueryRetrieveLevel") == level
    assert result.json[-1]["model"]


@pytest.mark.parametrize("kind", ["dicom", "json", "text"])
def test_query_file_is_asked_and_typed_keys_count_before_it(find, tmp_path, kind):
    query = made(PatientName="DOE*", PatientID="1", QueryRetrieveLevel="STUDY")
    path = tmp_path / "query"
    if kind == "dicom":
        path.write_bytes(written(query, LITTLE))
    elif kind == "json":
        path.write_text(query.to_json())
    else:
        path.write_text("PatientName=DOE*\nPatientID=1\nQueryRetrieveLevel=STUDY\n")
    finder = studies()
    assert find(finder, "--query", path, "-k", "PatientID=2", "--no-defaults").exit == 0
    assert (asked(finder).PatientName, asked(finder).PatientID) == ("DOE*", "2")


def test_answer_in_dicom_json_is_a_query_again(find, tmp_path):
    result = find(studies(study(1)), "--dicom-json")
    path = tmp_path / "query.json"
    path.write_text(result.stdout)
    finder = studies()
    assert find(finder, "--query", path).exit == 0
    assert asked(finder).StudyInstanceUID == "1.2.3.1"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--since", "2024-01-05"], "20240105-"),
        (["--since", "2024-01-05", "--before", "20240201"], "20240105-20240131"),
        (["--before", "2024-02-01"], "-20240131"),
    ],
)
def test_dates_are_asked_for(find, options, expected):
    finder = studies()
    find(finder, *options)
    assert asked(finder).StudyDate == expected
    finder = studies()
    find(finder, "-W", *options)
    (step,) = asked(finder).ScheduledProcedureStepSequence
    assert step.ScheduledProcedureStepStartDate == expected


def test_today_is_asked_for(find):
    finder = studies()
    before = date.today()
    find(finder, "--today")
    assert before <= date.fromisoformat(asked(finder).StudyDate) <= date.today()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-k", "PatientNam=x"], "did you mean PatientName?"),
        (["-k", "PatientID=1", "-k", "PatientID=2"], "given twice"),
        (["-P", "-W"], "two models, patient root and worklist; choose one"),
        (["--level", "studdy"], "the study root model has study, series, image"),
        (["--level", "patient"], "the study root model has"),
        (["--limit", "0"], "--limit"),
        (["--since", "yesterday"], "write a day as YYYY-MM-DD"),
        (["--today", "--since", "2024-01-01"], "--today is a range of its own"),
        (["--since", "2024-01-01", "-k", "StudyDate=2023"], "asked for already"),
        (["--charset", "latin9x"], "no character set"),
        (["--charset", "latin1", "-k", "PatientName=山"], "cannot be written in ISO_IR 100"),
        (["--json", "--dicom-json"], "--dicom-json and --json exclude each other"),
        (["--csv", "--dicom-json"], "--dicom-json and --csv exclude each other"),
        (["--drill", "-W"], "one level"),
        (["--relational", "-W"], "a worklist has no relational queries"),
        (["--serries"], "no such option --serries"),
    ],
)
def test_usage_error_is_told_on_one_line_before_anybody_is_called(pacs, options, words):
    result = pacs("findscu", "127.0.0.1", 1, *options)
    assert (result.exit, result.stdout) == (2, "" if "--json" not in options else result.stdout)
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_missing_query_file_is_bad_input(pacs, tmp_path):
    result = pacs("findscu", "127.0.0.1", 1, "--query", tmp_path / "missing")
    assert result.exit == 6
    assert "no such file" in result.stderr


def test_query_that_a_peer_may_not_like_is_remarked_on(find):
    result = find(studies(), "-k", "Modality=CT")
    assert result.exit == 0
    assert "warning: a query at SERIES level without one StudyInstanceUID" in result.stderr


def test_verbose_tells_the_keys_and_no_value_ever(find):
    result = find(studies(study(1)), "-k", "PatientName=SECRET*", "-d", "--json")
    assert "asking the study root model at STUDY level for StudyDate" in result.stderr
    assert "C-FIND-RQ context 1" in result.stderr
    assert "C-FIND-RSP" in result.stderr
    for value in ("SECRET", "Made^Up", "TEST-1"):
        assert value not in result.stderr


# -- extended negotiation ------------------------------------------------------------------------


def test_extended_negotiation_is_proposed_and_its_answer_said(find):
    finder = studies(extended=b"\1\0\0\0")
    result = find(finder, "--relational", "--fuzzy", "-k", "Modality=CT", "-v")
    (proposed,) = finder.request.user_information.extended_negotiations
    assert proposed.sop_class_uid == STUDY_ROOT
    assert proposed.application_information == b"\1\0\1"
    assert "grants relational queries" in result.stderr
    assert "warning: ANY-SCP" in result.stderr
    assert "does not grant fuzzy matching of names" in result.stderr
    assert "is relational; write" not in result.stderr
    quiet = find(studies(extended=b"\1"), "--relational", "-k", "Modality=CT", "--json")
    assert (quiet.exit, quiet.stderr) == (0, "")


def test_peer_that_answers_nothing_grants_nothing(find):
    finder = studies()
    result = find(finder, "--time-zone", "--date-time")
    assert result.exit == 0
    assert result.stderr.count("does not grant") == 2


def test_nothing_is_negotiated_unless_asked(find):
    finder = studies()
    find(finder)
    assert finder.request.user_information.extended_negotiations == ()


# -- how it ends ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0xA700, "A700H out of resources"),
        (0xA900, "A900H the query does not match the SOP class"),
        (0xC001, "C001H the peer cannot process the query"),
        (0x0122, "0122H SOP class not supported"),
        (CANCELLED, "FE00H cancelled, though nobody asked"),
    ],
)
@pytest.mark.parametrize("matches", [0, 2])
def test_failure_is_told_with_what_the_peer_says_of_it(find, status, words, matches):
    more = {"ErrorComment": "bad \x1b[31mkey", "OffendingElement": (0x00100010,)}
    answers = [(PENDING, study(each + 1)) for each in range(matches)]
    result = find(Finder(lambda _: [*answers, (status, more)]), "--json")
    assert result.exit == 5
    assert result.stderr.count("\n") == 1
    assert f"in the study root model at STUDY level with {words}" in result.stderr
    assert "(bad \\x1b[31mkey; it names PatientName)" in result.stderr
    assert [line["type"] for line in result.json] == ["match"] * matches + ["summary", "error"]
    assert (result.json[-2]["status"], result.json[-2]["matches"]) == (f"{status:04X}", matches)
    assert result.json[-1]["exit"] == 5


def test_failure_in_text_is_one_line_and_follows_what_was_found(find):
    result = find(Finder(lambda _: [(0xA700, None)]))
    assert (result.exit, result.stdout, result.stderr.count("\n")) == (5, "", 1)
    result = find(Finder(lambda _: [(PENDING, study(1)), (0xA700, None)]))
    assert result.exit == 5
    assert "1.2.3.1" in result.stdout
    assert "1 study found" in result.stderr


def test_warning_at_the_end_is_said_and_no_failure(find):
    result = find(Finder(lambda _: [(PENDING, study(1)), (0xB000, None)]))
    assert result.exit == 0
    assert "warning: " in result.stderr
    assert "B000H" in result.stderr


def test_keys_that_the_peer_does_not_match_are_said_once(find):
    answers = [(PENDING_WARNING, study(1)), (PENDING_WARNING, study(2)), (0, None)]
    result = find(Finder(lambda _: answers), "--json")
    assert (result.exit, result.json[-1]["matches"]) == (0, 2)
    assert result.stderr.count("FF01H") == 1


@pytest.mark.parametrize(
    "broken",
    [b"garbage that is no data set", study(1)[:-1], b"\xff" * 50, study(1)[:9]],
    ids=["garbage", "cut", "ones", "short"],
)
def test_match_that_cannot_be_read_costs_itself_only(find, broken):
    result = find(studies(broken, study(2)), "--json")
    assert result.exit == 1
    assert result.stderr.count("cannot read a match of ANY-SCP") == 1
    assert "Traceback" not in result.stderr
    found, summary = result.json
    assert found["StudyInstanceUID"] == "1.2.3.2"
    assert (summary["matches"], summary["failed"]) == (1, 1)
    assert find(studies(broken)).exit == 4


def test_peer_that_does_not_serve_the_model_is_said(find, pacs):
    with running_provider(abstract_syntaxes=frozenset([CT])) as running:
        for options in ([], ["--json"]):
            result = pacs("findscu", "127.0.0.1", running.listener.port, *options)
            assert result.exit == 4
            assert "the study root model was not accepted, abstract syntax" in result.stderr
            assert result.stderr.count("\n") == 1


def closing(*said: bytes, then=lambda sock: None):
    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_query(sock)
        sock.sendall(b"".join(said))
        then(sock)

    return act


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (closing(then=read_all), "did not send an answer to C-FIND-RQ within 0.3 s"),
        (closing(match(study(1)), then=read_all), "did not send an answer to C-FIND-RQ"),
        (closing(match(study(1), 9)), "number 9"),
        (closing(match(study(1))[:-3]), "closed the connection"),
        (closing(response(PENDING)), "a match without an identifier"),
        (closing(data(1, 3, b"\xff" * 20)), "broke the protocol"),
        (closing(b"HTTP/1.1 400 Bad\r\n"), "type 48H"),
    ],
    ids=["hangs", "hangs later", "another id", "closes midway", "no identifier", "garbage", "HTTP"],
)
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_peer_that_misbehaves_is_an_association_failure_on_one_line(pacs, act, words, options):
    with acting(act) as target:
        result = pacs("findscu", *place(target), "-td", "0.3", "-q", *options)
    assert result.exit == 4
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    if options:
        assert result.json[-1]["type"] == "error"


def test_release_that_goes_wrong_after_all_answers_is_a_warning(pacs):
    with acting(closing(match(study(1)), response(0), then=read_pdu)) as target:
        result = pacs("findscu", *place(target), "--json")
    assert result.exit == 0
    assert result.stderr.startswith("warning: ")
    assert result.json[-1]["matches"] == 1


# -- cancelling ----------------------------------------------------------------------------------


def streaming(heeds: bool, then=release):
    """Send matches until a C-CANCEL comes; then end, or go on for ever."""

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_query(sock)
        cancels: list = []

        def read() -> None:
            # whoever interrupts it twice, or reads no more, aborts
            with suppress(ConnectionError):
                cancels.append(read_command(sock))

        reader = threading.Thread(target=read)
        reader.start()
        try:
            while not (cancels and heeds):
                sock.sendall(match(study(1)))
            assert cancels[0].field == CommandField.C_CANCEL_RQ
            sock.sendall(response(CANCELLED))
            then(sock)
        finally:
            reader.join(10)

    return act


def test_limit_cancels_a_peer_that_would_send_for_ever(pacs):
    with acting(streaming(heeds=True)) as target:
        result = pacs("findscu", *place(target), "--limit", 3, "--json")
    assert (result.exit, result.stderr) == (0, "")
    assert [line["type"] for line in result.json] == ["match"] * 3 + ["summary"]
    assert (result.json[-1]["cancelled"], result.json[-1]["status"]) == (True, "FE00")


def test_limit_holds_against_a_peer_that_heeds_no_cancel(pacs):
    with acting(streaming(heeds=False)) as target:
        result = pacs("findscu", *place(target), "--limit", 3, "-td", "0.5", "--json")
    assert result.exit == 0
    assert "after C-CANCEL the query did not end as it should" in result.stderr
    assert (result.json[-1]["matches"], result.json[-1]["status"]) == (3, None)


def interrupted(
    target: Target, *options: object, lines: int = 1, ready: threading.Event | None = None
) -> tuple[int, str, str]:
    """Run findscu, press Ctrl-C when so many lines have come and the peer is ready; return what it
    ended with.
    """
    host, port = place(target)
    with subprocess.Popen(
        [sys.executable, "-m", "pacs_cli", "findscu", host, str(port), *map(str, options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # `communicate` does not see what a buffer holds
    ) as process:
        first = b"".join(process.stdout.readline() for _ in range(lines))
        assert ready is None or ready.wait(20)
        os.kill(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    return process.returncode, (first + stdout).decode(), stderr.decode()


def test_ctrl_c_cancels_shows_what_there_is_and_exits_130(tmp_path):
    with acting(streaming(heeds=True)) as target:
        code, stdout, stderr = interrupted(target, "--json", "--save", tmp_path)
    assert (code, stderr) == (130, "pacs findscu: interrupted\n")
    *matches, summary, error = map(json.loads, stdout.splitlines())
    assert {each["type"] for each in matches} == {"match"}
    assert (summary["type"], summary["cancelled"]) == ("summary", True)
    assert summary["matches"] == len(matches) >= 1
    assert (error["type"], error["exit"]) == ("error", 130)
    assert len(list(tmp_path.iterdir())) == len(matches)


def test_ctrl_c_while_the_peer_thinks_cancels_too():
    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_query(sock)
        sock.sendall(match(study(1)))
        assert read_command(sock).field == CommandField.C_CANCEL_RQ
        sock.sendall(response(CANCELLED))
        release(sock)

    with acting(act) as target:
        code, stdout, stderr = interrupted(target, lines=2)
    assert code == 130
    assert stdout.count("1.2.3.1") == 1
    summary, last = stderr.splitlines()
    assert "1 study found" in summary
    assert summary.endswith("; cancelled")
    assert last == "pacs findscu: interrupted"


@pytest.mark.parametrize(
    ("act", "status"),
    [
        (streaming(heeds=False), None),
        (closing(match(study(1)), then=read_all), None),
        (streaming(heeds=True, then=read_all), "FE00"),
        (streaming(heeds=True, then=read_pdu), "FE00"),
    ],
    ids=["endless", "silent", "no release", "closes instead"],
)
def test_ctrl_c_is_not_held_up_by_a_peer(act, status):
    with acting(act) as target:
        code, stdout, stderr = interrupted(target, "--json", "-td", 60, "-ta", 60)
    assert (code, stderr) == (130, "pacs findscu: interrupted\n")
    assert json.loads(stdout.splitlines()[-2])["status"] == status


def test_reader_that_goes_away_ends_it():
    with acting(streaming(heeds=True)) as target:
        host, port = place(target)
        with subprocess.Popen(
            [sys.executable, "-m", "pacs_cli", "findscu", host, str(port), "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            process.stdout.readline()
            process.stdout.close()
            stderr = process.stderr.read()
    assert (process.returncode, stderr) == (141, "")


# -- drilling ------------------------------------------------------------------------------------


def archive(query: bytes):
    """Two studies with two series of two images each."""
    level = parsed(query).QueryRetrieveLevel
    above = parsed(query)
    parent = {"STUDY": "1.2", "SERIES": above.get("StudyInstanceUID"),
              "IMAGE": above.get("SeriesInstanceUID")}[level]  # fmt: skip
    keyword = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID",
               "IMAGE": "SOPInstanceUID"}[level]  # fmt: skip
    found = [{keyword: f"{parent}.{number}", "PatientID": "TEST-1"} for number in (1, 2)]
    return [*((PENDING, identifier(**each)) for each in found), (0, None)]


def test_drilling_shows_a_tree_in_order(find):
    finder = Finder(archive)
    result = find(finder, "-k", "PatientID=TEST-1", "--drill")
    assert result.exit == 0
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert [(line[0], line[-1]) for line in lines] == [
        ("study", "1.2.1"),
        *(("  series", "1.2.1.1"), ("    image", "1.2.1.1.1"), ("    image", "1.2.1.1.2")),
        *(("  series", "1.2.1.2"), ("    image", "1.2.1.2.1"), ("    image", "1.2.1.2.2")),
        ("study", "1.2.2"),
        *(("  series", "1.2.2.1"), ("    image", "1.2.2.1.1"), ("    image", "1.2.2.1.2")),
        *(("  series", "1.2.2.2"), ("    image", "1.2.2.2.1"), ("    image", "1.2.2.2.2")),
    ]
    assert "2 studies, 4 series, 8 images found" in result.stderr
    assert len(finder.queries) == 1 + 2 + 4


def test_json_lines_of_a_tree_have_every_uid_down_to_their_level(find):
    result = find(Finder(archive), "--drill", "--json")
    *matches, summary = result.json
    assert summary["by_level"] == {"STUDY": 2, "SERIES": 4, "IMAGE": 8}
    assert (summary["matches"], summary["requests"]) == (14, 7)
    needed = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
    for each in matches:
        uids = needed[: ["STUDY", "SERIES", "IMAGE"].index(each["level"]) + 1]
        # what a peer leaves out is what it was asked with
        assert [each[uid] for uid in uids] == [
            each[uids[-1]].rsplit(".", len(uids) - 1 - at)[0] for at in range(len(uids))
        ]


def test_csv_of_a_tree_has_the_same_columns_throughout(find):
    result = find(Finder(archive), "--drill", "--csv", "--no-defaults")
    header, *rows = [line.split(",") for line in result.stdout.splitlines()]
    assert header == ["level", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
    assert rows[:3] == [
        ["STUDY", "1.2.1", "", ""],
        ["SERIES", "1.2.1", "1.2.1.1", ""],
        ["IMAGE", "1.2.1", "1.2.1.1", "1.2.1.1.1"],
    ]


def test_limit_of_a_tree_is_for_each_request(find):
    finder = Finder(archive)
    result = find(finder, "--drill", "--limit", "1", "--json")
    assert result.json[-1]["by_level"] == {"STUDY": 1, "SERIES": 1, "IMAGE": 1}
    assert finder.cancels == [1, 2, 3]


def test_branch_that_fails_costs_itself_only(find):
    def answer(query: bytes):
        if parsed(query).get("StudyInstanceUID") == "1.2.1":
            return [(0xA700, {"ErrorComment": "busy"})]
        return archive(query)

    result = find(Finder(answer), "--drill", "--json")
    assert result.exit == 1
    assert "at SERIES level with A700H" in result.stderr
    assert result.json[-1]["by_level"] == {"STUDY": 2, "SERIES": 2, "IMAGE": 4}
    assert (result.json[-1]["failed"], result.json[-1]["status"]) == (1, "0000")


def test_study_that_comes_twice_is_asked_below_once(find):
    def answer(query: bytes):
        first, *rest = archive(query)
        return [first, first, *rest]

    finder = Finder(answer)
    result = find(finder, "--drill", "--json")
    assert result.json[-1]["by_level"] == {"STUDY": 3, "SERIES": 6, "IMAGE": 12}
    assert len(finder.queries) == 1 + 2 + 4


@pytest.mark.parametrize("uid", ["", "../x", "1.2.*"])
def test_match_without_a_uid_is_no_branch(find, uid):
    def answer(query: bytes):
        sent = study(1).replace(b"1.2.3.1\0", uid.encode().ljust(8, b"\0"))
        return [(PENDING, sent), (0, None)]

    finder = Finder(answer)
    result = find(finder, "--drill")
    assert (result.exit, len(finder.queries)) == (1, 1)
    assert (
        "cannot ask for what is below a match: the peer's answer has no StudyInst" in result.stderr
    )


def test_peer_that_answers_for_ever_does_not_fill_the_memory_with_branches(pacs):
    long = study(1) + element(LITTLE, 0x0040A160, "UT", b"x" * 1_000_000)

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_query(sock)
        sent = response(PENDING, has_data_set=True)
        pieces = [long[at : at + 16000] for at in range(0, len(long), 16000)]
        sent += b"".join(data(1, 0, each) for each in pieces[:-1]) + data(1, 2, pieces[-1])
        while True:
            sock.sendall(sent)

    with acting(act) as target:
        result = pacs("findscu", *place(target), "--drill", "--json")
    assert result.exit == 4
    assert "sent 68 matches and more, which are too many to ask below each" in result.stderr
    assert result.json[-1]["type"] == "error"


def test_ctrl_c_ends_a_tree():
    is_asked_below = threading.Event()

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_query(sock)
        sock.sendall(match(study(1)) + match(study(2)) + response(0))
        read_query(sock)
        is_asked_below.set()
        cancel = read_command(sock)
        assert (cancel.field, cancel.message_id) == (CommandField.C_CANCEL_RQ, 2)
        sock.sendall(response(CANCELLED, 2))
        # nothing is asked of the second study
        release(sock)

    with acting(act) as target:
        code, stdout, stderr = interrupted(target, "--drill", "--json", ready=is_asked_below)
    assert (code, stderr) == (130, "pacs findscu: interrupted\n")
    assert json.loads(stdout.splitlines()[-2])["matches"] == 2


# -- start-up and entry point --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        ([], 2),
        (["host"], 2),
        (["host", "104", "--limit", "x"], 2),
        (["host", "104", "--nothing"], 2),
        (["host", "104", "--json", "--csv"], 2),
        (["host:1", "104"], 2),
        (["host", "104", "-aec", "A" * 17], 2),
    ],
)
def test_nothing_heavy_is_imported_before_there_is_a_query(tmp_path, arguments, code):
    exit_code, _, modules = run(tmp_path, "findscu", *arguments)
    assert exit_code == code
    assert HEAVY & modules == set()


@pytest.mark.parametrize("form", [[], ["--json"], ["--dicom-json"], ["--csv"]])
@pytest.mark.parametrize(("label", "name"), [("", "Made^Up"), ("ISO_IR 192", "Müller^Änne")])
def test_usual_query_and_its_answers_take_no_pydicom(tmp_path, form, label, name):
    finder = studies(study(1, SpecificCharacterSet=label, PatientName=name))
    with finder.serving() as target:
        arguments = ("-k", f"PatientName={name}", "-k", "RequestAttributesSequence.Modality")
        code, stdout, modules = run(
            tmp_path, "findscu", *map(str, place(target)), *arguments, "--today", *form
        )
    assert code == 0
    assert "1.2.3.1" in stdout
    assert HEAVY & modules == set()


def test_findscu_runs_as_a_program():
    with studies(study(1)).serving() as target:
        done = subprocess.run(
            [sys.executable, "-m", "pacs_cli", "findscu", *map(str, place(target)), "--json"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout.splitlines()[0])["StudyInstanceUID"] == "1.2.3.1"
