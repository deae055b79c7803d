"""What to do about a peer that does not answer as it should, from another look at it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pacs_cli.errors import ConnectError
from pacs_cli.net.identify import Speaks, tls_facts, what_answers
from pacs_cli.net.target import Target

if TYPE_CHECKING:
    from pacs_cli.net.certificate import TlsFacts

#: Of a certificate's names so many are shown.
_MOST_NAMES = 5


def association_cure(target: Target, problem: str) -> str:
    """Return why no association came to be, with what answers instead and what to do.

    problem  what went wrong, and after a semicolon what to try when nothing else is known
    """
    try:
        found = what_answers(target)
    except ConnectError:
        return f"{problem}; by now it cannot be reached at all"
    if found.speaks is Speaks.TLS and target.tls is None:
        version = found.tls.version if found.tls else "TLS"
        cure = (
            f"the port speaks {version}: call it with --tls, and with --tls-ca FILE unless the "
            "system trusts its CA"
        )
    else:
        cure = _CURES.get(found.speaks, "")
    return f"{problem.partition('; ')[0]}; {cure}" if cure else problem


_CURES = {
    Speaks.DICOM: "it answers as a DICOM application does, so its log says why it does not like us",
    Speaks.HTTP: "a web server answers there: this is not the DICOM port; often that is 104, 11112 "
    "or 4242",
    Speaks.SSH: "an SSH server answers there: this is not the DICOM port",
    Speaks.MAIL: "a mail or FTP server answers there: this is not the DICOM port",
    Speaks.OTHER: "what answers there is no DICOM application: check the port",
    Speaks.NOTHING: "it takes connections and says nothing, to nobody: check the port, whether the "
    "peer hangs, and whether a proxy or tunnel stands between",
    Speaks.CLOSES: "it closes every connection at once: does it take this address? ask its log",
}


def tls_cure(target: Target, problem: str, now: float) -> str:
    """Return why no TLS came to be, with the peer's certificate, or what it speaks instead of TLS
    and what to do; `problem` as above.
    """
    try:
        if facts := tls_facts(target):
            return f"{problem}; it has {facts.version}, {certificate_words(facts, now)}"
        speaks = what_answers(target).speaks
    except ConnectError:
        return problem
    cure = _CURES.get(speaks, "")
    if speaks is Speaks.DICOM:
        cure = "it answers DICOM without TLS: leave out --tls and its like, or tls of its table"
    return f"{problem.partition('; ')[0]}; {cure}" if cure else problem


def certificate_words(facts: TlsFacts, now: float) -> str:
    """Describe a certificate: whose, by whom, for which hosts, for how long."""
    days = facts.days_left(now)
    if days is None:
        return "no certificate"
    names = ", ".join(facts.names[:_MOST_NAMES]) or "no host"
    names += ", ..." if len(facts.names) > _MOST_NAMES else ""
    day = time.strftime("%Y-%m-%d", time.gmtime(facts.not_after))
    until = f"expires {day}, in {days} days" if days >= 0 else f"expired {day}"
    if facts.not_before is not None and facts.not_before > now:
        until = f"valid from {time.strftime('%Y-%m-%d', time.gmtime(facts.not_before))}"
    whose = facts.subject or "nobody"
    return f"certificate of {whose} for {names}, issued by {facts.issuer or 'nobody'}, {until}"
