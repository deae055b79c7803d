"""Make docs/conformance.md: the text of tools/data/conformance.md with tables from the program.

    python -m tools.make_conformance [--check]

`{{name}}` stands for the table of that name, `{{value name}}` for a single value.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pacs_cli import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, __version__
from pacs_cli.config import BUILT_IN
from pacs_cli.dicom.query import _SOP_CLASSES as MODELS
from pacs_cli.dicom.registry import storage_sop_classes, transfer_syntaxes, uid_name
from pacs_cli.manual import ENVIRONMENT
from pacs_cli.net.listener import Caps
from pacs_cli.net.target import WRITE_TIMEOUT, Timeouts
from pacs_cli.net.tls import SUITES, VERSIONS
from pacs_cli.options import _REQUEST_TIMEOUT, ListenOptions
from pacs_cli.pipelines.storage_contexts import EVERY_CONTEXT
from pacs_cli.pixels.syntaxes import TABLE, Family, syntax_of
from pacs_cli.services import commitment, diagnosis, query_diagnosis, query_scp, retrieve_scp, scp
from pacs_cli.wire.association import Limits
from pacs_cli.wire.command import MAX_COMMAND_SET
from tools.writing import write

TEMPLATE = Path(__file__).parent / "data" / "conformance.md"
VERIFICATION = "1.2.840.10008.1.1"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|")


def product() -> str:
    """What it is called, and how it names itself."""
    return table(
        ("", ""),
        [
            ("product", f"pacs {__version__}"),
            ("implementation class UID", IMPLEMENTATION_CLASS_UID),
            ("implementation version name", IMPLEMENTATION_VERSION_NAME),
        ],
    )


def services() -> str:
    """SOP classes with the commands that use and provide them."""
    rows: list[tuple[str, str, str, str]] = [
        (uid_name(VERIFICATION), VERIFICATION, "echoscu", "storescp"),
        ("Storage, all of them", "see the list", "storescu, send-batch, storescp --forward, "
         "and as an answer to C-MOVE and C-GET storescp --qr", "storescp, movescu --receive, "
         "getscu"),
        (uid_name(commitment.PUSH_MODEL), commitment.PUSH_MODEL, "send-batch --commit",
         "storescp"),
    ]  # fmt: skip
    finds = dict.fromkeys(MODELS.values(), "findscu")
    commands = {0x0020: "findscu", 0x0021: "movescu", 0x0010: "getscu"}
    for uid in sorted({*finds, *query_scp.OPERATIONS}, key=_in_order):
        operation = query_scp.OPERATIONS.get(uid)
        user = finds.get(uid) or commands.get(int(operation or 0), "")
        rows.append((uid_name(uid), uid, user, "storescp --qr" if operation else ""))
    return table(("SOP class", "UID", "user (SCU)", "provider (SCP)"), rows)


def _in_order(uid: str) -> tuple[int, ...]:
    return tuple(map(int, uid.split(".")))


def general() -> str:
    """What holds for every association."""
    return table(
        ("", ""),
        [
            ("application context name", "1.2.840.10008.3.1.1.1"),
            ("maximum PDU length that is announced", f"{BUILT_IN.max_pdu} bytes; `--max-pdu`"),
            ("maximum PDU length of the peer", "kept to, from 1 up; 0 is no limit"),
            ("calling AE title", f"`{BUILT_IN.calling_ae_title}` unless configured"),
        ],
    )


def proposed() -> str:
    """Presentation contexts that are proposed."""
    little = "Explicit VR Little Endian, Implicit VR Little Endian"
    return table(
        ("command", "presentation contexts"),
        [
            ("echoscu", f"Verification: {little}"),
            (
                "storescu, send-batch",
                "each SOP class of the files in each transfer syntax they are stored in; what is "
                f"refused in a second association in {little}; `--propose` adds others",
            ),
            ("findscu", f"the model that is asked: {little}"),
            ("movescu", f"the model that is asked: {little}"),
            (
                "getscu",
                f"the model that is asked: {little}; each storage SOP class that a C-FIND shows in "
                f"{EVERY_CONTEXT} contexts, one for each syntax that is common",
            ),
            ("storescp --qr, C-MOVE", "each SOP class as it is stored, and uncompressed"),
        ],
    )


def accepted() -> str:
    """Presentation contexts that `storescp` accepts."""
    count, syntaxes = len(storage_sop_classes()), len(transfer_syntaxes())
    queries = ", ".join(map(uid_name, query_scp._SYNTAXES))
    return table(
        ("SOP classes", "transfer syntaxes"),
        [
            ("Verification", f"the {syntaxes} that are known"),
            (f"{count} of storage; `--accept` takes fewer", f"the {syntaxes} that are known"),
            ("Storage Commitment Push Model", "those of queries"),
            (f"{len(query_scp.OPERATIONS)} of query and retrieve, with `--qr`", queries),
        ],
    )


def rejections() -> str:
    """Rejections, those we give marked."""
    given = {(1, 2), (1, 3), (1, 7), (2, 1), (2, 2), (3, 1), (3, 2)}
    return table(
        ("source", "reason", "given", "in words"),
        [
            (*key, "yes" if key in given else "", words.partition(";")[0])
            for key, words in sorted(diagnosis._REJECTIONS.items())
        ],
    )


def aborts() -> str:
    """Reasons of an A-ABORT of the service provider."""
    return table(("reason", "in words"), sorted(diagnosis._ABORTS.items()))


def store_answers() -> str:
    """Status codes that `storescp` answers."""
    rows = [
        (0x0000, "C-ECHO, C-STORE", "the object is on the disk, or was held already, the same"),
        (0x0111, "C-STORE", "another object with this UID is held, and `--duplicate reject`"),
        (0x0122, "any", "the SOP class is not that of the context"),
        (scp.NOT_AUTHORIZED, "any", "who asks may not"),
        (scp.UNRECOGNIZED_OPERATION, "any", "the operation is not provided"),
        (0xA700, "C-STORE, C-FIND", "no room, less than `--min-free`, or the disk fails"),
        (retrieve_scp.UNABLE_TO_COUNT, "C-STORE, C-MOVE, C-GET", "the index cannot be used"),
        (retrieve_scp.UNABLE_TO_PERFORM, "C-MOVE, C-GET", "no sub-operation can be performed"),
        (retrieve_scp.UNKNOWN_DESTINATION, "C-MOVE", "the destination is not configured"),
        (scp.DOES_NOT_MATCH_SOP_CLASS, "C-STORE, queries", "command and data set differ; a key "
         "is missing or of another level"),
        (retrieve_scp.WARNING, "C-MOVE, C-GET", "some sub-operations failed; the list is there"),
        (scp.CANNOT_UNDERSTAND, "C-STORE, queries", "the data set is cut or cannot be read"),
        (0xFE00, "queries", "ended by C-CANCEL"),
        (0xFF00, "queries", "a match, or how far a retrieval is"),
        (0xFF01, "C-FIND", "a match; optional keys were not matched"),
        (commitment.NO_SUCH_ACTION, "N-ACTION", "another action than to request commitment"),
        (commitment.INVALID_ARGUMENT, "N-ACTION", "the request cannot be read"),
    ]  # fmt: skip
    return table(("status", "of", "when storescp answers it"),
                 [(f"{status:04X}", of, when) for status, of, when in rows])  # fmt: skip


def _status_rows(rows: Iterable[tuple[int, int, str, str]]) -> str:
    shown = [
        (f"{first:04X}" if first == last else f"{first:04X}-{last:04X}", meaning, advice)
        for first, last, meaning, advice in rows
    ]
    return table(("status", "meaning", "what is advised"), shown)


def statuses() -> str:
    """Status codes of responses, in words."""
    return _status_rows(diagnosis._STATUSES)


def query_statuses() -> str:
    """Those of queries and retrievals."""
    return _status_rows((*query_diagnosis._STATUSES, *query_diagnosis._RETRIEVE_STATUSES))


def times() -> str:
    """Every timeout."""
    limits, user = Limits(), Timeouts()
    return table(
        ("what", "seconds", "option", "then"),
        [
            ("name lookup, TCP and TLS of a user", user.connect, "`-to`", "exit code 3"),
            ("answer to A-ASSOCIATE-RQ and A-RELEASE-RQ", user.acse, "`-ta`", "A-ABORT"),
            ("between two messages of a user", user.dimse, "`-td`", "A-ABORT"),
            ("the peer to read what is written", WRITE_TIMEOUT, "`--write-timeout`", "A-ABORT"),
            ("TLS and A-ASSOCIATE-RQ at a provider", _REQUEST_TIMEOUT, "`-ta`", "closed"),
            ("the whole of a PDU", limits.pdu, "`--pdu-timeout`", "A-ABORT"),
            ("next request at a provider", limits.idle, "`-td`", "A-ABORT"),
            ("ARTIM: the peer to close", limits.close, "", "closed"),
        ],
    )


def limits() -> str:
    """Every other limit."""
    caps, allowed = Caps(), Limits()
    return table(
        ("what", "at most", "then"),
        [
            ("connections", caps.connections, "closed"),
            ("connections of an address", caps.per_address, "closed"),
            ("associations", value("max_associations"), "rejected (2, 3, 2)"),
            ("bytes of an association PDU", allowed.association_pdu, "A-ABORT (2, 6)"),
            ("bytes of a P-DATA-TF PDU", "what was announced", "A-ABORT (2, 6)"),
            ("bytes of a command set", MAX_COMMAND_SET, "A-ABORT"),
            ("bytes of an identifier", query_scp.MAX_IDENTIFIER, "failure status"),
        ],
    )


def configuration() -> str:
    """Parameters with their defaults."""
    rows = [(f"`{name}`", meaning) for name, meaning, _ in ENVIRONMENT]
    rows += [
        ("`aet`, `max_pdu`, `[timeouts]`", "our AE title, PDU length and seconds"),
        ("`[peers.NAME]`", "address, AE title, timeouts and TLS of a peer"),
        ("`[archive]`", "folder, AE title, port, address and TLS of storescp"),
    ]
    return table(("environment variable or key of the file", "what"), rows)


def character_sets() -> str:
    """The defined terms."""
    from pydicom.charset import python_encoding

    terms = sorted(term for term in python_encoding if term.startswith("ISO"))
    single = [term for term in terms if term.startswith("ISO_IR")]
    return table(
        ("", "defined terms"),
        [
            ("without code extensions", ", ".join(single + [t for t in python_encoding
                                                           if t.startswith("GB")])),
            ("with them", ", ".join(term for term in terms if term not in single)),
        ],
    )  # fmt: skip


def security() -> str:
    """The TLS profile."""
    return table(
        ("", ""),
        [
            (
                "profile",
                "BCP 195 TLS Secure Transport Connection Profile (PS3.15 B.12), on request",
            ),
            ("versions", ", ".join(f"TLS {each}" for each in VERSIONS)),
            ("suites of TLS 1.2", ", ".join(SUITES)),
            ("authentication", "mutual unless `--tls-anonymous`; the host name is checked"),
            (
                "application level",
                "AE titles and addresses (`--allow`, `--check-called`), users (`--users`), and "
                "roles by title, address, certificate and user (`--access`)",
            ),
            ("attribute confidentiality", "PS3.15 Annex E: [profiles](anonymize.md)"),
        ],
    )


def storage() -> str:
    """Every storage SOP class."""
    uids = sorted(storage_sop_classes(), key=_in_order)
    return table(("SOP class", "UID"), [(uid_name(uid), uid) for uid in uids])


def syntaxes() -> str:
    """Every transfer syntax."""
    rows = []
    for uid in dict.fromkeys((*[each.uid for each in TABLE], *transfer_syntaxes())):
        syntax = syntax_of(uid)
        is_video = syntax.family is Family.VIDEO
        rows.append(
            (
                uid_name(uid),
                uid,
                "yes" if uid in transfer_syntaxes() else "with `--promiscuous`",
                "" if is_video else "yes",
                "yes" if syntax.is_encoded else "",
            )
        )
    return table(("transfer syntax", "UID", "network", "decoded", "encoded"), rows)


def value(name: str) -> object:
    """Return a single value."""
    return {"max_associations": ListenOptions().max_associations}[name]


_TABLES: dict[str, Callable[[], str]] = {
    each.__name__: each
    for each in (
        *(product, services, general, proposed, accepted, rejections, aborts, store_answers),
        *(statuses, query_statuses, times, limits, configuration, character_sets, security),
        *(storage, syntaxes),
    )
}


def files() -> dict[str, str]:
    """Return path below the project's root -> contents."""

    def filled(match: re.Match[str]) -> str:
        word, _, name = match[1].partition(" ")
        return str(value(name)) if word == "value" else _TABLES[word]()

    text = TEMPLATE.read_text(encoding="utf-8")
    return {"docs/conformance.md": re.sub(r"\{\{([a-z_ ]+)\}\}", filled, text)}


if __name__ == "__main__":
    sys.exit(write(files(), "--check" in sys.argv[1:]))
