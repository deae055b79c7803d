"""Options that people bring along from DCMTK, dcm4che and others, and what they are here."""

from __future__ import annotations

from collections.abc import Collection

#: Option -> what does the same: an option, which is told where a command has it, or words.
ELSEWHERE: dict[str, tuple[str, ...]] = {
    "--aetitle": ("--aet",),
    "--call": ("--called-aet",),
    "--aec": ("--called-aet",),
    "--called": ("--called-aet",),
    "--called-ae": ("--called-aet",),
    "--calling": ("--aet",),
    "--calling-aet": ("--aet",),
    "--calling-ae": ("--aet",),
    "-AET": ("--aet",),
    "-AEC": ("--called-aet",),
    "-aetitle": ("--aet",),
    "--aem": ("--dest",),
    "--move": ("--dest",),
    "--host": ("the host is the first word: HOST PORT",),
    "--port": ("the port stands behind the host: HOST PORT", "the port is the first word: PORT"),
    "-p": ("the port stands behind the host: HOST PORT", "the port is the first word: PORT"),
    "-P": ("the port stands behind the host: HOST PORT", "the port is the first word: PORT"),
    "-c": ("write the peer as a word of its own: AET@HOST:PORT",),
    "--connect": ("write the peer as a word of its own: AET@HOST:PORT",),
    "-b": ("--aet",),
    "--bind-aet": ("--aet",),
    "-m": ("--key",),
    "-r": ("folders are always read with what is below them",),
    "--recurse": ("folders are always read with what is below them",),
    "-W": ("--worklist",),
    "-L": ("--level",),
    "-od": ("--out",),
    "--output-directory": ("--out",),
    "-o": ("--out",),
    "--directory": ("--out",),
    "-ll": ("--debug",),
    "--log-level": ("--debug",),
    "-pdu": ("--max-pdu",),
    "--pdu": ("--max-pdu",),
    "--insecure": ("certificates are always checked; give the CA with --tls-ca",),
    "--no-verify": ("certificates are always checked; give the CA with --tls-ca",),
}


def cure_for(option: str, known: Collection[str], has_peer: bool) -> str:
    """Return what to write instead of an option of another tool, empty when that is not known.

    known     the options of the command
    has_peer  whether it calls a peer, so that a port is the peer's
    """
    cures = ELSEWHERE.get(option, ())
    for cure in cures:
        if cure.startswith("-"):
            if cure in known:
                return f"here it is {cure}"
        elif "HOST" not in cure or has_peer:
            return cure
    return ""
