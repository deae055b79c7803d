"""The changes of a job, made the same again from what it keeps of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacs_cli.errors import UsageError

if TYPE_CHECKING:
    from pacs_cli.pipelines.changes import Changes, Conversion, Release
    from pacs_cli.pipelines.fixes import Fixes


def agreed(
    kept: Mapping[str, Any] | None, typed: Mapping[str, Any], path: Path
) -> Mapping[str, Any]:
    """Return the changes of a job that is gone on with, when some were typed again.

    kept    what the job keeps, None of a new one
    raises  UsageError when the job was made with others
    """
    if kept is None or not typed:
        return kept or typed
    if kept.keys() != typed.keys():
        words = " and ".join(f"--{name}" for name in kept) or "none"
        raise UsageError(f"the job {path} was made with other changes: {words}; use another job")
    if (made := kept.get("transcode")) != typed.get("transcode"):
        raise UsageError(f"the job {path} was made with --transcode {made}; use another job")
    # where files are may change, what is in them is compared
    return {name: {**kept[name], **value} for name, value in typed.items()}


def changes_of(kept: Mapping[str, Any]) -> tuple[Changes | None, dict[str, Any]]:
    """Return the changes that a job keeps, and what they are now: to be kept with it.

    raises  UsageError when what is there now is not what the job was made with, InputError when it
            cannot be read
    """
    if not kept:
        return None, {}
    from pacs_cli.pipelines.changes import Changes

    now = {name: dict(value) for name, value in kept.items()}
    fixes = _fixes(now["fixes"]) if "fixes" in kept else None
    release = _release(now["anonymize"]) if "anonymize" in kept else None
    conversion = _conversion(now["transcode"]) if "transcode" in kept else None
    return Changes(fixes, release, conversion), now


def _fixes(kept: dict[str, Any]) -> Fixes:
    from pacs_cli.pipelines.fixes import read_fixes

    fixes = read_fixes(Path(kept["path"]))
    _keep(kept, "sha256", fixes.digest, f"the fixes {fixes.path}")
    kept["lines"] = list(fixes.rows)
    return fixes


def _release(kept: dict[str, Any]) -> Release:
    import hmac

    from pacs_cli.pipelines.changes import Release
    from pacs_cli.pipelines.deid.content import check
    from pacs_cli.pipelines.deid.keys import Keys, parse_span, read_key
    from pacs_cli.pipelines.deid.policy import make_policy
    from pacs_cli.pipelines.deid.work import Settings, Worker

    policy = make_policy(kept["policy"])
    check(policy)
    _keep(kept, "policy_digest", policy.digest, f"the policy {kept['policy']}")
    key_file = kept["key_file"]
    key = read_key(Path(key_file) if key_file else None, os.environ)
    if key is None:
        raise UsageError("the key of this job was in $PACS_ANON_KEY, and is not there now")
    # says whether it is the same key, and nothing of it
    mark = hmac.digest(key, b"pacs send-batch", "sha256")[:8].hex()
    _keep(kept, "key_mark", mark, "the key")
    keys = Keys(key, parse_span(policy.date_shift))
    return Release(Worker(Settings(policy, keys, None, dry_run=True)))


def _conversion(kept: Mapping[str, Any]) -> Conversion:
    from pacs_cli.pipelines.changes import Conversion
    from pacs_cli.pixels.codecs import require_codecs
    from pacs_cli.pixels.syntaxes import Family, syntax_of
    from pacs_cli.pixels.transcoding import Options

    syntax = syntax_of(kept["transfer_syntax_uid"])
    if not syntax.is_encoded:
        raise UsageError(f"--transcode: {syntax.name} is only read; pacs transcode --list")
    if syntax.needs_codecs or syntax.family is Family.RLE:
        require_codecs()
    options = Options(uid="new" if syntax.is_lossy else "keep")
    return Conversion(syntax.uid, syntax.is_lossy, options)


def _keep(kept: dict[str, Any], name: str, value: str, what: str) -> None:
    if kept.setdefault(name, value) != value:
        raise UsageError(f"{what} changed since the job was made; use another job, or what it was")
