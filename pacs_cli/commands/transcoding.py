"""The options of `pacs transcode` that say what may be lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from pacs_cli.errors import UsageError
from pacs_cli.report import Report

if TYPE_CHECKING:
    from pacs_cli.pixels.transcoding import Options


@dataclass(frozen=True, slots=True)
class LossOptions:
    """What may be lost, and how it is made sure that nothing else is."""

    quality: Annotated[
        int | None,
        typer.Option(
            "--quality",
            metavar="Q",
            min=1,
            max=100,
            help="Quality of a lossy syntax. [default: 90]",
            rich_help_panel="Conversion",
        ),
    ] = None
    near: Annotated[
        int | None,
        typer.Option(
            "--near",
            metavar="N",
            min=1,
            max=255,
            help="Largest error of a sample, jpegls-near. [default: 2]",
            rich_help_panel="Conversion",
        ),
    ] = None
    ratio: Annotated[
        float | None,
        typer.Option(
            "--ratio",
            metavar="R",
            min=1.0,
            help="Make it R times smaller, j2k-lossy, htj2k-lossy.",
            rich_help_panel="Conversion",
        ),
    ] = None
    is_verified: Annotated[
        bool,
        typer.Option(
            "--verify/--no-verify",
            help="Decode every encoded frame and compare it.",
            rich_help_panel="Conversion",
        ),
    ] = True
    uid: Annotated[
        str,
        typer.Option(
            "--uid",
            metavar="auto|new|keep",
            help="SOP Instance UID: a new one when something is lost, always, never.",
            rich_help_panel="Conversion",
        ),
    ] = "auto"
    to_8_bit: Annotated[
        bool,
        typer.Option(
            "--render-to-8bit",
            help="For a lossy syntax render more than 8 bits by the window.",
            rich_help_panel="Conversion",
        ),
    ] = False
    max_pixels: Annotated[
        int | None,
        typer.Option(
            "--max-pixels",
            metavar="N",
            min=1,
            help="Refuse larger frames. [default: 268435456]",
            rich_help_panel="Conversion",
        ),
    ] = None

    def options(self, target: str) -> Options:
        """Return how to transcode; UsageError when that makes no sense for the target."""
        from pacs_cli.pixels.codecs import Quality, require_codecs
        from pacs_cli.pixels.syntaxes import Family, syntax_of
        from pacs_cli.pixels.transcoding import MAX_PIXELS, Options

        syntax = syntax_of(target)
        if self.uid not in ("auto", "new", "keep"):
            raise UsageError(f"--uid {self.uid}: choose auto, new or keep")
        for name, value, families in (
            ("quality", self.quality, set(Family) - {Family.JPEG_LS}),
            ("near", self.near, {Family.JPEG_LS}),
            ("ratio", self.ratio, {Family.JPEG_2000, Family.HTJ2K}),
        ):
            if value is not None and (not syntax.is_lossy or syntax.family not in families):
                raise UsageError(f"--{name}: {syntax.name} does not take it")
        if self.to_8_bit and not syntax.is_lossy:
            raise UsageError(f"--render-to-8bit: {syntax.name} keeps all bits")
        if syntax.needs_codecs or syntax.family is Family.RLE:
            require_codecs()
        return Options(
            Quality(self.quality, self.near, self.ratio),
            self.is_verified,
            self.uid,
            "",
            self.to_8_bit,
            self.max_pixels or MAX_PIXELS,
        )


def warn_of_missing_bounds(report: Report) -> None:
    """Say what cannot be bounded of the processes that decode, where that is something."""
    from pacs_cli.pixels.bounds import missing_bounds

    if reason := missing_bounds():
        report.warning(reason)
