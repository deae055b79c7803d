"""What a peer accepts: presentation contexts that are proposed and not used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pacs_cli.dicom.registry import sop_class_uids, transfer_syntaxes, uid_name
from pacs_cli.net.target import Target
from pacs_cli.pipelines.proposals import parse_proposals
from pacs_cli.pipelines.storage_contexts import COMMON_SYNTAXES, all_sop_classes
from pacs_cli.services.scu import Session, Trace
from pacs_cli.wire.negotiation import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    Context,
    Proposal,
    batches,
)

_UNCOMPRESSED = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)

#: The SOP classes whose transfer syntaxes are looked at one by one: all of them would take forty
#: associations, and providers decide by kinds of images, if at all.
_TYPICAL = (
    *("CT", "MR", "CR", "DX", "MG", "US", "XA", "NM", "PT", "SC", "SEG", "PR", "RTDOSE", "SM"),
    *("ComprehensiveSRStorage", "PDF", "XC", "VideoEndoscopicImageStorage"),
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """One abstract syntax that was proposed, and the transfer syntaxes it is accepted in.

    result  of the contexts when there is none: PS3.8 table 9-18
    """

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]
    result: int = 0


def probe(
    target: Target, proposals: Iterable[Proposal], trace: Trace | None = None
) -> Iterator[Context]:
    """Propose in as many associations as it takes, and yield what became of each context.

    raises  as `Session`
    """
    for batch in batches(proposals):
        with Session(target, batch, trace=trace) as session:
            contexts = tuple(session.contexts.values())
        yield from contexts


def gathered(contexts: Iterable[Context]) -> list[Accepted]:
    """Return what was accepted of each abstract syntax, in the order in which they came."""
    found: dict[str, dict[str, None]] = {}
    results: dict[str, int] = {}
    for context in contexts:
        syntaxes = found.setdefault(context.abstract_syntax, {})
        if context.is_accepted:
            syntaxes[context.transfer_syntax] = None
        else:
            results[context.abstract_syntax] = context.result
    return [
        Accepted(uid, tuple(syntaxes), 0 if syntaxes else results[uid])
        for uid, syntaxes in found.items()
    ]


def probe_named(target: Target, texts: Iterable[str], trace: Trace | None = None) -> list[Accepted]:
    """Return what is accepted of what was named: `CT`, `CT=j2k,jpegls`, a keyword or UID of any SOP
    class, or `all` for every storage SOP class in every transfer syntax.

    raises  UsageError naming the nearest known name; as `Session`
    """
    offer: dict[Proposal, None] = {}
    is_all = False
    for text in texts:
        name, equals, _ = text.partition("=")
        is_all |= text.lower() == "all"
        if equals:
            offer |= dict.fromkeys(parse_proposals([text], most=None))
        elif text.lower() != "all":
            offer |= dict.fromkeys(one_by_one(_sop_classes(name)))
    found = gathered(probe(target, offer, trace))
    if not is_all:
        return found
    # first which, for it would be seventy associations to ask for all in everything
    classes = gathered(probe(target, each_storage_class(), trace))
    known = [each.abstract_syntax for each in classes if each.transfer_syntaxes]
    refused = [each for each in classes if not each.transfer_syntaxes]
    return [*found, *gathered(probe(target, one_by_one(known), trace)), *refused]


def _sop_classes(name: str) -> tuple[str, ...]:
    is_uid = name.replace(".", "").isdigit()
    return (name,) if is_uid and uid_name(name) != name else sop_class_uids(name)


def one_by_one(sop_classes: Sequence[str], syntaxes: Sequence[str] | None = None) -> list[Proposal]:
    """Return a context for each SOP class in each transfer syntax, by default in all there are."""
    chosen = transfer_syntaxes() if syntaxes is None else syntaxes
    return [Proposal(uid, (syntax,)) for uid in sop_classes for syntax in chosen]


def each_storage_class() -> list[Proposal]:
    """Return one context for each storage SOP class, in what is usual."""
    return [Proposal(uid, (*_UNCOMPRESSED, *COMMON_SYNTAXES)) for uid in all_sop_classes()]


def typical_of(accepted: Iterable[str]) -> list[Proposal]:
    """Return contexts for the usual ones of the SOP classes that are accepted, in each syntax."""
    known = frozenset(accepted)
    first = [next((u for u in sop_class_uids(name) if u in known), "") for name in _TYPICAL]
    return one_by_one(
        [uid for uid in dict.fromkeys(first) if uid], (*_UNCOMPRESSED, *COMMON_SYNTAXES)
    )
