"""The only printer: human lines and tables, JSON lines, CSV, progress, and what goes to stderr.

Results go to stdout, everything else to stderr. Whatever comes from a file or a peer passes
`clean`, so that it cannot steer the terminal, and is never taken as markup.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

from pacs_cli.errors import LocalProtocolError, OutputError
from pacs_cli.options import OutputOptions
from pacs_cli.tables import draw, drawn_text

if TYPE_CHECKING:
    from tqdm import tqdm

Fields = Mapping[str, Any]

#: A dump line of a context with sixty transfer syntaxes fits; a value made to flood does not.
_LINE_LIMIT = 4_000


def clean(text: str, limit: int = _LINE_LIMIT) -> str:
    """Return text that is safe on a terminal: one line, at most `limit` characters, `...` included.

    Control characters (line ends, ESC, C1), bidirectional overrides, other invisible format
    characters and undecodable bytes become visible escapes; all other text stays.
    """
    cut = text[:limit]
    if not cut.isprintable():
        cut = "".join(map(_visible, cut))
    if len(text) <= limit and len(cut) <= limit:
        return cut
    return cut[: max(limit - 3, 0)] + "..."


def _visible(character: str) -> str:
    # not every space is printable to Python: the ideographic one is part of Japanese names
    if character.isprintable() or character in "\u00a0\u3000":
        return character
    return character.encode("unicode_escape").decode("ascii")


#: Style of a part of a line -> how a terminal draws it (ECMA-48 SGR).
_STYLES = {
    "tag": "36",
    "vr": "35",
    "remark": "2",
    "name": "32",
    "note": "33",
    "item": "2",
    "heading": "1",
    "removed": "31",
    "added": "32",
}


class Progress:
    """Counts what is done; shows a bar when there is one."""

    def __init__(self, bar: tqdm[Any] | None, total_count: int, has_bytes: bool) -> None:
        self._bar = bar
        self._total_count = total_count
        self._has_bytes = has_bytes
        self._count = 0

    def advance(self, count: int = 1, size: int = 0) -> None:
        """Count `count` more things and `size` more bytes as done."""
        self._count += count
        if self._bar is None:
            return
        if self._has_bytes:
            self._bar.set_postfix_str(f"{self._count}/{self._total_count}", refresh=False)
            self._bar.update(size)
        else:
            self._bar.update(count)


class Report:
    """Prints what a command has to say. Any thread may call it; a line is never torn.

    output  what was asked for
    stdout  takes the results; None when the process was started without one
    stderr  takes everything else
    clock   seconds since 1970, for the time stamps of the log file
    """

    def __init__(
        self,
        output: OutputOptions,
        stdout: TextIO | None,
        stderr: TextIO | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._output = output
        self._stdout = stdout
        self._stderr = stderr
        self._clock = clock
        self._lock = threading.RLock()
        self._bar: tqdm[Any] | None = None
        self._csv_kind = ""
        self._csv_columns: tuple[str, ...] = ()

    @classmethod
    def for_output(cls, output: OutputOptions) -> Report:
        """Return a report on this process's streams; OutputError when the log cannot be written."""
        if output.log_file is not None:
            try:
                output.log_file.open("a", encoding="utf-8").close()
            except OSError as error:
                raise OutputError(
                    f"cannot write the log file {output.log_file}: {error.strerror}"
                ) from None
        return cls(output, sys.stdout, sys.stderr)

    @property
    def is_text(self) -> bool:
        """Whether stdout is for people: neither --json nor --csv."""
        return not (self._output.json or self._output.csv)

    @property
    def shows_results(self) -> bool:
        """Whether lines or records are written at all: not with -q for people."""
        return not (self.is_text and self._output.quiet)

    @property
    def is_verbose(self) -> bool:
        """Whether notes are shown: -v or -d."""
        return self._output.verbose > 0 or self._output.debug

    @property
    def is_debugging(self) -> bool:
        """Whether debug lines are shown: -d."""
        return self._output.debug

    def record(self, kind: str, fields: Fields) -> None:
        """Write one result: a JSON line under --json, a row under --csv, in text nothing.

        CSV has the columns of the first record and the rows of its kind only; what else there is
        to know stands in the JSON lines.
        """
        if self._output.json:
            self._write_json(kind, fields)
        elif self._output.csv:
            with self._lock:
                self._write_row(kind, fields)

    def line(self, text: str) -> None:
        """Write one result for people; nothing under --json, --csv or -q."""
        if self.is_text and not self._output.quiet:
            self._write(clean(text))

    def lines(self, lines: Iterable[Sequence[tuple[str, str]]]) -> None:
        """Write lines for people, each of parts with a style, which a terminal shows as colour.

        Parts are made safe, however long they are; nothing under --json, --csv or -q.
        """
        if not self.is_text or self._output.quiet:
            return
        shown = _coloured if _shows_colour(self._stdout) else _plain
        text = "\n".join(map(shown, lines))
        if text:
            self._write(text)

    def summary(self, fields: Fields, text: str) -> None:
        """Write the last line: `text` for people, the record `summary` under --json."""
        if self._output.json:
            self._write_json("summary", fields)
        else:
            self.line(text)

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        to_stderr: bool = False,
    ) -> None:
        """Show rows: drawn on a terminal, else tab-separated lines below a header.

        to_stderr  it belongs to what -v shows; otherwise it is a result, as `line` is
        """
        if not (self.is_verbose if to_stderr else self.is_text and not self._output.quiet):
            return
        stream = self._stderr if to_stderr else self._stdout
        cells = [[clean(str(cell)) for cell in row] for row in rows]
        shown = lines = ["\t".join(row) for row in [list(columns), *cells]]
        if _is_terminal(stream):
            headings = list(map(clean, columns))
            cells = [[clean(drawn_text(cell)) for cell in row] for row in rows]
            shown = draw(clean(title), headings, cells, _width_of(stream), _shows_colour(stream))
        if to_stderr:
            self._tell(shown, lines)
        else:
            self._write("\n".join(shown))

    def note(self, text: str) -> None:
        """Say on stderr what is being done, with -v."""
        if self.is_verbose:
            self._tell([clean(text)])

    def debug(self, text: str) -> None:
        """Say on stderr what is on the wire, with -d."""
        if self.is_debugging:
            self._tell([clean(text)])

    def warning(self, text: str) -> None:
        """Say on stderr what may not be as wanted."""
        self._tell([f"warning: {clean(text)}"])

    def error(self, text: str) -> None:
        """Say on stderr what failed."""
        self._tell([clean(text)])

    def traceback(self, error: BaseException) -> None:
        """Show on stderr where an exception comes from."""
        import traceback

        lines = "".join(traceback.format_exception(error)).splitlines()
        self._tell([clean(line) for line in lines])

    @contextmanager
    def progress(self, total_count: int, total_bytes: int, label: str) -> Iterator[Progress]:
        """Give a `Progress`; it draws a bar on stderr, only on a terminal and without -q.

        total_bytes  0 when bytes are not what is counted
        """
        # a bar goes back to the beginning of its line, which a dumb terminal may not
        if self._output.quiet or not _is_terminal(self._stderr) or _is_dumb():
            yield Progress(None, total_count, total_bytes > 0)
            return
        with _bar(self._stderr, total_count, total_bytes, clean(label)) as bar:
            with self._lock:
                self._bar = bar
            try:
                yield Progress(bar, total_count, total_bytes > 0)
            finally:
                with self._lock:
                    self._bar = None

    def _write_json(self, kind: str, fields: Fields) -> None:
        import json

        # plain ASCII: nothing is lost, no stream lacks a character, no terminal is steered
        self._write(json.dumps({"type": kind, **fields}, default=str))

    def _write_row(self, kind: str, fields: Fields) -> None:
        rows = [list(fields.values())]
        if not self._csv_kind:
            self._csv_kind, self._csv_columns = kind, tuple(fields)
            rows.insert(0, list(fields))
        if kind != self._csv_kind:
            return
        if tuple(fields) != self._csv_columns:
            raise LocalProtocolError(f"a CSV row of {kind} has columns other than the first")
        self._write(_csv_lines(rows))

    def _write(self, text: str) -> None:
        """Write to stdout and flush: who reads events live waits for them, and a lost stdout shows
        at once."""
        if self._stdout is None:
            raise OutputError("cannot write to standard output: it is closed")
        with self._lock, self._bar_cleared():
            try:
                _put(self._stdout, text)
            except BrokenPipeError:
                raise
            except OSError as error:
                advice = "; make room or write elsewhere" if error.errno == errno.ENOSPC else ""
                raise OutputError(
                    f"cannot write to standard output: {error.strerror or error}{advice}"
                ) from None

    def _tell(self, lines: Sequence[str], logged: Sequence[str] | None = None) -> None:
        """Write lines to stderr and the log file."""
        with self._lock:
            self._log(lines if logged is None else logged)
            if self._stderr is None:
                return
            try:
                with self._bar_cleared():
                    _put(self._stderr, "\n".join(lines))
            except OSError:
                # there is nobody left to tell; the work and the exit code matter more
                self._stderr = None

    def _log(self, lines: Sequence[str]) -> None:
        file = self._output.log_file
        if file is None:
            return
        now = self._clock()
        stamp = (
            time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
        )
        try:
            # opened for each line: nothing to close, and the file may be rotated meanwhile
            with file.open("a", encoding="utf-8", errors="backslashreplace") as log:
                log.writelines(f"{stamp} {line}\n" for line in lines)
        except OSError:
            # a full disk must not stop the work; the line still goes to stderr
            return

    @contextmanager
    def _bar_cleared(self) -> Iterator[None]:
        if self._bar is None:
            yield
            return
        self._bar.clear()
        try:
            yield
        finally:
            self._bar.refresh()


