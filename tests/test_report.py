"""What is printed where, and that nothing from outside steers the terminal."""

from __future__ import annotations

import csv
import errno
import io
import json
import threading
from pathlib import Path

import pytest

from pacs_cli.errors import LocalProtocolError, OutputError
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report, clean
from pacs_cli.tables import date


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Failing(io.StringIO):
    """A stream whose every write fails."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, text: str) -> int:
        raise OSError(self.number, "it failed")


class Printed:
    """A report and what it wrote to its two streams."""

    def __init__(self, output: OutputOptions, terminal: bool = False) -> None:
        self.out, self.err = (
            (Terminal(), Terminal()) if terminal else (io.StringIO(), io.StringIO())
        )
        self.report = Report(output, self.out, self.err, clock=lambda: 1_700_000_000.25)

    @property
    def stdout(self) -> str:
        return self.out.getvalue()

    @property
    def stderr(self) -> str:
        return self.err.getvalue()


TEXT, JSON, CSV = OutputOptions(), OutputOptions(json=True), OutputOptions(csv=True)
QUIET, VERBOSE = OutputOptions(quiet=True), OutputOptions(verbose=1)
DEBUG = OutputOptions(debug=True)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Müller^山田", "Müller^山田"),
        ("山田\u3000太郎", "山田\u3000太郎"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\u202eb\u2066c", "a\\u202eb\\u2066c"),
        ("\u2028\ufeff\U000e0041", "\\u2028\\ufeff\\U000e0041"),
        ("name\udcff", "name\\udcff"),
        ("[red]a[/red]", "[red]a[/red]"),
        ("", ""),
    ],
)
def test_clean_makes_what_steers_a_terminal_visible(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize("text", ["x" * 11, "\n" * 9, "x" * 9 + "\n", "x" * 1_000_000])
def test_clean_cuts_what_is_too_long(text: str) -> None:
    assert len(clean(text, limit=10)) == 10
    assert clean(text, limit=10).endswith("...")


def test_clean_keeps_what_just_fits() -> None:
    assert clean("x" * 10, limit=10) == "x" * 10


@pytest.mark.parametrize(
    ("output", "stdout"),
    [(TEXT, "done\\n\n"), (QUIET, ""), (JSON, ""), (CSV, ""), (VERBOSE, "done\\n\n")],
)
def test_line_is_written_for_people_only(output: OutputOptions, stdout: str) -> None:
    printed = Printed(output)
    printed.report.line("done\n")
    assert printed.stdout == stdout


def test_record_is_a_json_line_in_json_mode() -> None:
    printed = Printed(JSON)
    printed.report.record("file", {"path": Path("a"), "size": 5, "error": None})
    printed.report.record("file", {"name": "Müller\x1b\u202e\udcff\n"})
    first, second = printed.stdout.splitlines()
    assert json.loads(first) == {"type": "file", "path": "a", "size": 5, "error": None}
    assert json.loads(second)["name"] == "Müller\x1b\u202e\udcff\n"
    assert printed.stdout.isascii()
    assert "\x1b" not in printed.stdout


def test_record_is_nothing_in_text() -> None:
    printed = Printed(TEXT)
    printed.report.record("file", {"path": "a"})
    assert printed.stdout == ""


def test_record_is_a_row_of_the_first_kind_in_csv_mode() -> None:
    printed = Printed(CSV)
    printed.report.record("file", {"path": 'a,"b"', "error": None})
    printed.report.record("other", {"x": 1})
    printed.report.record("file", {"path": "c\nd", "error": "\x1b"})
    rows = list(csv.reader(printed.stdout.splitlines()))
    assert rows == [["path", "error"], ['a,"b"', ""], ["c\\nd", "\\x1b"]]


def test_record_with_other_columns_is_refused_in_csv_mode() -> None:
    printed = Printed(CSV)
    printed.report.record("file", {"path": "a"})
    with pytest.raises(LocalProtocolError):
        printed.report.record("file", {"name": "a"})


def test_summary_is_the_last_record_or_line() -> None:
    for output, stdout in (
        (JSON, '{"type": "summary", "files": 2}\n'),
        (TEXT, "2 files\n"),
        (QUIET, ""),
        (CSV, ""),
    ):
        printed = Printed(output)
        printed.report.summary({"files": 2}, "2 files")
        assert printed.stdout == stdout


def test_table_is_tab_separated_in_a_pipe() -> None:
    printed = Printed(TEXT)
    printed.report.table("title", ("id", "name"), [(1, "a\tb"), (3, "[bold]c")])
    assert printed.stdout == "id\tname\n1\ta\\tb\n3\t[bold]c\n"


def test_table_is_drawn_on_a_terminal() -> None:
    printed = Printed(TEXT, terminal=True)
    printed.report.table("the [b]title", ("id", "name"), [(1, "[red]a\x1b[2J")])
    assert "the [b]title" in printed.stdout
    assert "[red]a\\x1b[2J" in printed.stdout
    assert "──" in printed.stdout


@pytest.mark.parametrize(
    ("name", "value", "is_styled"),
    [("NO_COLOR", "1", False), ("TERM", "dumb", False), ("NO_COLOR", "", True)],
)
def test_table_has_no_style_when_asked_not_to(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, is_styled: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(name, value)
    printed = Printed(TEXT, terminal=True)
    printed.report.table("title", ("id",), [(1,)])
    assert ("\x1b[" in printed.stdout) is is_styled
    printed.report.lines([[("tag", "x")]])
    assert ("\x1b[36m" in printed.stdout) is is_styled


@pytest.mark.parametrize(("columns", "lines"), [("80", 3), ("12", 4), ("", 3), ("x", 3)])
def test_table_is_as_wide_as_the_terminal(
    monkeypatch: pytest.MonkeyPatch, columns: str, lines: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    printed = Printed(TEXT, terminal=True)
    printed.report.table("", ("a", "uid"), [("x", "1.2.840.10008.1")])
    # heading, rule and row; in 12 columns the UID and its heading have lines of their own
    assert len(printed.stdout.splitlines()) == lines + (columns == "12")


def test_cell_has_a_form_for_terminals_and_one_for_pipes() -> None:
    for is_terminal, shown in ((True, "2024-01-02"), (False, "20240102")):
        printed = Printed(TEXT, terminal=is_terminal)
        printed.report.table("", ("date",), [(date("20240102"),)])
        assert printed.stdout.splitlines()[-1] == shown


def test_no_bar_is_drawn_on_a_dumb_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    printed = Printed(TEXT, terminal=True)
    with printed.report.progress(2, 0, "work") as progress:
        progress.advance()
    assert printed.stderr == ""


@pytest.mark.parametrize("output", [JSON, CSV, QUIET])
def test_table_is_nothing_on_stdout_unless_for_people(output: OutputOptions) -> None:
    printed = Printed(output)
    printed.report.table("title", ("id",), [(1,)])
    assert printed.stdout + printed.stderr == ""


@pytest.mark.parametrize(
    ("output", "stderr"),
    [(TEXT, ""), (VERBOSE, "id\n1\n"), (OutputOptions(json=True, verbose=1), "id\n1\n")],
)
def test_table_on_stderr_is_shown_when_verbose(output: OutputOptions, stderr: str) -> None:
    printed = Printed(output)
    printed.report.table("title", ("id",), [(1,)], to_stderr=True)
    assert (printed.stdout, printed.stderr) == ("", stderr)


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (TEXT, "warning: w\ne\n"),
        (QUIET, "warning: w\ne\n"),
        (JSON, "warning: w\ne\n"),
        (VERBOSE, "n\nwarning: w\ne\n"),
        (DEBUG, "n\nd\\x1b\nwarning: w\ne\n"),
    ],
)
def test_stderr_has_what_the_level_asks_for(output: OutputOptions, shown: str) -> None:
    printed = Printed(output)
    printed.report.note("n")
    printed.report.debug("d\x1b")
    printed.report.warning("w")
    printed.report.error("e")
    assert (printed.stdout, printed.stderr) == ("", shown)


def test_log_file_gets_what_goes_to_stderr_with_the_time(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    printed = Printed(OutputOptions(log_file=log, verbose=1))
    printed.report.line("result")
    printed.report.note("one")
    printed.report.error("two\udcff")
    printed.report.table("title", ("id",), [(1,)], to_stderr=True)
    stamp = "2023-11-14T22:13:20.250Z"
    expected = ["before", *(f"{stamp} {each}" for each in ("one", "two\\udcff", "id", "1"))]
    assert log.read_text().splitlines() == expected


def test_log_file_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write the log file"):
        Report.for_output(OutputOptions(log_file=tmp_path / "none" / "log"))


def test_log_file_lost_meanwhile_does_not_stop_the_work(tmp_path: Path) -> None:
    printed = Printed(OutputOptions(log_file=tmp_path / "none" / "log"))
    printed.report.error("still said")
    assert printed.stderr == "still said\n"


def test_broken_pipe_on_stdout_is_passed_on() -> None:
    report = Report(TEXT, Failing(errno.EPIPE), io.StringIO())
    with pytest.raises(BrokenPipeError):
        report.line("x")


@pytest.mark.parametrize("output", [TEXT, JSON])
def test_full_disk_under_stdout_is_an_output_error(output: OutputOptions) -> None:
    report = Report(output, Failing(errno.ENOSPC), io.StringIO())
    with pytest.raises(OutputError, match="cannot write to standard output: it failed"):
        report.summary({}, "x")


def test_stdout_that_was_never_open_is_an_output_error() -> None:
    with pytest.raises(OutputError, match="it is closed"):
        Report(TEXT, None, None).line("x")


@pytest.mark.parametrize("stderr", [None, Failing(errno.EPIPE), Failing(errno.ENOSPC)])
def test_lost_stderr_does_not_stop_the_work(stderr: Failing | None) -> None:
    stdout = io.StringIO()
    report = Report(TEXT, stdout, stderr)
    report.error("nobody hears")
    report.warning("nobody hears")
    report.line("result")
    assert stdout.getvalue() == "result\n"


def test_characters_the_stream_lacks_are_escaped() -> None:
    buffer = io.BytesIO()
    stdout = io.TextIOWrapper(buffer, encoding="ascii")
    Report(TEXT, stdout, None).line("Müller")
    assert buffer.getvalue() == b"M\\xfcller\n"


def test_lines_of_many_threads_are_never_torn() -> None:
    printed = Printed(JSON)
    threads = [
        threading.Thread(
            target=lambda number=number: [
                printed.report.record("event", {"number": number}) for _ in range(50)
            ]
        )
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = sorted(json.loads(line)["number"] for line in printed.stdout.splitlines())
    assert numbers == sorted(list(range(8)) * 50)


def test_progress_shows_count_bytes_and_rate_on_a_terminal() -> None:
    printed = Printed(TEXT, terminal=True)
    with printed.report.progress(3, 3_000_000, "sending\x1b") as progress:
        progress.advance(1, 1_000_000)
        printed.report.warning("odd")
        progress.advance(2, 2_000_000)
    assert "sending\\x1b" in printed.stderr
    assert "1/3" in printed.stderr
    assert "1.00M/3.00M" in printed.stderr
    assert "B/s" in printed.stderr
    assert "warning: odd\n" in printed.stderr
    assert printed.stdout == ""


def test_progress_counts_things_when_there_are_no_bytes() -> None:
    printed = Printed(TEXT, terminal=True)
    with printed.report.progress(3, 0, "reading") as progress:
        progress.advance()
        printed.report.line("one")
    assert "1/3" in printed.stderr
    assert printed.stdout == "one\n"


@pytest.mark.parametrize(("output", "terminal"), [(QUIET, True), (TEXT, False), (JSON, False)])
def test_progress_is_silent_without_a_terminal_or_when_quiet(
    output: OutputOptions, terminal: bool
) -> None:
    printed = Printed(output, terminal)
    with printed.report.progress(3, 10, "sending") as progress:
        progress.advance(3, 10)
    assert printed.stdout + printed.stderr == ""
