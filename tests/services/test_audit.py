"""Audit messages against the schema and the tables of PS3.15 A.5."""

from __future__ import annotations

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from pacs_cli.services.audit import Application, Auditor
from pacs_cli.services.serving import (
    AssociationEnded,
    AssociationInfo,
    AssociationOpened,
    AssociationRefused,
    Denied,
    Displaced,
    Found,
    InstanceReceived,
    Queried,
    QueryRequest,
    Receiver,
    Step,
    StoreOutcome,
    StoreRequest,
    StudyTransferred,
)
from pacs_cli.services.transfers import Sendings, Studies, queried
from pacs_cli.wire.syslog import Severity
from tests.auditing import (
    checked,
    details,
    event,
    instances,
    name,
    names,
    objects,
    participants,
)
from tests.support import CT, EXPLICIT, MR

NOW = "2026-11-25T12:00:00.000Z"
WHO = AssociationInfo(7, "10.0.0.5", "CT1", "ARCHIVE")
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
PROCESS = "4711"


def auditor() -> Auditor:
    return Auditor(Application("pacs storescp", int(PROCESS), "here", "ARCHIVE"))


def message(told) -> etree._Element:
    return checked(auditor().of(NOW, told).xml)


def transferred(step: Step, **changes) -> StudyTransferred:
    fields = {
        "association": WHO,
        "step": step,
        "study_instance_uid": "1.2.3",
        "patient_id": "P1",
        "action": "C",
        "instances": ((CT, 3), (MR, 1)),
    }
    return StudyTransferred(**(fields | changes))


def test_start_and_stop_name_the_process_and_its_title():
    for audited, kind in (
        (auditor().started(NOW), "Application Start"),
        (auditor().stopped(NOW, False), "Application Stop"),
    ):
        found = checked(audited.xml)
        assert name(found) == f"Application Activity, {kind}"
        assert event(found) == ("E", "0")
        assert participants(found) == [(PROCESS, "Application", "false")]
        assert found.find("ActiveParticipant").get("AlternativeUserID") == "AETITLES=ARCHIVE"
        assert found.find("AuditSourceIdentification").get("AuditSourceID") == "ARCHIVE@here"
        assert audited.severity is Severity.NOTICE


def test_stop_that_was_not_wanted_is_a_failure():
    audited = auditor().stopped(NOW, True)
    assert event(checked(audited.xml)) == ("E", "8")
    assert audited.severity is Severity.WARNING


def test_received_objects_have_study_patient_and_both_ends():
    found = message(transferred(Step.RECEIVED))
    assert name(found) == "DICOM Instances Transferred"
    assert event(found) == ("C", "0")
    assert participants(found) == [
        ("CT1@10.0.0.5", "Source Role ID", "true"),
        (PROCESS, "Destination Role ID", "false"),
    ]
    assert objects(found) == {"Study Instance UID": "1.2.3", "Patient Number": "P1"}
    assert instances(found) == {CT: 3, MR: 1}


def test_objects_of_a_get_go_to_who_asked_for_them():
    found = message(transferred(Step.SENT, action="R"))
    assert event(found) == ("R", "0")
    assert participants(found) == [
        (PROCESS, "Source Role ID", "false"),
        ("CT1@10.0.0.5", "Destination Role ID", "true"),
    ]


def test_objects_of_a_move_go_to_another_than_who_asked():
    found = message(transferred(Step.BEGUN, receiver=Receiver("WS1", "10.0.0.7")))
    assert name(found) == "Begin Transferring DICOM Instances"
    assert event(found) == ("E", "0")
    assert participants(found) == [
        (PROCESS, "Source Role ID", "false"),
        ("WS1@10.0.0.7", "Destination Role ID", "false"),
        ("CT1@10.0.0.5", "", "true"),
    ]


def test_user_who_was_negotiated_is_the_requestor():
    who = AssociationInfo(7, "10.0.0.5", "CT1", "ARCHIVE", "anna", "CN=ct1")
    found = message(transferred(Step.RECEIVED, association=who))
    assert participants(found) == [
        ("CT1@10.0.0.5", "Source Role ID", "false"),
        ("anna", "", "true"),
        (PROCESS, "Destination Role ID", "false"),
    ]
    assert found.find("ActiveParticipant").get("UserName") == "CN=ct1"


