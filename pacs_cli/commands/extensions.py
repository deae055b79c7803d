"""The options of extended negotiation, and what is said of the peer's answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from pacs_cli.wire.userinfo import ExtendedNegotiation, UserInformation

if TYPE_CHECKING:
    from pacs_cli.dicom.extended import Extension
    from pacs_cli.dicom.query import Model
    from pacs_cli.report import Report
    from pacs_cli.services.scu import Session

_PANEL = "Extended negotiation"


@dataclass(frozen=True, slots=True)
class ExtensionOptions:
    """What is proposed to a peer in extended negotiation."""

    is_relational: Annotated[
        bool,
        typer.Option(
            "--relational",
            help="Propose relational queries: keys of any level together.",
            rich_help_panel=_PANEL,
        ),
    ] = False
    has_date_time: Annotated[
        bool,
        typer.Option(
            "--date-time",
            help="Propose that ranges of a date and of a time count as one.",
            rich_help_panel=_PANEL,
        ),
    ] = False
    is_fuzzy: Annotated[
        bool,
        typer.Option(
            "--fuzzy", help="Propose that names are matched by sound.", rich_help_panel=_PANEL
        ),
    ] = False
    has_time_zone: Annotated[
        bool,
        typer.Option(
            "--time-zone",
            help="Propose that times are adjusted to a time zone.",
            rich_help_panel=_PANEL,
        ),
    ] = False

    def wanted(self) -> frozenset[Extension]:
        """Return what was typed."""
        from pacs_cli.dicom.extended import Extension

        typed = {
            Extension.RELATIONAL: self.is_relational,
            Extension.DATE_TIME: self.has_date_time,
            Extension.FUZZY: self.is_fuzzy,
            Extension.TIME_ZONE: self.has_time_zone,
        }
        return frozenset(each for each, is_typed in typed.items() if is_typed)

    def negotiation(self, model: Model) -> UserInformation:
        """Return what to propose; UsageError when the model does not have it."""
        from pacs_cli.dicom.extended import application_information

        field = application_information(model, self.wanted())
        item = ExtendedNegotiation(model.sop_class_uid, field)
        return UserInformation(extended_negotiations=(item,) if field else ())

    def tell(self, report: Report, session: Session, model: Model) -> None:
        """Say with -v what the peer answered, and in any case what it does not grant."""
        from pacs_cli.dicom.extended import granted

        answers = {
            item.sop_class_uid: item.application_information
            for item in session.answer.user_information.extended_negotiations
        }
        for extension, is_granted in granted(
            self.wanted(), answers.get(model.sop_class_uid)
        ).items():
            if is_granted:
                report.note(f"{session.target} grants {extension.words}")
            else:
                report.warning(f"{session.target} does not grant {extension.words}")
