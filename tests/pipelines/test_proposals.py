"""Presentation contexts by name."""

from __future__ import annotations

import pytest

from pacs_cli.errors import UsageError
from pacs_cli.pipelines.proposals import parse_proposals
from pacs_cli.wire.negotiation import Proposal
from tests.support import CT, EXPLICIT, IMPLICIT, MR

J2K = "1.2.840.10008.1.2.4.90"
RLE = "1.2.840.10008.1.2.5"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["CTImageStorage=JPEG2000Lossless"], [(CT, J2K)]),
        ([f"{CT}={J2K},{RLE}"], [(CT, J2K), (CT, RLE)]),
        (["ctimagestorage=explicitvrlittleendian"], [(CT, EXPLICIT)]),
        (["MRImageStorage=rle", "MRImageStorage=rle,implicit"], [(MR, RLE), (MR, IMPLICIT)]),
        (["1.2.3.4=1.2.3.5"], [("1.2.3.4", "1.2.3.5")]),
        ([" CTImageStorage = rle "], [(CT, RLE)]),
        ([], []),
    ],
)
def test_each_pair_is_a_context_of_its_own(texts, expected):
    assert parse_proposals(texts) == tuple(Proposal(sop, (syntax,)) for sop, syntax in expected)


def test_modality_is_every_class_of_it():
    proposals = parse_proposals(["CT=rle"])
    assert Proposal(CT, (RLE,)) in proposals
    assert len(proposals) > 1
    assert {each.transfer_syntaxes for each in proposals} == {(RLE,)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("CT", "write CLASS=SYNTAX"),
        ("=rle", "write CLASS=SYNTAX"),
        ("CT=", "write CLASS=SYNTAX"),
        ("CT=rle,", "write CLASS=SYNTAX"),
        ("CTImageStorag=rle", "did you mean CTImageStorage?"),
        ("CT=JPEG2000Lossles", "did you mean JPEG2000Lossless?"),
        ("CT=1.2.840.10008.1.1", "no transfer syntax"),
        ("1.2.840.10008.1.1=rle", "no storage SOP class"),
        ("SR=" + ",".join(f"1.2.{n}" for n in range(10)), "64 at most"),
    ],
)
def test_what_is_no_proposal_is_refused_with_the_cause(text, words):
    with pytest.raises(UsageError, match=r"^--propose") as caught:
        parse_proposals([text])
    assert words in str(caught.value)