def test_failure_has_its_words_and_is_a_warning():
    told = transferred(Step.RECEIVED, error="A700 cannot write: no space left on device")
    audited = auditor().of(NOW, told)
    found = checked(audited.xml)
    assert event(found) == ("C", "8")
    words = found.find("EventIdentification/EventOutcomeDescription").text
    assert words == "A700 cannot write: no space left on device"
    assert audited.severity is Severity.WARNING


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(0, "0"), (0xFE00, "0"), (0xB000, "0"), (0xA900, "8"), (0xC000, "8"), (None, "8")],
)
def test_query_has_its_data_set_and_syntax(status, outcome):
    found = message(Queried(WHO, STUDY_ROOT_FIND, EXPLICIT, b"\x08\0\x52\0", 4, status))
    assert name(found) == "Query"
    assert event(found) == ("E", outcome)
    assert participants(found)[0] == ("CT1@10.0.0.5", "Source Role ID", "true")
    assert objects(found) == {"SOP Class UID": STUDY_ROOT_FIND}
    assert details(found) == {"TransferSyntax": EXPLICIT}
    assert b64decode(next(found.iter("ParticipantObjectQuery")).text) == b"\x08\0\x52\0"


def test_query_that_is_cut_says_so_and_fits_what_receivers_take():
    request = QueryRequest(WHO, 1, STUDY_ROOT_FIND, EXPLICIT, b"x" * 500_000)
    audited = auditor().of(NOW, queried(request))
    assert details(checked(audited.xml))["Truncated"] == "of 500000 bytes"
    assert len(audited.xml) < 32_000


@pytest.mark.parametrize(
    ("told", "kind", "words"),
    [
        (AssociationRefused(WHO, 1, 1, 3), "Node Authentication", "calling AE title"),
        (
            AssociationEnded(WHO, "tls", "no TLS with 10.0.0.5: expired", 0, 0, 0, 0.1),
            "Node Authentication",
            "expired",
        ),
        (Denied(WHO, "association", 0, "who is that"), "Node Authentication", "who is that"),
        (Denied(WHO, "find", 0x124, "may not"), "Use of Restricted Function", "find denied: may"),
    ],
)
def test_what_is_refused_is_an_alert_about_the_node(told, kind, words):
    found = message(told)
    assert name(found) == f"Security Alert, {kind}"
    assert event(found) == ("E", "4")
    assert participants(found) == [(PROCESS, "", "false"), ("CT1@10.0.0.5", "", "false")]
    assert objects(found) == {"Node ID": "10.0.0.5"}
    assert words in details(found)["Alert Description"]


def test_rejection_that_is_told_twice_is_one_alert():
    auditing = auditor()
    told = [AssociationRefused(WHO, 1, 1, 3), Denied(WHO, "association", 0, "not allowed")]
    assert [auditing.of(NOW, each) is not None for each in told] == [True, False]
    assert auditing.of(NOW, Denied(WHO, "store", 0x124, "not allowed")) is not None


def test_lost_messages_are_an_alert():
    found = checked(auditor().lost(NOW, 17, "no space left on device").xml)
    assert name(found) == "Security Alert, Audit Recording Stopped"
    assert event(found) == ("E", "8")
    expected = "17 audit messages were lost: no space left on device"
    assert details(found)["Alert Description"] == expected


def test_other_events_have_no_message():
    ended = AssociationEnded(WHO, "released", "", 1, 0, 9, 0.1)
    for told in (AssociationOpened(WHO, 1, 0), ended, Found(WHO, "STUDY", 0, "", 1, 0.1)):
        assert auditor().of(NOW, told) is None


@given(text=st.text(max_size=40))
def test_whatever_a_peer_says_of_itself_makes_a_valid_line(text):
    who = AssociationInfo(1, "10.0.0.5", text, text, text, text)
    found = auditor().of(NOW, transferred(Step.RECEIVED, association=who, patient_id=text))
    assert len(found.xml.splitlines()) == 1
    root = checked(found.xml)
    sent = "".join(each if each.isprintable() else "?" for each in text)
    if sent == text:
        # and nothing else is changed
        assert objects(root)["Patient Number"] == text


# -- what went over an association, by study --------------------------------------------------


def received(uid: str, study: str, outcome: dict[str, object] | None = None, sop_class: str = CT):
    request = StoreRequest(WHO, 1, sop_class, uid, EXPLICIT)
    fields = {"status": 0, "study_instance_uid": study, "patient_id": "P1"} | (outcome or {})
    return InstanceReceived(request, StoreOutcome(**fields), 0.01)


def ended() -> AssociationEnded:
    return AssociationEnded(WHO, "released", "", 0, 0, 0, 1.0)


