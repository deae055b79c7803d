"""The list of transfer syntaxes that `pacs transcode` shows."""

from __future__ import annotations

from pacs_cli.report import Report


def show_syntaxes(report: Report) -> None:
    """Show every transfer syntax: what decodes and encodes it, and what it holds."""
    from pacs_cli.dicom.registry import transfer_syntaxes, uid_name
    from pacs_cli.pixels.syntaxes import TABLE, Family, syntax_of

    rows = []
    known = [each.uid for each in TABLE]
    for uid in dict.fromkeys((*known, *transfer_syntaxes())):
        each = syntax_of(uid)
        is_video = each.family is Family.VIDEO
        fields = {
            "name": "" if is_video else each.name,
            "uid": uid,
            "title": uid_name(uid),
            "decode": not is_video,
            "encode": each.is_encoded,
            "library": each.library,
            "bits": each.max_bits or None,
            "signed": each.can_sign and not is_video,
            "colour": not is_video,
            "lossy": each.is_lossy,
        }
        report.record("syntax", fields)
        rows.append([_shown(value) for value in fields.values()])
    report.table("", list(fields), rows)


def _shown(value: object) -> str:
    if value is None:
        return ""
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
