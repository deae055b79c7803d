"""Rules, options and keys: what counts before what, and what is derived from what."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_cli.dicom.iods import iod_of, sop_classes
from pacs_cli.pipelines.deid.keys import Identity, Keys
from pacs_cli.pipelines.deid.policy import Kind, Mode, make_policy
from pacs_cli.pipelines.deid.values import cleaned, is_age_told, shifted
from tests.pipelines.deid.objects import dataset, released, worker, write
from tests.support import CT
from tests.writing import element

IOD = iod_of(CT)
STUDY_DATE, DESCRIPTION, SEX, BIRTH = 0x00080020, 0x00081030, 0x00100040, 0x00100030


def kind(policy, tag, vr, creator="", path=()):
    level = policy.level(IOD)
    for each in path:
        level = level.child(each, level.mode)
    return level.decide(tag, vr, creator).kind


@pytest.mark.parametrize(
    ("options", "tag", "vr", "expected"),
    [
        ({}, STUDY_DATE, "DA", Kind.EMPTY),
        ({"retain": ["full-dates"]}, STUDY_DATE, "DA", Kind.CHECK_DATE),
        ({"retain": ["modified-dates"]}, STUDY_DATE, "DA", Kind.SHIFT),
        ({"rules": ["StudyDate = keep"]}, STUDY_DATE, "DA", Kind.KEEP),
        ({"rules": ["vr:DA = remove", "StudyDate = keep"]}, STUDY_DATE, "DA", Kind.KEEP),
        ({"rules": ["StudyDate = keep", "StudyDate = dummy"]}, STUDY_DATE, "DA", Kind.DUMMY),
        ({"rules": ["0008,xxxx = remove"]}, STUDY_DATE, "DA", Kind.REMOVE),
        ({"rules": ["(0008,0020) = hash"]}, STUDY_DATE, "DA", Kind.HASH),
        # device keeps it, modified dates clean it: cleaning wins
        ({"retain": ["device", "modified-dates"]}, 0x00181200, "DA", Kind.SHIFT),
        ({"retain": ["device"]}, 0x00181200, "DA", Kind.CHECK_DATE),
        ({"clean": ["descriptors"]}, DESCRIPTION, "LO", Kind.CLEAN),
        ({"retain": ["patient"]}, SEX, "CS", Kind.KEEP),
        ({"profile": "tcia"}, SEX, "CS", Kind.KEEP),
        ({"profile": "tcia"}, STUDY_DATE, "DA", Kind.SHIFT),
        ({"profile": "tcia", "retain": ["full-dates"]}, STUDY_DATE, "DA", Kind.CHECK_DATE),
        ({"profile": "safe-harbor", "retain": ["full-dates"]}, BIRTH, "DA", Kind.EMPTY),
        ({"profile": "safe-harbor", "retain": ["patient"]}, 0x00101010, "AS", Kind.AGE),
        # not listed: by VR
        ({}, 0x00180012, "PN", Kind.REMOVE),
        ({}, 0x00080060, "CS", Kind.KEEP),
        ({}, 0x00080016, "UI", Kind.UID),
        ({}, 0x00189074, "DT", Kind.DUMMY),
        # unknown, private, groups
        ({}, 0x00181999, "LO", Kind.REMOVE),
        ({}, 0x00091001, "LO", Kind.REMOVE),
        ({}, 0x00100000, "UL", Kind.REMOVE),
        ({}, 0x60020010, "US", Kind.REMOVE),
        ({"rules": ["60xx,3000 = keep"]}, 0x60020010, "US", Kind.KEEP),
        ({"rules": ["OverlayData = keep"]}, 0x60023000, "OW", Kind.KEEP),
    ],
)
def test_order_of_decision(options, tag, vr, expected):
    assert kind(make_policy(**options), tag, vr) is expected


def test_private_elements_stay_by_table_by_rule_and_by_file():
    safe = make_policy(retain=["safe-private"])
    assert kind(safe, 0x0019100C, "IS", "SIEMENS MR HEADER") is Kind.KEEP
    assert kind(safe, 0x0019100C, "IS", "SOMEBODY ELSE") is Kind.REMOVE
    assert kind(safe, 0x0019110C, "IS", "SIEMENS MR HEADER") is Kind.KEEP
    # safe, and a UID all the same
    assert kind(safe, 0x00991001, "UI", "NQHeader") is Kind.UID
    rule = make_policy(rules=['0009,xx01:"MADE UP" = keep'])
    assert kind(rule, 0x00091001, "LO", "MADE UP") is Kind.KEEP
    assert kind(rule, 0x00091002, "LO", "MADE UP") is Kind.REMOVE


def test_path_counts_before_a_tag_and_only_there():
    policy = make_policy(
        rules=["RequestAttributesSequence.StudyInstanceUID = keep", "StudyInstanceUID = remove"]
    )
    assert kind(policy, 0x0020000D, "UI", path=(0x00400275,)) is Kind.KEEP
    assert kind(policy, 0x0020000D, "UI") is Kind.REMOVE


def test_creator_stays_with_what_stays_of_its_block(tmp_path):
    data = dataset(
        element(0x00190010, "LO", "SIEMENS MR HEADER"),
        element(0x00190011, "LO", "MADE UP"),
        element(0x0019100C, "IS", "700"),
        element(0x0019100F, "LO", "secret of the block"),
        element(0x00191101, "LO", "secret"),
    )
    path = write(tmp_path / "a.dcm", data)
    policy = make_policy(retain=["safe-private"])
    read = pydicom.dcmread(released(worker(tmp_path / "out", policy).one(str(path))))
    private = [element.tag for element in read if element.tag.is_private]
    assert private == [0x00190010, 0x0019100C]
    assert read[0x0019100C].value == 700


def test_what_the_profile_does_not_name_is_kept_byte_for_byte(tmp_path):
    kept = [
        element(0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL"),
        element(0x00180050, "DS", "1.250000"),
        element(0x00200032, "DS", "1\\2\\-3.50"),
        element(0x00280010, "US", b"\4\0"),
        element(0x00281050, "DS", "40 "),
        element(0x7FE00010, "OW", bytes(range(64))),
    ]
    path = write(tmp_path / "a.dcm", dataset(*kept))
    content = released(worker(tmp_path / "out").one(str(path))).read_bytes()
    for each in kept:
        assert each in content


def test_ages_of_90_and_over_go_others_stay():
    assert is_age_told(b"089Y")
    assert is_age_told(b"720M")
    assert not is_age_told(b"090Y")
    assert not is_age_told(b"old ")


DATES = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1))


@given(DATES, DATES, st.integers(-3650, 3650).filter(bool))
def test_intervals_survive_a_shift(one, other, days):
    def moved(moment: datetime) -> datetime:
        text = moment.strftime("%Y%m%d%H%M%S").encode() + b"+0130"
        new = shifted(text, "DT", days)
        assert new is not None
        assert new.rstrip().endswith(b"+0130")
        day = shifted(moment.strftime("%Y%m%d").encode(), "DA", days)
        assert new.startswith(day or b"-")
        return datetime.strptime(new[:14].decode(), "%Y%m%d%H%M%S")

    one, other = (each.replace(microsecond=0) for each in (one, other))
    assert moved(one) - one == timedelta(days)
    assert moved(one) - moved(other) == one - other


@pytest.mark.parametrize(
    ("value", "vr"),
    [
        (b"20260230", "DA"),
        (b"2026", "DA"),
        (b"yesterday", "DA"),
        (b"2510", "TM"),
        (b"00000101", "DA"),
        (b"20260101-20260201", "DA"),
        (b"2026013", "DT"),
        (b"99999999", "DA"),
    ],
)
def test_what_is_no_date_is_told(value, vr):
    assert shifted(value, vr, 5) is None


def test_old_and_partial_dates_are_understood():
    assert shifted(b"2004.01.19", "DA", 1) == b"20040120"
    assert shifted(b"200401", "DT", 40) == b"200402"
    assert shifted(b"20040119\\", "DA", 1) == b"20040120\\ "
    assert shifted(b"101112.123456", "TM", 9) == b"101112.123456 "


@given(st.binary(min_size=1, max_size=64), st.binary(min_size=16, max_size=40))
def test_uid_is_valid_and_of_the_key(old, key):
    new = Keys(key).uid(old)
    assert re.fullmatch(rb"2\.25\.(0|[1-9]\d{0,38})", new)
    assert new == Keys(key).uid(old)
    assert new != Keys(key + b"x").uid(old)


@given(st.text(max_size=20), st.integers(-500, 0), st.integers(0, 500).filter(bool))
def test_shift_is_in_its_span_and_never_none(patient, least, most):
    keys = Keys(b"k" * 16, (least, most))
    assert least <= keys.shift(patient) <= most
    assert keys.shift(patient) != 0


def test_map_counts_before_the_key():
    keys = Keys(b"k" * 16, patients={"A": Identity("B", 7), "C": Identity("D", None)})
    assert (keys.pseudonym("A"), keys.shift("A"), keys.pseudonym("C")) == ("B", 7, "D")
    assert keys.shift("C") == Keys(b"k" * 16).shift("C")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"CHEST W CONTRAST", b"CHEST W CONTRAST"),
        (b"CHEST of Marmalade, Q", b"CHEST of , Q"),
        (b"T2 AXIAL 2026-01-02 10:11", b"T2 AXIAL"),
        (b"call Dr. Watson tomorrow", b"call tomorrow"),
        (b"MRN 7712345 knee", b"MRN knee"),
        (b"ask x.y@made.up or http://made.up/1", b"ask or"),
        (b"marmaladeish", b"marmaladeish"),
    ],
)
def test_text_is_cleaned_of_what_tells(text, expected):
    assert cleaned(text, {b"marmalade"}) == expected


def test_cleaned_descriptions_keep_the_rest(tmp_path):
    data = dataset(
        element(DESCRIPTION, "LO", "KNEE of Quixotic for Dr. Who"),
        element(0x0008103E, "LO", "T2 AXIAL"),
    )
    path = write(tmp_path / "a.dcm", data)
    policy = make_policy(clean=["descriptors"])
    read = pydicom.dcmread(released(worker(tmp_path / "out", policy).one(str(path))))
    assert (read.StudyDescription, read.SeriesDescription) == ("KNEE of for", "T2 AXIAL")


def test_digest_is_of_what_counts():
    digests = {
        make_policy().digest,
        make_policy(retain=["uids"]).digest,
        make_policy(rules=["StudyDate = keep"]).digest,
        make_policy("tcia").digest,
        make_policy(burned_in="quarantine").digest,
    }
    assert len(digests) == 5
    assert (
        make_policy(retain=["uids", "device"]).digest
        == make_policy(retain=["device", "uids"]).digest
    )


def test_references_of_type_2_are_of_iods_that_list_all_they_refer_to():
    """Why X/Z/U* keeps them: PS3.3 C.12.2 asks for that list to be right."""
    checked = 0
    for uid in sop_classes():
        iod = iod_of(uid)
        names = {module.name for module in iod.modules}
        for path in paths_of(iod):
            if path[-1] not in (0x00081140, 0x00082112):
                continue
            types = {attribute.type for _, attribute in iod.attributes_at(path)}
            if types & {"2", "2C"}:
                assert "common-instance-reference" in names, (iod.name, path)
                assert kind_of(iod, path) == Kind.KEEP
                checked += 1
            elif types <= {"3"}:
                assert kind_of(iod, path) == Kind.REMOVE
    assert checked > 100


def paths_of(iod):
    """Every path of an IOD's attributes."""
    rows = [((), module.attributes) for module in iod.modules]
    while rows:
        path, attributes = rows.pop()
        for tag, attribute in attributes.items():
            yield (*path, tag)
            rows.append(((*path, tag), attribute.items))


def kind_of(iod, path):
    return make_policy().decide(iod, path, "SQ", "", Mode.NORMAL).kind
