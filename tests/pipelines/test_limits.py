"""Rates and hours, on a clock of the test."""

from __future__ import annotations

import time

import pytest

from pacs_cli.errors import UsageError
from pacs_cli.pipelines.limits import Rate, Window, until_open


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def at(hour: int, minute: int, second: int = 0) -> time.struct_time:
    return time.struct_time((2026, 1, 2, hour, minute, second, 4, 2, 0))


@pytest.mark.parametrize(
    ("objects", "size", "delays"),
    [
        (4.0, 0.0, [0.0, 0.25, 0.5]),
        (0.0, 1000.0, [0.0, 0.5, 1.0]),
        # the slower of both counts
        (1.0, 1000.0, [0.0, 1.0, 2.0]),
        (0.0, 0.0, [0.0, 0.0, 0.0]),
    ],
)
def test_rate_delays_each_object_by_the_one_before(objects, size, delays):
    rate = Rate(objects, size, Clock())
    assert [rate.delay(500) for _ in range(3)] == delays
    assert rate.is_limited == bool(objects or size)


def test_pause_is_not_made_up_for():
    clock = Clock()
    rate = Rate(2.0, clock=clock)
    rate.delay(1)
    clock.now += 60
    assert [rate.delay(1), rate.delay(1)] == [0.0, 0.5]


@pytest.mark.parametrize(
    ("window", "now", "seconds"),
    [
        ("22:00-06:00", at(23, 0), 0),
        ("22:00-06:00", at(5, 59, 59), 0),
        ("22:00-06:00", at(6, 0), 16 * 3600),
        ("22:00-06:00", at(21, 59, 30), 30),
        ("08:30-17:00", at(8, 30), 0),
        ("08:30-17:00", at(17, 0), 15.5 * 3600),
        ("18:00-24:00", at(23, 59), 0),
    ],
)
def test_window_says_how_long_it_is_closed(window, now, seconds):
    assert Window.parse(window).seconds_until_open(now) == seconds


def test_one_open_window_is_enough_and_none_is_always_open():
    windows = (Window.parse("22:00-06:00"), Window.parse("12:00-13:00"))
    assert until_open(windows, at(12, 30)) == 0
    assert until_open(windows, at(11, 0)) == 3600
    assert until_open((), at(11, 0)) == 0


@pytest.mark.parametrize("text", ["", "22-06", "24:00-01:00", "10:00-24:30", "07:00-07:00"])
def test_what_is_no_window_is_a_usage_error(text):
    with pytest.raises(UsageError, match="--window"):
        Window.parse(text)
