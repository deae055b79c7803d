"""What a process that runs codecs may take of the machine, as far as the system can bound that."""

from __future__ import annotations

import math
import sys
from contextlib import suppress
from pathlib import Path

#: Seconds without progress after which a process that runs codecs is taken for stuck: the slowest
#: encoder takes a second for four megapixels.
PATIENCE = 120.0
#: Bytes of address space beyond what the process has: a frame of the most pixels in 16 bits, as its
#: decoder and we hold it. What asks for more gets a MemoryError.
MEMORY = 6 << 30


def bound_memory(more: int = MEMORY) -> None:
    """Let no codestream take the machine's memory; a crash leaves no core file."""
    try:
        import resource
    except ImportError:
        # not on every system, which `missing_bounds` says
        return
    in_use = 1 << 30
    with suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        in_use = pages * resource.getpagesize()
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (in_use + more, in_use + more))


def bound_processor(seconds: float) -> None:
    """Let this process take so much more time of the processor from now on, and then end it.

    Who waits for it gives it up before that, but may be gone: nothing computes for ever for nobody.
    """
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    with suppress(OSError, ValueError):
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        limit = math.ceil(used.ru_utime + used.ru_stime + seconds)
        if hard == resource.RLIM_INFINITY or limit < hard:
            resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))


def missing_bounds() -> str:
    """Return what of this cannot be bounded on this system, and why; "" when all is."""
    system = str(sys.platform)
    if system == "linux":
        return ""
    return (
        "decoders run in processes that may crash or hang and cost a file, but this system "
        f"({system}) does not bound the memory of a process"
    )