def told_of(*events) -> list[StudyTransferred | Queried]:
    told = []
    studies = Studies(told.append)
    for each in events:
        studies.observe(each)
    assert [each for each in told if type(each) in {type(one) for one in events}]
    return [each for each in told if isinstance(each, StudyTransferred | Queried)]


def test_objects_of_a_study_are_one_message_when_the_association_has_ended():
    found = told_of(*(received(f"1.{n}", "1.2.3") for n in range(500)), ended())
    assert [each.instances for each in found] == [((CT, 500),)]
    assert found[0].patient_id == "P1"


def test_nothing_is_told_before_the_end():
    assert told_of(received("1.1", "1.2.3")) == []


def test_what_ended_otherwise_is_a_message_of_its_own():
    displaced = Displaced("version", "x.dcm", 9)
    found = told_of(
        received("1.1", "1.2.3"),
        received("1.1", "1.2.3", {"is_duplicate": True}),
        received("1.1", "1.2.3", {"displaced": displaced}),
        received("1.2", "1.2.3", {"status": 0x111, "comment": "another object is held"}),
        received("1.3", "1.2.4"),
        received("1.4", "1.2.4", sop_class=MR),
        ended(),
    )
    assert [(each.study_instance_uid, each.action, each.error) for each in found] == [
        ("1.2.3", "C", ""),
        ("1.2.3", "R", ""),
        ("1.2.3", "U", ""),
        ("1.2.3", "C", "0111 another object is held"),
        ("1.2.4", "C", ""),
    ]
    assert found[-1].instances == ((CT, 1), (MR, 1))


def test_object_of_no_study_is_in_no_message():
    assert told_of(received("1.1", "", {"status": 0xC000}), ended()) == []


def test_studies_without_end_are_told_in_parts_that_fit():
    events = [received(f"1.{n}", f"1.2.{n}") for n in range(1000)]
    found = told_of(*events)
    assert 700 < len(found) < 1000
    assert len(told_of(*events, ended())) == 1000


def test_sop_classes_without_end_are_told_in_messages_that_fit():
    events = [received(f"1.{n}", "1.2.3", sop_class=f"1.2.840.{n:050}") for n in range(1000)]
    found = told_of(*events, ended())
    assert sum(len(each.instances) for each in found) == 1000
    assert max(len(auditor().of(NOW, each).xml) for each in found) < 32_000


def test_query_is_told_with_how_it_ended():
    request = QueryRequest(WHO, 1, STUDY_ROOT_FIND, EXPLICIT, b"abc")
    found = told_of(queried(request), Found(WHO, "STUDY", 0xA900, "", 0, 0.1))
    assert [each.status for each in found] == [0xA900]
    assert [each.status for each in told_of(queried(request), ended())] == [None]


def test_every_message_has_another_name():
    auditing = auditor()
    told = [
        auditing.started(NOW),
        auditing.of(NOW, transferred(Step.RECEIVED)),
        auditing.of(NOW, transferred(Step.BEGUN)),
        auditing.of(NOW, Queried(WHO, STUDY_ROOT_FIND, EXPLICIT, b"", 0, 0)),
        auditing.of(NOW, AssociationRefused(WHO, 1, 1, 3)),
    ]
    assert len(set(names(checked(each.xml) for each in told))) == len(told)


def test_what_we_send_is_told_when_it_rests_or_after_a_minute():
    told, now = [], [0.0]
    sendings = Sendings(told.append, lambda: now[0])
    for _ in range(3):
        sendings.add(WHO, "1.2.3", "P1", CT, "")
    sendings.add(WHO, "1.2.3", "P1", CT, "answered with A700")
    assert told == []
    sendings.rest()
    assert [(each.instances, each.error, each.is_ours) for each in told] == [
        (((CT, 3),), "", True),
        (((CT, 1),), "answered with A700", True),
    ]
    told.clear()
    sendings.add(WHO, "1.2.3", "P1", CT, "")
    now[0] = 61.0
    sendings.add(WHO, "1.2.4", "P1", CT, "")
    assert [each.study_instance_uid for each in told] == ["1.2.3"]


def test_what_we_send_of_our_own_accord_has_us_as_the_requestor():
    who = AssociationInfo(0, "pacs.example", "THERE", "ARCHIVE")
    found = message(transferred(Step.SENT, association=who, action="R", is_ours=True))
    assert participants(found) == [
        (PROCESS, "Source Role ID", "true"),
        ("THERE@pacs.example", "Destination Role ID", "false"),
    ]
    # a name of a machine, and no address
    kinds = [each.get("NetworkAccessPointTypeCode") for each in found.iter("ActiveParticipant")]
    assert kinds == ["1", "1"]
