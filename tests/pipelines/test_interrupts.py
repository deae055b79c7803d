"""Ctrl-C is taken between results, and only where it is ours to take."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from pacs_cli.pipelines.interrupts import Interrupts


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_interrupt_while_a_result_is_told_comes_after_it():
    told = []

    def tell(entry: int) -> None:
        interrupt()
        told.append(entry)

    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt):
            interrupts.after(tell)(1)
    assert told == [1]


def test_interrupt_at_any_other_time_comes_at_once():
    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        interrupts.after(lambda entry: None)(1)
        interrupt()


def test_handler_that_was_there_is_there_again():
    before = signal.getsignal(signal.SIGINT)
    with Interrupts():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts():
            interrupt()
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_takes_no_signal():
    handlers = []

    def run() -> None:
        with Interrupts():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGINT)]
