"""What is to be sent, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from pacs_cli.dicom.part10 import Header, IsDirectory, probe
from pacs_cli.errors import Exit, InputError
from pacs_cli.pipelines.files import Found, Passed, find_files

if TYPE_CHECKING:
    from pacs_cli.dicom.edit import Editor


class NotSendable(InputError):
    """An object is not sent, for a reason of its own class, `failure`."""

    def __init__(self, failure: str, message: str) -> None:
        super().__init__(message)
        self.failure = failure


class Item(NamedTuple):
    """One file to send and what its header says, SOP class and instance as they are to be sent.

    sent_as  the transfer syntax it was converted to, "" when it goes as it is stored
    """

    path: str
    header: Header
    sent_as: str = ""

    def converted_to(self, transfer_syntax_uid: str) -> Item:
        """Return it as it is sent, not in the transfer syntax it is stored in."""
        return self._replace(sent_as=transfer_syntax_uid)

    @property
    def size(self) -> int:
        """Bytes of the data set in the file."""
        return self.header.file_size - self.header.dataset_offset

    @property
    def kind(self) -> tuple[str, str]:
        """SOP class and transfer syntax: what has a presentation context of its own."""
        return self.header.sop_class_uid, self.header.transfer_syntax_uid


class ChangedItem(Item):
    """An object that is changed on its way: `header` says what it is sent as.

    source  what the file says
    lines   of the table of fixes that count for it
    """

    source: Header
    lines: tuple[int, ...]


class Sent(NamedTuple):
    """What became of one file.

    status    the peer's, None when it did not answer or was never asked
    error     None when the peer keeps the object; else why not, on one line
    seconds   from the first byte sent to the answer, the last time it was sent
    exit      the class of the failure, OK without one
    attempts  how often it was sent, as a whole or in part
    is_own    whether the reason lies with the object, not with a peer that was given up or a run
              that was ended
    failure   the class of a reason that has one of its own, else ""
    """

    path: str
    item: Item | None
    status: int | None
    error: str | None = None
    seconds: float = 0.0
    exit: Exit = Exit.OK
    attempts: int = 0
    is_own: bool = True
    failure: str = ""

    @property
    def is_warning(self) -> bool:
        """Whether the peer keeps the object with a remark."""
        return self.error is None and self.status != 0

    @property
    def outcome(self) -> str:
        """One of `stored`, `warning`, `failed` (the peer refused it) and `not sent`."""
        if self.error is None:
            return "warning" if self.is_warning else "stored"
        return "failed" if self.status is not None else "not sent"

    def fields(self) -> dict[str, Any]:
        """Return all of it as the record of one file."""
        item = self.item
        header = item.header if item else None
        return {
            "path": self.path,
            "outcome": self.outcome,
            "status": None if self.status is None else f"{self.status:04X}",
            "error": self.error,
            "sop_class_uid": header.sop_class_uid if header else None,
            "sop_instance_uid": header.sop_instance_uid if header else None,
            "transfer_syntax_uid": header.transfer_syntax_uid if header else None,
            "converted_to": (item.sent_as or None) if item else None,
            "bytes": item.size if item else 0,
            "seconds": round(self.seconds, 6),
            "attempts": self.attempts,
        }


#: Looks at one path that was found.
Examine = Callable[[Found | Passed], Item | Sent | Passed]


def examiner(editor: Editor | None = None) -> Examine:
    """Return what reads the header of a file, with the edits that it will be sent with."""

    def examine(found: Found | Passed) -> Item | Sent | Passed:
        if isinstance(found, Passed):
            return _failed(found.path, found.reason) if found.is_failure else found
        try:
            header = probe(found.path)
            if editor is not None:
                identity = editor.identity(header.sop_class_uid, header.sop_instance_uid)
                header = header._replace(sop_class_uid=identity[0], sop_instance_uid=identity[1])
            return Item(found.path, header)
        except IsDirectory:
            if found.is_named:
                reason = "a DICOMDIR by another name is not followed; name its folder"
                return _failed(found.path, reason)
            # it lists objects and is none: a folder from a disc is sent whole without it
            reason = "a DICOMDIR is not sent"
            return Passed(found.path, reason, is_failure=False, is_usual=True)
        except InputError as error:
            message = str(error)
            if not message.startswith("cannot read "):
                message = f"cannot send {found.path}: {message}"
            return Sent(found.path, None, None, message, exit=error.exit)

    return examine


def collect(
    paths: Iterable[str], follow: bool = False
) -> tuple[list[Item], list[Sent], list[Passed]]:
    """Read the header of every file that `paths` mean.

    returns  what can be sent, what cannot with its reason, and what is left out by nature
    """
    items: list[Item] = []
    failures: list[Sent] = []
    passed: list[Passed] = []
    for entry in map(examiner(), find_files(paths, follow)):
        if isinstance(entry, Item):
            items.append(entry)
        elif isinstance(entry, Sent):
            failures.append(entry)
        else:
            passed.append(entry)
    return items, failures, passed


def _failed(path: str, reason: str) -> Sent:
    return Sent(path, None, None, f"cannot read {path}: {reason}", exit=Exit.BAD_INPUT)
