"""C-GET over as many associations as the SOP classes of the objects need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pacs_cli.dicom.query import Model
from pacs_cli.dicom.retrieval import RetrieveRequest, is_uid, requests_for
from pacs_cli.errors import NoAcceptedContext, PacsError, PeerFailure
from pacs_cli.pipelines.calling import Calling
from pacs_cli.pipelines.find import Remark
from pacs_cli.pipelines.operations import Get
from pacs_cli.pipelines.receiver import Arrivals
from pacs_cli.pipelines.retrieve import Progress, Result, Retrieval, Settings
from pacs_cli.pipelines.storage_contexts import EVERY_CONTEXT, all_sop_classes, in_associations
from pacs_cli.pipelines.survey import Instance
from pacs_cli.services.serving import Handler

#: When the SOP classes are not known, each has one context for Explicit VR Little Endian, one for
#: Implicit, and one for all else.
_CONTEXTS_OF_UNKNOWN = 3

#: After these another association, with other SOP classes, may get what this one did not.
_FOR_WANT_OF_CONTEXTS = (0, 0xA702, 0xB000)


@dataclass(frozen=True, slots=True)
class Round:
    """One association: the SOP classes it is for, and what is asked for in it."""

    sop_classes: tuple[str, ...]
    requests: tuple[RetrieveRequest, ...]


def rounds_for(
    model: Model, requests: Sequence[RetrieveRequest], instances: Mapping[str, Instance] | None
) -> tuple[list[Round], bool]:
    """Return the associations, and whether each asks for what those before it did not get.

    instances  None when the peer does not tell what it holds; then, and when it does not tell the
               SOP classes, all of them are proposed
    """
    classes = dict.fromkeys(each.sop_class_uid for each in (instances or {}).values())
    if not classes or not all(map(is_uid, classes)):
        every = in_associations(all_sop_classes(), _CONTEXTS_OF_UNKNOWN)
        return [Round(group, tuple(requests)) for group in every], True
    groups = list(in_associations(tuple(classes), EVERY_CONTEXT))
    if len(groups) == 1:
        return [Round(groups[0], tuple(requests))], False
    assert instances is not None
    found = []
    for group in groups:
        own = [each.wanted for each in instances.values() if each.sop_class_uid in group]
        found.append(Round(group, tuple(requests_for(model, own))))
    return found, False


class GetRun:
    """Runs the rounds.

    handler   takes what comes
    results   one for each request
    """

    def __init__(
        self,
        calling: Calling,
        handler: Handler,
        arrivals: Arrivals,
        limit: int | None = None,
    ) -> None:
        self._calling = calling
        self._handler = handler
        self._arrivals = arrivals
        self._settings = Settings(limit, 0.0, arrivals)
        self._refusal: NoAcceptedContext | None = None
        self.results: list[Result] = []

    def run(
        self, rounds: Sequence[Round], is_chained: bool
    ) -> Iterator[Progress | Result | Remark]:
        """Run them; yield as Retrieval does, of each request one result.

        raises  as Retrieval does, when nothing came of any round
        """
        held: dict[RetrieveRequest, Result] = {}
        for number, each in enumerate(rounds):
            if number and (self._is_enough or (is_chained and not held)):
                break
            requests = list(held) if is_chained and held else list(each.requests)
            try:
                yield from self._round(each.sop_classes, requests, held)
            except NoAcceptedContext as error:
                self._refusal = self._refusal or error
            except PacsError as error:
                if not self.results and not held:
                    raise
                yield Remark(str(error))
                break
            if not is_chained:
                yield from self._settle(held)
        yield from self._settle(held)
        if self._refusal is not None and not self.results:
            raise self._refusal

    def _round(
        self,
        sop_classes: tuple[str, ...],
        requests: Sequence[RetrieveRequest],
        held: dict[RetrieveRequest, Result],
    ) -> Iterator[Progress | Result | Remark]:
        """Run one; what another may get is held instead of yielded."""
        retrieval = Retrieval(
            self._calling,
            Get(sop_classes, self._handler, self._arrivals.observe),
            replace(self._settings, earlier=dict(held)),
        )
        for event in retrieval.run(requests):
            if not isinstance(event, Result):
                yield event
                continue
            held.pop(event.request, None)
            kept = self._arrivals.kept
            event.failed_uids = [uid for uid in event.failed_uids if uid not in kept]
            if isinstance(event.error, PeerFailure) and event.status in _FOR_WANT_OF_CONTEXTS:
                held[event.request] = event
            else:
                self.results.append(event)
                yield event

    @property
    def _is_enough(self) -> bool:
        limit = self._settings.limit
        return self._calling.wakeup.is_set or (limit is not None and self._arrivals.stored >= limit)

    def _settle(self, held: dict[RetrieveRequest, Result]) -> Iterator[Result]:
        """Yield what is held: nobody else will get it."""
        for result in held.values():
            self.results.append(result)
            yield result
        held.clear()
