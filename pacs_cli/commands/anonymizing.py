"""The options of `pacs anonymize`, and what they resolve to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pacs_cli.pipelines.deid.keys import Keys
    from pacs_cli.pipelines.deid.policy import Policy

_POLICY, _KEYS = "Policy", "Keys"


def _words(name: str, metavar: str, help: str, panel: str = _POLICY) -> Any:
    return typer.Option(name, metavar=metavar, help=help, rich_help_panel=panel)


@dataclass(frozen=True, slots=True)
class PolicyOptions:
    """What becomes of which attribute; None where nothing was typed."""

    profile: Annotated[
        str,
        _words("--profile", "PROFILE", "basic, tcia, safe-harbor or a FILE.toml with a policy."),
    ] = "basic"
    retain: Annotated[
        list[str] | None,
        _words(
            "--retain",
            "OPTION,...",
            "uids, device, institution, patient, full-dates or modified-dates, safe-private.",
        ),
    ] = None
    clean: Annotated[
        list[str] | None,
        _words("--clean", "OPTION,...", "descriptors, structured, graphics, pixels."),
    ] = None
    rules: Annotated[
        list[str] | None,
        _words(
            "--rule",
            "'SELECTOR = ACTION'",
            'KEYWORD, gggg,eeee, a path, gggg,xxee:"CREATOR" or vr:PN, and keep, remove, empty, '
            "dummy, replace:VALUE, uid, hash, shift or clean. Can be repeated.",
        ),
    ] = None
    burned_in: Annotated[
        str | None,
        _words("--burned-in", "MODE", "warn, quarantine, clean or ignore. [default: warn]"),
    ] = None
    pixel_rules: Annotated[
        Path | None, _words("--pixel-rules", "FILE", "Regions to blank, by device, in TOML.")
    ] = None
    documents: Annotated[
        str | None,
        _words(
            "--documents", "MODE", "Encapsulated ones: quarantine or replace. [default: quarantine]"
        ),
    ] = None

    def policy(self, date_shift: str | None) -> Policy:
        """Return the policy that is meant; UsageError when something is mistyped."""
        from pacs_cli.pipelines.deid.content import check
        from pacs_cli.pipelines.deid.policy import make_policy, read_text

        policy = make_policy(
            self.profile,
            _split(self.retain),
            _split(self.clean),
            self.rules or (),
            burned_in=self.burned_in,
            documents=self.documents,
            date_shift=date_shift,
            pixel_rules=None if self.pixel_rules is None else read_text(self.pixel_rules),
        )
        check(policy)
        return policy


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """What new identities are derived from."""

    key_file: Annotated[
        Path | None,
        _words(
            "--key-file",
            "FILE",
            "Derive UIDs, pseudonyms and shifts from this key. [default: $PACS_ANON_KEY, else a "
            "new one that nobody keeps]",
            _KEYS,
        ),
    ] = None
    save_key: Annotated[
        Path | None, _words("--save-key", "FILE", "Keep the key in a new file.", _KEYS)
    ] = None
    patient_map: Annotated[
        Path | None,
        _words(
            "--patient-map", "CSV", "Lines of old PatientID, new one and days to shift by.", _KEYS
        ),
    ] = None
    mapping_out: Annotated[
        Path | None,
        _words("--mapping-out", "FILE", "Write who was whom, for its owner alone.", _KEYS),
    ] = None
    encrypt_to: Annotated[
        Path | None, _words("--encrypt-to", "CERT.pem", "Seal original values in outputs.", _KEYS)
    ] = None
    date_shift: Annotated[
        str | None,
        _words(
            "--date-shift",
            "auto|DAYS|MIN:MAX",
            "Days by which modified dates are shifted, the same for each patient. [default: auto]",
            _KEYS,
        ),
    ] = None

    def keys(self, policy: Policy) -> Keys:
        """Return the key, and keep it where that was asked for."""
        from pacs_cli.pipelines.deid.keys import (
            Keys,
            new_key,
            parse_span,
            read_key,
            read_patient_map,
            save_key,
        )

        span = parse_span(policy.date_shift)
        patients = read_patient_map(self.patient_map) if self.patient_map else {}
        key = read_key(self.key_file, os.environ) or new_key()
        if self.save_key is not None:
            save_key(self.save_key, key)
        return Keys(key, span, patients)


def _split(typed: list[str] | None) -> list[str]:
    return [word.strip() for each in typed or () for word in each.split(",") if word.strip()]
