"""The command line: the table of commands, and the one place where errors become exit codes."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from shutil import get_terminal_size
from typing import Annotated, Any, NamedTuple

import typer
from typer import _click as click  # what typer vendors; it has no public name for these
from typer.core import TyperCommand, TyperGroup, TyperOption

from pacs_cli import __version__, platforms
from pacs_cli.errors import Exit, OutputError, PacsError, nearest
from pacs_cli.habits import cure_for
from pacs_cli.helping import Help, options_of, text_of, text_of_group
from pacs_cli.options import OutputOptions, expand
from pacs_cli.report import Report


class Command(NamedTuple):
    """One row of the table: `module` has the function of that name and is imported to run it.

    A module with a table `COMMANDS` of its own is a group: `pacs index add`.
    """

    name: str
    module: str
    summary: str


COMMANDS: tuple[Command, ...] = (
    Command("echoscu", "pacs_cli.commands.echoscu", "Ask a peer whether it answers, and how fast."),
    Command("storescu", "pacs_cli.commands.storescu", "Send files and folders to a peer."),
    Command("findscu", "pacs_cli.commands.findscu", "Ask a peer what it holds."),
    Command(
        "movescu", "pacs_cli.commands.movescu", "Have a peer send what it holds, checked here."
    ),
    Command("getscu", "pacs_cli.commands.getscu", "Get what a peer holds, over one association."),
    Command("send-batch", "pacs_cli.commands.send_batch", "Send what cannot be lost, as a job."),
    Command("storescp", "pacs_cli.commands.storescp", "Receive objects into an indexed archive."),
    Command("users", "pacs_cli.commands.users", "Keep the users that storescp checks."),
    Command("index", "pacs_cli.commands.index", "Index files where they lie, and ask the index."),
    Command("dump", "pacs_cli.commands.dump", "Show what stands in files."),
    Command("diff", "pacs_cli.commands.diff", "Show what differs between files."),
    Command("validate", "pacs_cli.commands.validate", "Find what breaks the standard in files."),
    Command("anonymize", "pacs_cli.commands.anonymize", "De-identify files, each output proven."),
    Command(
        "reidentify",
        "pacs_cli.commands.reidentify",
        "Give objects back the values that were sealed in them.",
    ),
    Command(
        "transcode",
        "pacs_cli.commands.transcode",
        "Bring files into another transfer syntax, the pixels kept.",
    ),
    Command(
        "doctor",
        "pacs_cli.commands.doctor",
        "Find at which step talking to a peer fails, and why.",
    ),
    Command("config", "pacs_cli.commands.config", "Look after configuration and peers."),
    Command(
        "demo", "pacs_cli.commands.demo", "Send, store and compare real files on this machine."
    ),
    Command(
        "completion", "pacs_cli.commands.completion", "Complete with TAB in bash, zsh and fish."
    ),
)

#: What the parser's names of types are to people.
_WORDS = {
    "int": "whole number",
    "int range": "whole number",
    "float": "number",
    "float range": "number",
}

_HELP_NAMES = {"help_option_names": ["-h", "--help"]}


def _width() -> int:
    return get_terminal_size().columns


class _CommandHelp(TyperCommand):
    """A command whose help is that of `helping`, with the module's examples."""

    examples: Sequence[tuple[str, str]] = ()

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        arguments = [p for p in self.params if p.param_type_name == "argument"]
        return ["[OPTIONS]", *(each.human_readable_name for each in arguments)]

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        *params, for_help = super().get_params(ctx)
        return [*params, for_help, _HELP_ALL]

    def get_help(self, ctx: click.Context, is_whole: bool = False) -> str:
        """Return what --help shows, or with `is_whole` what --help-all does."""
        return text_of(_facts(self, ctx), _width(), is_whole)


def _facts(command: Any, context: click.Context) -> Help:
    return Help(
        " ".join([context.command_path, *command.collect_usage_pieces(context)]),
        "\n".join(map(str.strip, (command.help or "").splitlines())).strip(),
        options_of(command, context),
        command.examples,
    )


def _show_all(ctx: click.Context, param: click.Parameter, is_asked: bool) -> None:  # noqa: ARG001
    if is_asked and not ctx.resilient_parsing:
        command = ctx.command
        assert isinstance(command, _CommandHelp)
        click.echo(command.get_help(ctx, is_whole=True))
        ctx.exit()


_HELP_ALL = TyperOption(
    param_decls=["--help-all"],
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_all,
    help="Explain every option, with more examples.",
)


