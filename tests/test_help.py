"""Help fits a screen, has every option in its group, and says the same in the same words."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from pacs_cli.generate import pages
from pacs_cli.helping import GROUPS, Help, Option, text_of, worded

PAGES = pages()
COMMANDS = [page for page in PAGES if not page.commands]
OPTIONS = [(page, option) for page in PAGES for option in page.options]

#: What it takes more than one line to explain on a terminal is folded; the rest is this long.
_SCREEN = 75

#: Options that do something else in another command, each with why its words differ.
_OTHER_MEANING = {
    "--date-time": "findscu proposes it to a peer, index find does it",
    "--fail-if-empty": "of a query and of a retrieval",
    "--from-file": "a list of files, or of what to retrieve",
    "--fuzzy": "proposed to a peer, done, or answered",
    "--hash": "kept by index add, compared by index verify",
    "--ignore": "attributes of diff, rules of validate",
    "--jobs": "associations or processes, of different work",
    "--key": "of a query, and of a table",
    "--bind": "the address of a receiver, or of the one that movescu starts",
    "--level": "of a match, and of a row",
    "--limit": "of matches and of objects",
    "--db": "of what is asked, and of what is to be sent",
    "--receive": "what movescu moves, or what send-batch fetches",
    "--propose": "of echoscu instead of an echo, of storescu beside what the files need",
    "--only": "states of a job, or elements of a file",
    "--dry-run": "each command says what it would do",
    "--repeat": "one echo, or all files",
    "--report": "CSV, or of anonymize JSON",
    "--retries": "for each object, or in a row over a job",
    "--rule": "of validate and of a policy",
    "--to": "a peer, or a transfer syntax",
    "--no-verify": "a search for what was removed, or decoding",
}


def test_every_option_is_in_a_group_that_is_known():
    lost = [(page.name, option.label) for page, option in OPTIONS if option.panel not in GROUPS]
    assert not lost, "give these a rich_help_panel of helping.GROUPS, or add one there"


def test_every_group_that_is_known_has_an_option_or_is_kept_for_one():
    used = {option.panel for _, option in OPTIONS}
    assert {*GROUPS} - used <= {"Identity", "Audit"}


def test_every_option_is_explained_in_a_sentence():
    for page, option in OPTIONS:
        assert re.search(r"\.( \[.*\])?$", option.help), (page.name, option.label)


def test_the_same_option_has_the_same_words():
    words: dict[str, set[str]] = {}
    for _, option in OPTIONS:
        if option.names and option.names[-1] not in _OTHER_MEANING:
            text = re.sub(r" \[.*\]$", "", option.help)
            words.setdefault(option.names[-1], set()).add(f"{option.metavar} {text}")
    assert {name: texts for name, texts in words.items() if len(texts) > 1} == {}


def test_no_option_is_excused_that_has_one_meaning():
    texts: dict[str, set[str]] = {}
    for _, option in OPTIONS:
        if option.names:
            texts.setdefault(option.names[-1], set()).add(option.help)
    assert [name for name in _OTHER_MEANING if len(texts[name]) == 1] == []


def test_the_same_option_has_the_same_names():
    """-j is --jobs wherever there is one."""
    names: dict[str, set[tuple[str, ...]]] = {}
    for _, option in OPTIONS:
        if option.names:
            names.setdefault(option.names[-1], set()).add(option.names)
    assert {name: each for name, each in names.items() if len(each) > 1} == {
        # dump shows several at once; only what transcode proves is also the default
        "--no-verify": {("--no-verify",), ("--verify", "--no-verify")},
    }


def test_an_option_takes_a_value_in_every_command_or_in_none():
    """Completion counts words by it without asking which command it is."""
    takes: dict[str, set[bool]] = {}
    for _, option in OPTIONS:
        for name in option.names:
            takes.setdefault(name, set()).add(option.takes_value)
    assert [name for name, each in takes.items() if len(each) > 1] == []


def test_times_and_lengths_have_their_unit():
    for page, option in OPTIONS:
        place = (page.name, option.label)
        if "timeout" in "".join(option.names) or re.search(r"Wait (about )?this long", option.help):
            assert option.metavar == "SECONDS", place
        if option.metavar == "SECONDS" and "default: " in option.help:
            assert re.search(r"default: [0-9.]+ s\b", option.help), place
        if "pdu" in "".join(option.names) and option.metavar != "SECONDS":
            assert (option.metavar, option.help[-7:]) == ("BYTES", " bytes]"), place


@pytest.mark.parametrize("page", COMMANDS, ids=lambda page: page.name)
@pytest.mark.parametrize("width", [50, 80, 200])
def test_help_stays_inside_the_terminal_and_leaves_nothing_out(page, width):
    usage = page.usage
    known = Help(usage, page.description, page.options, page.examples)
    for is_whole in (False, True):
        text = text_of(known, width, is_whole)
        commands = {f"  {line}" for line, _ in page.examples}
        wide = [
            line
            for line in text.splitlines()
            if len(line) > min(width, 100) and line not in commands and " " in line.strip()
        ]
        assert wide == []
        for option in page.options:
            name = option.names[0] if option.names else option.metavar.split()[0]
            assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text), option.label
    whole = " ".join(text.split())
    for option in page.options:
        assert "".join(option.help.split()) in whole.replace(" ", "")


@pytest.mark.parametrize("page", COMMANDS, ids=lambda page: page.name)
def test_short_help_fits_a_screen_and_begins_with_examples(page):
    text = text_of(Help(page.usage, page.description, page.options, page.examples), 80, False)
    assert len(text.splitlines()) <= _SCREEN
    assert text.index("Examples:") < text.index("Output")
    assert len(page.examples) >= 2 or " " in page.name


def test_what_is_folded_is_named_and_explained_on_request(pacs):
    short, whole = pacs("storescp", "--help"), pacs("storescp", "--help-all")
    assert (short.exit, whole.exit) == (0, 0)
    assert "\nTLS:\n" not in short.stdout
    assert "--tls-server-name" in short.stdout
    assert "PEM file of our certificate" not in short.stdout
    assert "\nTLS:\n" in whole.stdout
    assert "PEM file of our certificate" in " ".join(whole.stdout.split())
    assert len(whole.stdout) > len(short.stdout)
    assert pacs("storescp", "-h").stdout == short.stdout


def test_help_of_a_command_in_a_group_can_be_whole(pacs):
    assert "\nOutput:\n" in pacs("index", "find", "--help-all").stdout


def test_help_is_as_wide_as_the_terminal_says_and_no_wider_than_can_be_read():
    def longest(columns: str) -> int:
        done = subprocess.run(
            [sys.executable, "-m", "pacs_cli", "storescp", "--help"],
            capture_output=True,
            text=True,
            check=True,
            env={"COLUMNS": columns, "PATH": shutil.os.defpath},
        )
        return max(map(len, done.stdout.splitlines()))

    assert longest("80") <= 80 < longest("200") <= 100


@pytest.mark.parametrize(
    ("text", "metavar", "said"),
    [
        ("Wait.  [default: 30.0; x>=1]", "SECONDS", "Wait. [default: 30 s]"),
        ("Wait.  [default: 0.5]", "SECONDS", "Wait. [default: 0.5 s]"),
        ("Many.  [default: 1; 1<=x<=64]", "N", "Many. [default: 1; 1 to 64]"),
        ("Many. [default: as many]  [1<=x<=64]", "N", "Many. [default: as many; 1 to 64]"),
        ("Many.  [x>=3]", "N", "Many. [at least 3]"),
        ("Many.  [x<=3]", "N", "Many. [at most 3]"),
        ("Many.  [x>=0]", "N", "Many."),
        ("A job.  [required]", "FILE", "A job. [required]"),
        ("A peer.  [required]", "PEER", "A peer."),
        ("Say reject[=R,S,R].", "FAULT", "Say reject[=R,S,R]."),
        ("One. [default: x[0]]", "N", "One. [default: x[0]]"),
    ],
)
def test_notes_of_an_option_are_words(text, metavar, said):
    assert worded(text, metavar) == said


def test_a_long_path_is_parted_behind_a_slash_and_nothing_else_is():
    path = "/".join(["{StudyInstanceUID}"] * 4)
    option = Option(("--layout",), "TEMPLATE", f"Names. [default: {path}]", True, "Archive")
    uid = Option(("--uid",), "UID", "1." * 40, True, "Archive")
    text = text_of(Help("pacs x", "", (option, uid), ()), 60, False)
    assert max(len(line) for line in text.splitlines() if "1.1." not in line) <= 60
    assert path in text.replace("\n", "").replace(" ", "")
    assert "1." * 40 in text
