"""Many files into another transfer syntax: which, where to, and what became of each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from pacs_cli.dicom.part10 import Header, IsDirectory, NotDicom, probe
from pacs_cli.errors import Exit, InputError
from pacs_cli.pipelines.files import Found, Passed, find_files
from pacs_cli.pixels.files import Done, Task, seen
from pacs_cli.pixels.transcoding import Options
from pacs_cli.pixels.workers import Workers
from pacs_cli.placing import place


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run does.

    target       the transfer syntax
    output       the folder or file to write; None to replace each file itself
    jobs         processes, or of one file with many frames threads
    syntaxes     only files in these are taken; empty for all
    skips_same   files in the target already are left out, not copied
    is_rehearsal nothing is written
    overwrites   whether an output takes the place of what is there
    """

    target: str
    output: Path | None
    jobs: int = 1
    syntaxes: Collection[str] = ()
    skips_same: bool = False
    is_rehearsal: bool = False
    follow: bool = False
    options: Options = field(default_factory=Options)
    overwrites: bool = False


class Converted(NamedTuple):
    """What became of one file: transcoded, copied, kept, skipped or failed.

    target  the transfer syntax asked for, or the one that a kept file is in
    """

    path: str
    output: str
    outcome: str
    done: Done
    target: str

    @property
    def error(self) -> str | None:
        """Why it failed, on one line, or None."""
        reason = self.done.error
        return None if reason is None else f"cannot transcode {self.path}: {reason}"

    def fields(self) -> dict[str, Any]:
        """Return all of it as the record of one file."""
        done = self.done
        return {
            "path": self.path,
            "output": self.output,
            "outcome": self.outcome,
            "error": self.error,
            "from": done.source,
            "to": self.target,
            "sop_class_uid": done.sop_class_uid,
            "sop_instance_uid": done.new_uid or done.sop_instance_uid,
            "source_sop_instance_uid": done.sop_instance_uid,
            "frames": done.frames,
            "lossy": done.is_lossy,
            "bytes": done.size,
            "written": done.written,
            "seconds": round(done.seconds, 6),
        }


class _Job(NamedTuple):
    path: str
    output: str
    header: Header


def run(paths: Iterable[str], settings: Settings) -> Iterator[Converted | Passed]:
    """Transcode what `paths` mean and yield what became of each file, as it is known.

    One bad file does not stop the others. A file appears under its name when it is whole.
    """
    entries = list(_planned([*paths], settings))
    jobs = [each for each in entries if isinstance(each, _Job)]
    yield from (each for each in entries if not isinstance(each, _Job))
    if settings.is_rehearsal:
        for job in jobs:
            done = replace(seen(job.header), written=0)
            yield Converted(job.path, job.output, "would transcode", done, settings.target)
        return
    coded = []
    for job in jobs:
        if job.header.transfer_syntax_uid == settings.target:
            yield _copied(job, settings)
        else:
            coded.append(job)
    yield from _transcoded(coded, settings)