class _Commands(TyperGroup):
    """The group of a table's commands; imports the module of the one that runs.

    table    None for that of all
    default  the command that is meant when the first word is none, "" where there is none
    """

    table: Sequence[Command] | None = None
    default = ""
    examples: Sequence[tuple[str, str]] = ()

    @property
    def rows(self) -> Sequence[Command]:
        """The table as it is now."""
        return COMMANDS if self.table is None else self.table

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = {*self.list_commands(ctx), *_HELP_NAMES["help_option_names"]}
        if self.default and args and args[0] not in known:
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return [command.name for command in self.rows]

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        for name, module_name, summary in self.rows:
            if name == cmd_name:
                module = import_module(module_name)
                if hasattr(module, "COMMANDS"):
                    return _build_group(name, summary, module)
                return _build(name, getattr(module, name.replace("-", "_")), summary, module)
        return None

    def get_help(self, ctx: click.Context) -> str:
        commands = [(command.name, command.summary) for command in self.rows]
        return text_of_group(_facts(self, ctx), commands, _width())

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.list_commands(ctx):
            hint = nearest(args[0], self.list_commands(ctx))
            ctx.fail(f"no such command {args[0]}{hint}")
        return super().resolve_command(ctx, args)


def _build(name: str, function: Any, summary: str, module: object) -> click.Command:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    settings = {"cls": _CommandHelp, "short_help": summary, "context_settings": _HELP_NAMES}
    app.command(name, **settings)(expand(function))  # type: ignore[arg-type]
    command = typer.main.get_command(app)
    command.examples = getattr(module, "EXAMPLES", ())  # type: ignore[attr-defined]
    return command


def _build_group(name: str, summary: str, module: Any) -> click.Command:
    group = _group(getattr(module, name.replace("-", "_")))
    group.name, group.short_help = name, summary
    group.table = tuple(Command(*row) for row in module.COMMANDS)
    group.examples = module.EXAMPLES
    group.default = getattr(module, "DEFAULT", "")
    return group


def _group(callback: Any) -> _Commands:
    app = typer.Typer(
        cls=_Commands, add_completion=False, rich_markup_mode=None, context_settings=_HELP_NAMES
    )
    app.callback()(callback)
    group = typer.main.get_command(app)
    assert isinstance(group, _Commands)
    return group


def application() -> TyperGroup:
    """Return the whole command line; `get_command` of each listed name imports its module.

    Its help is plain text: drawing it with rich takes 0.22 s of CPU instead of 0.09.
    """
    root = _group(_root)
    root.examples = _EXAMPLES
    return root


