"""Tables fit the terminal, stand below each other by display width, and lose nothing."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_cli.tables import Cell, date, draw, drawn_text, shown_size, size, time, width_of

UID = "1.2.826.0.1.3680043.8.498.79511457010832257282617093719974087923"


def test_columns_stand_below_each_other_and_numbers_at_the_right() -> None:
    lines = draw("title", ("name", "count"), [("ct", "7"), ("magnetic", "1234")], 80)
    assert lines == [
        "title",
        "name      count",
        "────────  ─────",
        "ct            7",
        "magnetic   1234",
    ]


@pytest.mark.parametrize("name", ["山田^太郎", "김희중", "Müller", "Mu\u0308ller", "Яков", "ﾔﾏﾀﾞ"])
def test_wide_characters_take_their_two_columns(name: str) -> None:
    lines = draw("", ("name", "id"), [("Doe^Jane^Anna", "T1"), (name, "T2")], 80)
    assert width_of(lines[-1].partition("T2")[0]) == lines[-2].index("T1")


@pytest.mark.parametrize(
    ("text", "width"),
    [("ab", 2), ("山田", 4), ("김", 2), ("u\u0308", 1), ("\u3000", 2), ("ﾔ", 1), ("é", 1)],
)
def test_width_is_that_of_the_terminal(text: str, width: int) -> None:
    assert width_of(text) == width


def test_headings_are_broken_before_text_is() -> None:
    lines = draw("", ("Number Of Frames", "What it is"), [("12", "one two three")], 21)
    assert lines[:3] == ["Number", "    Of", "Frames  What it is"]
    assert lines[-1] == "    12  one two three"


def test_text_is_broken_at_blanks_and_a_name_at_its_caret() -> None:
    rows = [("Doe^Jane", "an abdomen with much contrast")]
    lines = draw("", ("name", "text"), rows, 30)
    assert lines[2:] == ["Doe^Jane  an abdomen with much", "          contrast"]
    rows = [("Mueller-Luedenscheidt^Karl^Heinz^^Dr.", "x")]
    lines = draw("", ("name", "x"), rows, 20)
    assert "".join(line.replace("x", "").strip() for line in lines[2:]) == rows[0][0]


def test_uid_that_has_no_room_goes_whole_to_a_line_below_its_row() -> None:
    rows = [("2024-01-02", "Doe^Jane", UID), ("2024-01-03", "Roe^Jane", "")]
    lines = draw("", ("Date", "Name", "Study Instance UID"), rows, 80)
    assert lines == [
        "Date        Name",
        "  Study Instance UID",
        "──────────  ────────",
        "2024-01-02  Doe^Jane",
        f"  {UID}",
        "2024-01-03  Roe^Jane",
        "  -",
    ]


def test_uid_that_has_room_stays_beside_the_others() -> None:
    lines = draw("", ("Date", "UID"), [("2024-01-02", UID)], 80)
    assert lines[-1] == f"2024-01-02  {UID}"


def test_headings_are_bold_where_that_is_shown() -> None:
    lines = draw("", ("a", "b"), [("1", "2")], 80, is_styled=True)
    assert lines[0] == "\x1b[1ma  b\x1b[0m"
    assert not any("\x1b" in line for line in lines[1:])


def test_table_without_rows_has_its_headings() -> None:
    assert draw("", ("a", "bc"), [], 80) == ["a  bc", "─  ──"]


_TEXTS = st.text("ab ^,.1山é", max_size=70)
_ROWS = st.lists(
    st.tuples(st.text("ab山", max_size=8), _TEXTS, _TEXTS, _TEXTS), min_size=1, max_size=4
)


@given(_ROWS, st.integers(20, 120))
def test_every_value_is_there_and_no_line_is_too_long(
    rows: list[tuple[str, ...]], width: int
) -> None:
    lines = draw("", ("One Thing", "two", "Three", "4"), rows, width)
    shown = Counter("".join(lines))
    wanted = Counter(character for row in rows for cell in row for character in cell)
    del wanted[" "]
    assert wanted <= shown
    for line in lines:
        # only what has no end of its own is longer, on a line that it has for itself
        assert width_of(line) <= width or line[2:] in {cell for row in rows for cell in row}


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (38_932, "38.9 kB"),
        (155_844, "156 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (9_994_999, "9.99 MB"),
        (1_234_567_890, "1.23 GB"),
        (12 * 10**12, "12.0 TB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_size_is_three_digits_and_a_unit(count: int, shown: str) -> None:
    assert shown_size(count) == shown


@pytest.mark.parametrize(
    ("cell", "plain", "drawn"),
    [
        (date("20240102"), "20240102", "2024-01-02"),
        (date("2024"), "2024", "2024"),
        (date(""), "", ""),
        (time("101112.123"), "101112.123", "10:11:12"),
        (time("1011"), "1011", "1011"),
        (size(155_844), "155844", "156 kB"),
        (Cell("a", "b"), "a", "b"),
        (7, "7", "7"),
    ],
)
def test_a_pipe_gets_what_can_be_read_on_and_a_terminal_what_can_be_read(
    cell: object, plain: str, drawn: str
) -> None:
    assert (str(cell), drawn_text(cell)) == (plain, drawn)
