"""The options of `pacs send-batch` that change objects on their way."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from pacs_cli.errors import UsageError

_PANEL = "Changes in a job"


@dataclass(frozen=True, slots=True)
class ChangeOptions:
    """What is changed in the objects of a job on their way."""

    fixes: Annotated[
        Path | None,
        typer.Option(
            "--fixes",
            metavar="FILE",
            help="Give objects new values by this CSV: columns PatientID, IssuerOfPatientID, "
            "AccessionNumber, StudyID, StudyInstanceUID, SeriesInstanceUID or SOPInstanceUID say "
            "which, columns new:KEYWORD what they get.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    anonymize: Annotated[
        str | None,
        typer.Option(
            "--anonymize",
            metavar="POLICY",
            help="De-identify and prove each object, as pacs anonymize --profile: basic, tcia, "
            "safe-harbor or a FILE.toml. Needs a key.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file",
            metavar="FILE",
            help="Derive UIDs, pseudonyms and shifts from this key. [default: $PACS_ANON_KEY]",
            rich_help_panel=_PANEL,
        ),
    ] = None
    save_key: Annotated[
        Path | None,
        typer.Option(
            "--save-key",
            metavar="FILE",
            help="Keep the key in a new file.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    transcode: Annotated[
        str | None,
        typer.Option(
            "--transcode",
            metavar="SYNTAX",
            help="Bring objects into this transfer syntax, as pacs transcode --to.",
            rich_help_panel=_PANEL,
        ),
    ] = None

    def kept(self) -> dict[str, Any]:
        """Return what a job is to keep of the changes, to make them the same again.

        raises  UsageError when something is mistyped, InputError when a file cannot be read
        """
        if self.anonymize is None and (self.key_file or self.save_key):
            raise UsageError("--key-file and --save-key are of --anonymize")
        kept: dict[str, Any] = {}
        if self.fixes is not None:
            kept["fixes"] = {"path": str(self.fixes.absolute())}
        if self.anonymize is not None:
            policy = self.anonymize
            is_file = policy.endswith(".toml")
            key_file = self._key_file()
            kept["anonymize"] = {
                "policy": str(Path(policy).absolute()) if is_file else policy,
                "key_file": None if key_file is None else str(key_file.absolute()),
            }
        if self.transcode is not None:
            from pacs_cli.dicom.registry import transfer_syntax_uid

            kept["transcode"] = {"transfer_syntax_uid": transfer_syntax_uid(self.transcode)}
        return kept

    def _key_file(self) -> Path | None:
        from pacs_cli.pipelines.deid.keys import VARIABLE, new_key, save_key

        if self.save_key is not None:
            if self.key_file is not None:
                raise UsageError("--key-file and --save-key exclude each other")
            save_key(self.save_key, new_key())
            return self.save_key
        if self.key_file is None and not os.environ.get(VARIABLE):
            raise UsageError(
                "--anonymize needs a key that is there for resume too: write --key-file FILE, or "
                "--save-key FILE to make one"
            )
        return self.key_file
