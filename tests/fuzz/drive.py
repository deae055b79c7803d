"""One target under atheris, which is libFuzzer guided by the coverage of our modules.

python -m tests.fuzz.drive TARGET CORPUS [libFuzzer's options]
"""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path

import atheris


def main() -> None:
    """Write the seeds into the corpus and fuzz."""
    name, corpus = sys.argv[1], Path(sys.argv[2])
    # what is imported inside functions has to be imported in here, which the seeds see to
    with atheris.instrument_imports(include=["pacs_cli"]):
        from tests.fuzz.registry import load

        target = load(name)
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds:
        (corpus / sha256(seed).hexdigest()[:32]).write_bytes(seed)
    atheris.Setup([sys.argv[0], str(corpus), *sys.argv[3:]], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