def _plain(line: Sequence[tuple[str, str]]) -> str:
    text = "".join([text for _, text in line])
    return text if text.isprintable() else "".join(map(_visible, text))


def _coloured(line: Sequence[tuple[str, str]]) -> str:
    parts = []
    for style, text in line:
        code = _STYLES.get(style)
        safe = text if text.isprintable() else "".join(map(_visible, text))
        parts.append(f"\x1b[{code}m{safe}\x1b[0m" if code and text else safe)
    return "".join(parts)


def _put(stream: TextIO, text: str) -> None:
    try:
        stream.write(text + "\n")
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _is_dumb() -> bool:
    return os.environ.get("TERM") == "dumb"


def _shows_colour(stream: TextIO | None) -> bool:
    return _is_terminal(stream) and not os.environ.get("NO_COLOR") and not _is_dumb()


def _width_of(stream: TextIO | None) -> int:
    """Return the columns of a terminal: those that COLUMNS says, its own, or 80."""
    typed = os.environ.get("COLUMNS", "")
    if typed.isdigit() and int(typed):
        return int(typed)
    # a terminal that does not know, or none at all
    with suppress(OSError, ValueError, AttributeError):
        assert stream is not None
        return os.get_terminal_size(stream.fileno()).columns or 80
    return 80


def _csv_lines(rows: Sequence[Sequence[object]]) -> str:
    import csv
    import io

    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([["" if cell is None else clean(str(cell)) for cell in row] for row in rows])
    return buffer.getvalue().removesuffix("\n")


def _bar(stream: TextIO | None, count: int, size: int, label: str) -> tqdm[Any]:
    from tqdm import tqdm

    # without it tqdm starts a thread to redraw bars that stand still
    tqdm.monitor_interval = 0
    unit = {"unit": "B", "unit_scale": True} if size else {"unit": " objects"}
    return tqdm(
        total=size or count, desc=label, file=stream, leave=False, dynamic_ncols=True, **unit
    )
