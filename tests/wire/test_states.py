"""Every state of PS3.8 table 9-10 against every event."""

from __future__ import annotations

import pytest

from pacs_cli.wire.states import TABLE, Action, Event, State

#: Table 9-10 of PS3.8, copied cell by cell: one row per event, one column per state Sta1 to Sta13.
#: A cell is the action and the next state; "-" cannot happen.
GRID = """
 1 AE-1:4  -       -       -       -       -       -         -       -       -        -       -       -
 2 -       -       -       AE-2:5  -       -       -         -       -       -        -       -       -
 3 -       AA-1:13 AA-8:13 -       AE-3:6  AA-8:13 AA-8:13   AA-8:13 AA-8:13 AA-8:13  AA-8:13 AA-8:13 AA-6:13
 4 -       AA-1:13 AA-8:13 -       AE-4:1  AA-8:13 AA-8:13   AA-8:13 AA-8:13 AA-8:13  AA-8:13 AA-8:13 AA-6:13
 5 AE-5:2  -       -       -       -       -       -         -       -       -        -       -       -
 6 -       AE-6:3/13 AA-8:13 -     AA-8:13 AA-8:13 AA-8:13   AA-8:13 AA-8:13 AA-8:13  AA-8:13 AA-8:13 AA-7:13
 7 -       -       AE-7:6  -       -       -       -         -       -       -        -       -       -
 8 -       -       AE-8:13 -       -       -       -         -       -       -        -       -       -
 9 -       -       -       -       -       DT-1:6  -         AR-7:8  -       -        -       -       -
10 -       AA-1:13 AA-8:13 -       AA-8:13 DT-2:6  AR-6:7    AA-8:13 AA-8:13 AA-8:13  AA-8:13 AA-8:13 AA-6:13
11 -       -       -       -       -       AR-1:7  -         -       -       -        -       -       -
12 -       AA-1:13 AA-8:13 -       AA-8:13 AR-2:8  AR-8:9/10 AA-8:13 AA-8:13 AA-8:13  AA-8:13 AA-8:13 AA-6:13
13 -       AA-1:13 AA-8:13 -       AA-8:13 AA-8:13 AR-3:1    AA-8:13 AA-8:13 AR-10:12 AR-3:1  AA-8:13 AA-6:13
14 -       -       -       -       -       -       -         AR-4:13 AR-9:11 -        -       AR-4:13 -
15 -       -       AA-1:13 AA-2:1  AA-1:13 AA-1:13 AA-1:13   AA-1:13 AA-1:13 AA-1:13  AA-1:13 AA-1:13 -
16 -       AA-2:1  AA-3:1  -       AA-3:1  AA-3:1  AA-3:1    AA-3:1  AA-3:1  AA-3:1   AA-3:1  AA-3:1  AA-2:1
17 -       AA-5:1  AA-4:1  AA-4:1  AA-4:1  AA-4:1  AA-4:1    AA-4:1  AA-4:1  AA-4:1   AA-4:1  AA-4:1  AR-5:1
18 -       AA-2:1  -       -       -       -       -         -       -       -        -       -       AA-2:1
19 -       AA-1:13 AA-8:13 -       AA-8:13 AA-8:13 AA-8:13   AA-8:13 AA-8:13 AA-8:13  AA-8:13 AA-8:13 AA-7:13
"""  # noqa: E501

CELLS = [
    (Event(int(row.split()[0])), State(column), cell)
    for row in GRID.strip().splitlines()
    for column, cell in enumerate(row.split()[1:], 1)
]


def test_grid_is_whole():
    assert len(CELLS) == 19 * 13


@pytest.mark.parametrize(
    ("event", "state", "cell"), CELLS, ids=[f"E{e.value}-Sta{s.value}" for e, s, _ in CELLS]
)
def test_table_says_what_the_standard_says(event, state, cell):
    if cell == "-":
        assert (event, state) not in TABLE
        return
    action, _, states = cell.partition(":")
    assert TABLE[event, state] == (
        Action[action.replace("-", "_")],
        tuple(State(int(number)) for number in states.split("/")),
    )


def test_actions_are_distinct():
    assert len(Action) == 28
