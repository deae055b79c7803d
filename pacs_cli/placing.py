"""A whole file gets its name, and never that of another."""

from __future__ import annotations

import errno
import os

#: File systems without hard links (FAT, some network shares) answer one of these.
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}


def place(part: str | os.PathLike[str], final: str | os.PathLike[str]) -> None:
    """Give a file its final name; raises FileExistsError when that is taken, OSError.

    Where there are no hard links the first name is gone after that, and a file that another
    process puts there in the same moment is not seen.
    """
    try:
        os.link(part, final)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(final):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), final) from None
        os.rename(part, final)  # noqa: PTH104 - names that are no text
