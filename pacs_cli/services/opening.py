"""An association that is being opened while something else is waited for as well."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

from pacs_cli.errors import AssociationAborted
from pacs_cli.net.target import Target
from pacs_cli.services.scu import Session
from pacs_cli.wire.negotiation import Proposal


class Opening:
    """Connects and associates in a thread of its own, which ends by the target's timeouts.

    `fileno` becomes readable when that is done; then `session` tells how, or `abandon` gives it up,
    at any time. One of the two is to be called, once.
    """

    def __init__(self, target: Target, proposals: Sequence[Proposal]) -> None:
        self._target = target
        self._proposals = proposals
        self._session: Session | None = None
        self._error: BaseException | None = None
        self._is_abandoned = False
        self._lock = threading.Lock()
        self._reader, self._writer = os.pipe()
        # not waited for at the end of the process: a peer that says nothing must not hold it
        self._thread = threading.Thread(target=self._open, daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """Return the descriptor that becomes readable."""
        return self._reader

    def session(self) -> Session:
        """Return the association, once there is one or none; raises as `Session` does."""
        self._thread.join()
        os.close(self._reader)
        if self._session is None:
            assert self._error is not None
            raise self._error
        return self._session

    def abandon(self) -> AssociationAborted:
        """Want it no more: it is aborted when it stands. Return what to raise."""
        with self._lock:
            self._is_abandoned = True
            session = self._session
        os.close(self._reader)
        if session is not None:
            session.abort()
        return AssociationAborted(f"it was ended before {self._target} had answered")

    def _open(self) -> None:
        session = None
        try:
            session = Session(self._target, self._proposals)
        except BaseException as error:  # noqa: BLE001 - raised by who asks for the session
            self._error = error
        finally:
            with self._lock:
                self._session = session
                is_abandoned = self._is_abandoned
            # the reader sees the end
            os.close(self._writer)
        if is_abandoned and session is not None:
            session.abort()