def _show_version(is_asked: bool) -> None:
    if is_asked:
        Report.for_output(OutputOptions()).line(f"pacs {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """The DICOM command-line suite: one command over one small engine."""


#: The first things to type, and what they show.
_EXAMPLES = (
    ("pacs demo", "see it work on real files, with nothing left behind"),
    ("pacs echoscu ARCHIVE@10.0.0.5:104", "ask a peer whether it answers"),
    ("pacs findscu -h", "what a command takes; --help-all explains every option"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; nothing is raised.

    argv  without the program's name; by default the arguments of this process
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _run(arguments)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 the one place that maps them
        code = _fail(error, arguments)
    return int(_settle_stdout(code, arguments))


def _run(arguments: list[str]) -> Exit:
    platforms.check()
    root = application()
    try:
        # a copy, for the parser empties the list it is given
        with root.make_context("pacs", arguments[:] or ["--help"]) as context:
            result = root.invoke(context)
    except typer.Exit as end:
        # help that nobody asked for: a script whose command came out empty must not go on
        return Exit(end.exit_code) if arguments else Exit.USAGE
    return Exit.OK if result is None else Exit(result)


def _fail(error: BaseException, arguments: list[str]) -> Exit:
    """Report an error: a line on stderr and, under --json, one on stdout. Return its code."""
    if isinstance(error, BrokenPipeError):
        return Exit.BROKEN_PIPE
    program = _program_of(arguments)
    code, kind, message = _explain(error, arguments, program)
    report = Report(_output_of(arguments), sys.stdout, sys.stderr)
    report.error(f"{program}: {message}")
    if report.is_debugging and code is Exit.BUG:
        report.traceback(error)
    # when stdout is what failed it cannot take the record either; stderr and the code have it
    with suppress(OutputError, BrokenPipeError):
        report.record("error", {"error": kind, "message": message, "exit": int(code)})
    return code


def _program_of(arguments: list[str]) -> str:
    """Return the command that was meant, as `pacs index add`, as far as there is one."""
    words = [each for each in arguments if not each.startswith("-")]
    table: Sequence[tuple[str, str, str]] = COMMANDS
    names = ["pacs"]
    for word in words:
        row = next((each for each in table if each[0] == word), None)
        if row is None:
            break
        names.append(word)
        # of a group its table, which was imported to get here
        table = getattr(sys.modules.get(row[1]), "COMMANDS", ())
    return " ".join(names)


def _explain(error: BaseException, arguments: list[str], program: str) -> tuple[Exit, str, str]:
    """Return the exit code, the name and the one line that stand for an error."""
    if isinstance(error, PacsError) and error.exit is not Exit.BUG:
        return error.exit, type(error).__name__, str(error)
    if isinstance(error, click.exceptions.ClickException):
        message = f"{_usage_problem(error, arguments)}; see {program} --help"
        return Exit.USAGE, "UsageError", message
    if isinstance(error, KeyboardInterrupt):
        return Exit.INTERRUPTED, "Interrupted", "interrupted"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Exit.OUTPUT, "OutputError", f"cannot write: {error.strerror}"
    # without the exception's own text, which may hold a value of somebody's data set
    place = _place_of(error)
    message = (
        f"internal error, {type(error).__name__} {place}: this is a bug of pacs; "
        "please report it with what the same command shows with -d"
    )
    return Exit.BUG, "InternalError", message


def _place_of(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "somewhere"
    return f"at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"


def _usage_problem(error: click.exceptions.ClickException, arguments: list[str]) -> str:
    problem = error.format_message().rstrip(".")
    if isinstance(error, click.exceptions.NoSuchOption):
        typed = _as_typed(error.option_name, arguments)
        params = error.ctx.command.get_params(error.ctx) if error.ctx else []
        names = [name for each in params for name in each.opts]
        has_peer = any("PEER" in each.human_readable_name for each in params)
        cure = cure_for(typed, names, has_peer)
        return f"no such option {typed}" + (f"; {cure}" if cure else nearest(typed, names))
    if isinstance(error, click.exceptions.BadOptionUsage):
        return f"{error.option_name} needs a value"
    if isinstance(error, click.exceptions.BadParameter) and error.param is not None:
        is_option = error.param.param_type_name == "option"
        name = error.param.opts[-1] if is_option else error.param.human_readable_name
        if isinstance(error, click.exceptions.MissingParameter):
            return f"missing {name}"
        kind = error.param.type.name
        words = error.message.rstrip(".").replace(
            f"valid {kind}", _WORDS.get(kind, f"valid {kind}")
        )
        return f"{name}: {words}"
    # the parser's own words for it are hard to read
    extra = re.fullmatch(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", problem)
    if extra is not None:
        return f"there is no place for {extra[1]}"
    return problem[:1].lower() + problem[1:]


def _as_typed(option: str, arguments: list[str]) -> str:
    """Return the whole word of an unknown option; of `-aed` the parser names only `-a`."""
    if option.startswith("--"):
        return option
    words = [each.partition("=")[0] for each in arguments if each[:1] == "-" and each[:2] != "--"]
    return next((word for word in words if option[1:] in word), option)


def _output_of(arguments: list[str]) -> OutputOptions:
    """Return what the arguments say of output, however wrong the rest of them is."""
    typed = arguments[: arguments.index("--")] if "--" in arguments else arguments
    short = "".join(each for each in typed if each[:1] == "-" and set(each[1:]) <= set("qvd"))
    log = ""
    for word, following in pairwise([*typed, ""]):
        if word == "--log-file":
            log = following
        elif word.startswith("--log-file="):
            log = word.partition("=")[2]
    return OutputOptions(
        json="--json" in typed,
        debug="d" in short or "--debug" in typed or bool(os.environ.get("PACS_DEBUG")),
        log_file=Path(log) if log else None,
    )


def _settle_stdout(code: Exit, arguments: list[str]) -> Exit:
    """Flush stdout; what cannot be written must not pass for success, nor fail again at exit."""
    if sys.stdout is None:
        return code
    try:
        sys.stdout.flush()
    except OSError as error:
        _discard_stdout()
        if code is Exit.OK:
            return _fail(error, arguments)
    return code


def _discard_stdout() -> None:
    """Send what Python still holds for stdout nowhere: its flush at exit would complain."""
    # a stream without a descriptor has no such flush
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
