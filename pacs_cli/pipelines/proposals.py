"""Presentation contexts that the user asks for, beside those that the files need."""

from __future__ import annotations

from collections.abc import Iterable

from pacs_cli.dicom.registry import sop_class_uids, transfer_syntax_uid
from pacs_cli.errors import UsageError
from pacs_cli.wire.negotiation import Proposal

#: Half of what fits into one association; the other half is for what the files need.
_MOST = 64


def parse_proposals(texts: Iterable[str], most: int | None = _MOST) -> tuple[Proposal, ...]:
    """Read `CT=JPEG2000Lossless,ExplicitVRLittleEndian`: one context for each pair.

    The SOP class is a modality for all of its classes, a keyword or a UID, the transfer syntaxes
    are short names, keywords or UIDs. A context each, so that the answer is one for each syntax.

    most    contexts at most, None for any number
    raises  UsageError naming the nearest known name
    """
    proposals: dict[Proposal, None] = {}
    for text in texts:
        name, equals, syntaxes = text.partition("=")
        if not equals or not name or not all(syntaxes.split(",")):
            raise UsageError(f"--propose {text}: write CLASS=SYNTAX,SYNTAX")
        try:
            for sop_class in sop_class_uids(name.strip()):
                for syntax in syntaxes.split(","):
                    proposals[Proposal(sop_class, (transfer_syntax_uid(syntax.strip()),))] = None
        except UsageError as error:
            raise UsageError(f"--propose {text}: {error}") from None
    if most is not None and len(proposals) > most:
        raise UsageError(f"--propose: {len(proposals)} presentation contexts; {most} at most")
    return tuple(proposals)
