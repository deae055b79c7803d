"""Programs run for what was received: one for each object, one for each study at rest.

A command is split once into words, as a shell does it, and never given to a shell. In its words
`{name}` stands for a value and `{{` for a brace; the program itself cannot be a value. The same
values are in the environment: `{StudyInstanceUID}` is PACS_STUDY_INSTANCE_UID, and so on.

A value stays inside its word, whatever is in it. Where a value begins a word, a first character
other than a letter, a digit or one of `/._` becomes `_`: an AE title may begin with `-`, `+` or
`@`, which programs take for an option or a file of options. In AE titles whatever is no printable
ASCII becomes `_` everywhere.

What a program leaves running when it ends is left alone; one that does not end in time is killed
with all that it started.

Nothing that receives ever waits for a program. Runs stand in a bounded queue from which a few
threads take them; when it is full, the run for an object is dropped, counted and said, while one
for a study waits. Runs of one study may overlap: that for the study can start while the last one
for an object still goes on.
"""

from __future__ import annotations

import os
import shlex
import shutil
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from string import Formatter

from pacs_cli.errors import UsageError
from pacs_cli.net.channel import Wakeup
from pacs_cli.pipelines.programs import KILL_SECONDS, OUTPUT_LIMIT, run_program
from pacs_cli.services.serving import InstanceReceived, ProviderEvent

#: Studies that may be waited for at once. At the default idle time that is 160 new ones a second.
_STUDY_LIMIT = 10_000

#: Value -> its environment variable. None of them is an option of ours in `config.py`.
VARIABLES = {
    "path": "PACS_PATH",
    "SOPInstanceUID": "PACS_SOP_INSTANCE_UID",
    "SOPClassUID": "PACS_SOP_CLASS_UID",
    "TransferSyntaxUID": "PACS_TRANSFER_SYNTAX_UID",
    "StudyInstanceUID": "PACS_STUDY_INSTANCE_UID",
    "SeriesInstanceUID": "PACS_SERIES_INSTANCE_UID",
    "CallingAETitle": "PACS_CALLING_AE_TITLE",
    "CalledAETitle": "PACS_CALLED_AE_TITLE",
    "address": "PACS_ADDRESS",
    "count": "PACS_COUNT",
    "identity": "PACS_IDENTITY",
}
_VARIABLE_NAMES = frozenset(VARIABLES.values())
#: What is known of an object; `path` is its file.
INSTANCE_VALUES = tuple(name for name in VARIABLES if name not in ("count", "identity"))
#: What is known of a study: `path` is the folder of all that arrived, `count` the number of
#: objects that are new since the last run for it; titles and address are those of the last one.
STUDY_VALUES = ("path", "StudyInstanceUID", "CallingAETitle", "CalledAETitle", "address", "count")

Values = Mapping[str, str]
#: Literal text and the value behind it, if any.
_Piece = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Hook:
    """One command that is run with the values of what was received."""

    option: str
    program: str
    words: tuple[tuple[_Piece, ...], ...]

    def arguments(self, values: Values) -> list[str]:
        """Return the program and its arguments with the values in their places."""
        return [self.program, *(_filled(word, values) for word in self.words)]


@dataclass(frozen=True, slots=True)
class HookSettings:
    """Which programs are run, and what they may cost.

    study_idle   seconds without an object of a study until it counts as complete; 60 as the
                 stable age of Orthanc
    timeout      seconds for one run
    workers      runs at once: enough to hide what each waits for, few enough to leave the
                 receiver its processors
    queue_limit  runs that wait; at about a kilobyte each
    """

    on_instance: Hook | None = None
    on_study: Hook | None = None
    study_idle: float = 60.0
    timeout: float = 60.0
    workers: int = 4
    queue_limit: int = 10_000


@dataclass(frozen=True, slots=True)
class HookCounts:
    """What became of the runs: dropped by a full queue, not run because the end came first."""

    succeeded: int = 0
    failed: int = 0
    dropped: int = 0
    not_run: int = 0


def instance_hook(command: str) -> Hook:
    """Return the hook of `--on-instance`; UsageError on bad quotes, names or programs."""
    return parse_hook("--on-instance", command, INSTANCE_VALUES)


