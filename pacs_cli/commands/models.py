"""The options that choose the information model of a query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from pacs_cli.errors import UsageError

if TYPE_CHECKING:
    from pacs_cli.dicom.query import Model

_PANEL = "Query"


@dataclass(frozen=True, slots=True)
class RootOptions:
    """The information model of what can be retrieved."""

    is_patient_root: Annotated[
        bool,
        typer.Option(
            "-P", "--patient-root", help="Patient root model.", rich_help_panel="Query details"
        ),
    ] = False
    is_study_root: Annotated[
        bool,
        typer.Option(
            "-S",
            "--study-root",
            help="Study root model; the default.",
            rich_help_panel="Query details",
        ),
    ] = False
    is_patient_study_only: Annotated[
        bool,
        typer.Option(
            "-O",
            "--patient-study-only",
            help="Patient/study only model, which is retired.",
            rich_help_panel="Query details",
        ),
    ] = False

    def model(self) -> Model:
        """Return the model; UsageError when several were typed."""
        from pacs_cli.dicom.query import Model

        chosen = [model for model, is_typed in self._typed().items() if is_typed]
        if len(chosen) > 1:
            words = " and ".join(model.value for model in chosen)
            raise UsageError(f"two models, {words}; choose one")
        return chosen[0] if chosen else Model.STUDY_ROOT

    def _typed(self) -> dict[Model, bool]:
        from pacs_cli.dicom.query import Model

        return {
            Model.PATIENT_ROOT: self.is_patient_root,
            Model.STUDY_ROOT: self.is_study_root,
            Model.PATIENT_STUDY_ONLY: self.is_patient_study_only,
        }


@dataclass(frozen=True, slots=True)
class ModelOptions(RootOptions):
    """The information model of a query."""

    is_worklist: Annotated[
        bool,
        typer.Option("-W", "--worklist", help="Modality worklist.", rich_help_panel=_PANEL),
    ] = False

    def _typed(self) -> dict[Model, bool]:
        from pacs_cli.dicom.query import Model

        return {**RootOptions._typed(self), Model.WORKLIST: self.is_worklist}