def _transcoded(jobs: list[_Job], settings: Settings) -> Iterator[Converted]:
    if not jobs:
        return
    processes = min(settings.jobs, len(jobs))
    threads = max(1, settings.jobs // processes)
    by_part = {}
    for number, job in enumerate(jobs):
        name = f".{Path(job.output).name[:100]}.{os.getpid()}-{number}.part"
        by_part[str(Path(job.output).parent / name)] = job

    def tasks() -> Iterator[Task]:
        for part, job in by_part.items():
            _make_folder(job.output)
            yield Task(job.path, part, settings.target, settings.options, threads=threads)

    with Workers(processes) as workers:
        for task, done in workers.run(tasks()):
            job = by_part[task.part]
            yield _placed(task.part, job, done, settings)


def _placed(part: str, job: _Job, done: Done, settings: Settings) -> Converted:
    """Put a file that is whole under its name."""
    if done.error is not None:
        if not done.source:
            error, code = done.error, done.exit
            done = replace(seen(job.header), error=error, exit=code)
        return Converted(job.path, "", "failed", done, settings.target)
    if done.is_kept:
        # nothing to compress: an encapsulated syntax is only for data sets with Pixel Data
        return _copied(job, replace(settings, target=done.source), "kept")
    try:
        if settings.output is None:
            shutil.copymode(job.path, part)
            _sync(part)
        _name(part, job.output, settings)
    except OSError as error:
        with suppress(OSError):
            os.unlink(part)  # noqa: PTH108 as above
        return _failed(job, f"{job.output}: {_reason(error)}", settings, Exit.OUTPUT)
    return Converted(job.path, job.output, "transcoded", done, settings.target)


def _copied(job: _Job, settings: Settings, outcome: str = "copied") -> Converted:
    """Copy a file that is in the target's syntax, byte by byte."""
    done = seen(job.header)
    if settings.output is None:
        outcome = "skipped" if outcome == "copied" else outcome
        return Converted(job.path, job.output, outcome, done, settings.target)
    part = str(Path(job.output).parent / f".{Path(job.output).name[:100]}.{os.getpid()}.part")
    try:
        _make_folder(job.output)
        shutil.copyfile(job.path, part)
        _name(part, job.output, settings)
    except OSError as error:
        with suppress(OSError):
            os.unlink(part)  # noqa: PTH108 as above
        return _failed(job, f"{job.output}: {_reason(error)}", settings, Exit.OUTPUT)
    done = replace(done, written=job.header.file_size)
    return Converted(job.path, job.output, outcome, done, settings.target)


def _name(part: str, output: str, settings: Settings) -> None:
    """Give a whole file its name; raises FileExistsError when another has it by now."""
    if settings.output is None or settings.overwrites:
        os.replace(part, output)  # noqa: PTH105 names that are no text
    else:
        place(part, output)
        with suppress(FileNotFoundError):
            # where there are no links it has gone
            os.unlink(part)  # noqa: PTH108 as above


def _failed(job: _Job, reason: str, settings: Settings, code: Exit) -> Converted:
    done = replace(seen(job.header), error=reason, exit=code)
    return Converted(job.path, "", "failed", done, settings.target)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _make_folder(output: str) -> None:
    with suppress(OSError):
        # what is wrong with it shows when the file is written
        os.makedirs(Path(output).parent, exist_ok=True)  # noqa: PTH103 names that are no text


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _planned(paths: list[str], settings: Settings) -> Iterator[_Job | Converted | Passed]:
    """Look at every file, and say where it goes; no two go to the same place."""
    is_file = _is_one_file(paths, settings.output)
    taken: set[str] = set()
    for path in paths:
        base = Path(path)
        for found in find_files((path,), settings.follow):
            if isinstance(found, Passed):
                if found.is_failure:
                    error = Done(error=found.reason, exit=Exit.BAD_INPUT)
                    yield Converted(found.path, "", "failed", error, settings.target)
                else:
                    yield found
                continue
            output = _output_of(found.path, base, settings.output, is_file)
            entry = _examined(found, output, settings)
            if isinstance(entry, _Job) and output in taken:
                reason = f"{output} is of another file of this run"
                entry = _failed(entry, reason, settings, Exit.OUTPUT)
            taken.add(output)
            yield entry


def _is_one_file(paths: list[str], output: Path | None) -> bool:
    """Whether `output` is the name of the one file that is written."""
    if output is None or len(paths) != 1 or Path(paths[0]).is_dir() or output.is_dir():
        return False
    return not str(output).endswith(os.sep)


def _output_of(path: str, base: Path, output: Path | None, is_file: bool) -> str:
    if output is None:
        return os.path.realpath(path)
    if is_file:
        return str(output)
    inside = Path(path)
    if inside != base and base.is_dir():
        return str(output / inside.relative_to(base))
    return str(output / inside.name)


def _examined(found: Found, output: str, settings: Settings) -> _Job | Converted | Passed:
    path = found.path
    try:
        header = probe(path)
    except IsDirectory:
        return Passed(path, "a DICOMDIR has no pixels", is_failure=False, is_usual=True)
    except NotDicom as error:
        if not found.is_named:
            return Passed(path, "not DICOM", is_failure=False, is_usual=True)
        return _unread(path, error, settings)
    except InputError as error:
        return _unread(path, error, settings)
    if settings.syntaxes and header.transfer_syntax_uid not in settings.syntaxes:
        return Passed(path, "of another transfer syntax", is_failure=False, is_usual=True)
    if settings.skips_same and header.transfer_syntax_uid == settings.target:
        return Passed(path, "in it already", is_failure=False, is_usual=True)
    job = _Job(path, output, header)
    if settings.output is not None and Path(output).exists() and Path(path).samefile(output):
        return _failed(job, "it would be replaced; --in-place does that", settings, Exit.OUTPUT)
    if settings.output is not None and not settings.overwrites and os.path.lexists(output):
        reason = f"{output} is there already; --overwrite replaces it"
        return _failed(job, reason, settings, Exit.OUTPUT)
    return job


def _unread(path: str, error: InputError, settings: Settings) -> Converted:
    reason = str(error).removeprefix(f"cannot read {path}: ")
    return Converted(path, "", "failed", Done(error=reason, exit=error.exit), settings.target)