def study_hook(command: str) -> Hook:
    """Return the hook of `--on-study`; else as `instance_hook`."""
    return parse_hook("--on-study", command, STUDY_VALUES)


class Hooks:
    """Runs the hooks of one provider; any thread may tell it of events.

    folder  the archive's, below which the paths of the events are
    warn    told of each run that failed and of runs that were dropped: the program and how it
            ended, no value of any object
    note    told what the programs say, line by line, and for which UIDs nothing was run
    Threads of this object call both.
    """

    def __init__(
        self,
        settings: HookSettings,
        folder: Path,
        warn: Callable[[str], None],
        note: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._folder = folder.absolute().as_posix()
        self._runner = _Runner(settings, warn, note)
        self._studies = _Studies(settings.study_idle, self._complete) if settings.on_study else None

    @property
    def counts(self) -> HookCounts:
        """What became of the runs so far."""
        return self._runner.counts

    def observe(self, event: ProviderEvent) -> None:
        """Run what is to be run for an event, later and elsewhere; never waits.

        An object that was held already is not new, but shows that its study is not at rest.
        """
        if not isinstance(event, InstanceReceived):
            return
        outcome, hook = event.outcome, self._settings.on_instance
        if not outcome.is_kept or not outcome.path:
            return
        values = self._values(event)
        if hook is not None and not outcome.is_duplicate:
            self._runner.add(_Run(hook, values, values["SOPInstanceUID"]))
        if self._studies is not None and not self._studies.arrived(values, outcome.is_duplicate):
            assert self._settings.on_study is not None
            run = _Run(self._settings.on_study, values, values["StudyInstanceUID"])
            self._runner.drop(run, f"{_STUDY_LIMIT} studies are waited for")

    def drain(self, seconds: float) -> int:
        """Run what is still to be run, pending studies included, and end; nothing starts after.

        seconds  then the programs that still run are killed, which is a failure of each
        returns  how many runs there was no time for
        """
        expiry = time.monotonic() + seconds
        self._runner.end_waiting()
        if self._studies is not None:
            self._studies.flush()
        self._runner.finish(expiry)
        return self._runner.counts.not_run

    def _values(self, event: InstanceReceived) -> dict[str, str]:
        request, outcome = event.request, event.outcome
        return {
            # ours, and perhaps not decodable: not to be touched
            "path": f"{self._folder}/{outcome.path}",
            "SOPInstanceUID": request.affected_sop_instance_uid,
            "SOPClassUID": request.affected_sop_class_uid,
            "TransferSyntaxUID": request.transfer_syntax_uid,
            "StudyInstanceUID": outcome.study_instance_uid,
            "SeriesInstanceUID": outcome.series_instance_uid,
            "CallingAETitle": printable(request.association.calling_ae_title),
            "CalledAETitle": printable(request.association.called_ae_title),
            "address": request.association.address,
        }

    def _complete(self, study: _Study, may_wait: bool) -> None:
        assert self._settings.on_study is not None
        values = {**study.values, "path": study.folder, "count": str(study.count)}
        known = {name: values[name] for name in STUDY_VALUES}
        if may_wait:
            self._runner.await_room()
        self._runner.add(
            _Run(self._settings.on_study, known, known["StudyInstanceUID"]), is_owed=True
        )


@dataclass(frozen=True, slots=True)
class _Run:
    """One run that is due; `uid` is what it is about."""

    hook: Hook
    values: Values
    uid: str


@dataclass(slots=True)
class _Study:
    """A study of which objects have arrived lately; `values` are those of the last one."""

    values: Values
    folder: str
    count: int
    deadline: float


class _Studies:
    """Tells of each study once nothing of it has arrived for a while, from a thread of its own."""

    def __init__(self, idle: float, complete: Callable[[_Study, bool], None]) -> None:
        self._idle = idle
        self._complete = complete
        # all wait equally long, so the order of arrival is that of the deadlines
        self._pending: OrderedDict[str, _Study] = OrderedDict()
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def arrived(self, values: Values, is_duplicate: bool) -> bool:
        """Start the time of a study again; False when there are too many to remember this one."""
        uid = values["StudyInstanceUID"]
        folder = values["path"].rpartition("/")[0]
        deadline = time.monotonic() + self._idle
        with self._changed:
            study = self._pending.get(uid)
            if study is None:
                if is_duplicate:
                    return True
                if self._is_closed or len(self._pending) >= _STUDY_LIMIT:
                    return False
                self._pending[uid] = _Study(values, folder, 1, deadline)
                if len(self._pending) == 1:
                    self._changed.notify()
                return True
            study.values, study.deadline = values, deadline
            if not is_duplicate:
                study.count += 1
                study.folder = os.path.commonpath((study.folder, folder))
            self._pending.move_to_end(uid)
            return True

    def flush(self) -> None:
        """Tell at once of all that are still waited for, and of none after."""
        with self._changed:
            self._is_closed = True
            left = list(self._pending.values())
            self._pending.clear()
            self._changed.notify()
        self._thread.join()
        for study in left:
            self._complete(study, False)

    def _watch(self) -> None:
        while (study := self._next()) is not None:
            self._complete(study, True)

    def _next(self) -> _Study | None:
        """Wait for the first that is complete; None when it is all over."""
        with self._changed:
            while not self._is_closed:
                first = next(iter(self._pending.values()), None)
                left = None if first is None else first.deadline - time.monotonic()
                if left is not None and left <= 0:
                    return self._pending.popitem(last=False)[1]
                self._changed.wait(left)
            return None


class _Runner:
    """Takes runs from a bounded queue in a few threads."""

    def __init__(
        self,
        settings: HookSettings,
        warn: Callable[[str], None],
        note: Callable[[str], None],
    ) -> None:
        self._timeout = settings.timeout
        self._limit = settings.queue_limit
        self._warn, self._note = warn, note
        self._queue: deque[_Run] = deque()
        self._lock = threading.Lock()
        self._has_work = threading.Condition(self._lock)
        self._has_room = threading.Condition(self._lock)
        self._is_ending = self._is_closed = False
        self._running = 0
        self._succeeded = self._failed = self._dropped = self._not_run = 0
        self._dropped_for: Counter[str] = Counter()
        self._full = f"{settings.queue_limit} runs wait"
        self._cut = Wakeup()
        self._workers = [
            threading.Thread(target=self._work, daemon=True) for _ in range(settings.workers)
        ]
        for worker in self._workers:
            worker.start()

    @property
    def counts(self) -> HookCounts:
        """What became of the runs so far."""
        with self._lock:
            return HookCounts(self._succeeded, self._failed, self._dropped, self._not_run)

    def add(self, run: _Run, is_owed: bool = False) -> None:
        """Queue a run, or drop it when the queue is full and it is not owed."""
        with self._lock:
            if not self._is_closed and (is_owed or len(self._queue) < self._limit):
                self._queue.append(run)
                self._has_work.notify()
                return
        self.drop(run, self._full)

    def drop(self, run: _Run, reason: str) -> None:
        """Count a run that will not be, and say so: once for each reason until there is room."""
        with self._lock:
            if self._is_ending:
                self._not_run += 1
            else:
                self._dropped += 1
                self._dropped_for[reason] += 1
            is_first = not self._is_ending and self._dropped_for[reason] == 1
        if is_first:
            self._warn(
                f"{run.hook.option} {run.hook.program} is too slow: {reason}, and until there is "
                "room further ones are dropped; -v names them"
            )
        self._note(_left_out(run))

    def await_room(self) -> None:
        """Wait until the queue is not full, or the end has begun."""
        with self._lock:
            self._has_room.wait_for(lambda: self._is_ending or len(self._queue) < self._limit)

    def end_waiting(self) -> None:
        """The end has begun: `await_room` waits no more."""
        with self._lock:
            self._is_ending = True
            self._has_room.notify_all()

    def finish(self, expiry: float) -> None:
        """Run what is queued until `expiry`, kill what runs then, end the threads."""
        with self._lock:
            self._is_closed = True
            self._has_work.notify_all()
            self._has_room.wait_for(
                lambda: not self._queue and not self._running, max(expiry - time.monotonic(), 0)
            )
            left = list(self._queue)
            self._queue.clear()
            self._not_run += len(left)
        self._cut.set()
        for worker in self._workers:
            worker.join(2 * KILL_SECONDS)
        if left:
            self._warn(f"{len(left)} runs of hooks could not start in time; -v names them")
        for run in left:
            self._note(_left_out(run))

    def _work(self) -> None:
        while (run := self._next()) is not None:
            is_success = False
            try:
                is_success = self._execute(run)
            finally:
                with self._lock:
                    self._running -= 1
                    self._succeeded += is_success
                    self._failed += not is_success
                    self._has_room.notify_all()

    def _next(self) -> _Run | None:
        dropped = 0
        with self._lock:
            self._has_work.wait_for(lambda: self._queue or self._is_closed)
            if not self._queue:
                return None
            run = self._queue.popleft()
            self._running += 1
            if len(self._queue) <= self._limit // 2:
                dropped = self._dropped_for.pop(self._full, 0)
            self._has_room.notify_all()
        if dropped:
            self._warn(f"there is room for runs of hooks again: {dropped} were dropped")
        return run

    def _execute(self, run: _Run) -> bool:
        """Run one program to its end and tell how it went."""
        hook = run.hook
        arguments, environment = hook.arguments(run.values), environment_of(run.values)
        ended = run_program(arguments, environment, self._timeout, self._cut)
        for line in ended.output.decode("utf-8", "replace").splitlines():
            self._note(f"{hook.program}: {line}")
        if ended.is_output_cut:
            self._note(f"{hook.program}: what it says after {OUTPUT_LIMIT} bytes is left out")
        if ended.failure:
            self._warn(f"{hook.option} {hook.program} {ended.failure}")
        return not ended.failure


def environment_of(values: Values) -> dict[str, str]:
    """Return our environment with the values, and without those of a hook that started us."""
    inherited = {k: v for k, v in os.environ.items() if k not in _VARIABLE_NAMES}
    return inherited | {VARIABLES[name]: value for name, value in values.items()}


def _left_out(run: _Run) -> str:
    return f"{run.hook.option} was not run for {run.uid}"


def printable(title: str) -> str:
    """Return an AE title with `_` for whatever is no printable ASCII."""
    return "".join(each if " " <= each <= "~" else "_" for each in title)


def parse_hook(option: str, command: str, names: Sequence[str]) -> Hook:
    """Return a command that may have these values; UsageError on bad quotes, names or programs."""
    try:
        program, *words = shlex.split(command) or [""]
        pieces = tuple(_pieces(word, names) for word in words)
        if any(name for _, name in _pieces(program, names)):
            raise ValueError("the program cannot be a value")
    except ValueError as error:
        raise UsageError(f"cannot use {option} {command!r}: {error}") from None
    # a program that is missing would otherwise be found out by the first object
    if shutil.which(program) is None:
        raise UsageError(
            f"cannot use {option} {command!r}: there is no program {program!r}; check the name and "
            "that it can be executed"
        )
    return Hook(option, program, pieces)


def _pieces(word: str, names: Sequence[str]) -> tuple[_Piece, ...]:
    pieces: list[_Piece] = []
    try:
        parsed = list(Formatter().parse(word))
    except ValueError:
        raise ValueError("a brace for itself is written {{ or }}") from None
    for literal, name, form, conversion in parsed:
        if name is not None and name not in names:
            raise ValueError(f"there is no {{{name}}}{_hint(name, names)}")
        if form or conversion:
            raise ValueError(f"{{{name}}} takes nothing behind its name")
        pieces.append((literal, name))
    return tuple(pieces)


def _hint(name: str, names: Sequence[str]) -> str:
    known = {each.lower(): each for each in names}
    matches = get_close_matches(name.lower(), known, n=1)
    if matches:
        return f"; did you mean {{{known[matches[0]]}}}?"
    return f"; known are {', '.join(names)}, and {{{{ is a brace"


def _filled(word: tuple[_Piece, ...], values: Values) -> str:
    text = "".join(literal + (values[name] if name else "") for literal, name in word)
    begins_with_value = bool(word) and not word[0][0]
    if begins_with_value and text and not (text[0].isalnum() or text[0] in "/._"):
        return "_" + text[1:]
    return text
