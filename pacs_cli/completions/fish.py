"""The completion script for fish."""

from __future__ import annotations

from collections.abc import Iterable

from pacs_cli.completions.values import (
    Kind,
    Option,
    Page,
    Value,
    Words,
    places,
    quoted,
    value_of,
)

_HEAD = """\
# fish completion for pacs
set -g _pacs_packaged ''
set -g __pacs_folder (status dirname)
"""

_FUNCTIONS = r"""
function __pacs_peers
    set -l config $PACS_CONFIG
    set -l folder $HOME/.config
    test -n "$XDG_CONFIG_HOME"; and set folder $XDG_CONFIG_HOME
    test -n "$config"; or set config $folder/pacs/config.toml
    sed -n 's/^[[:space:]]*\[peers\.\([A-Za-z0-9_-]*\)\].*/\1/p' $config 2>/dev/null
end
function __pacs_typed
    string replace -r '^--[a-z-]+=' '' -- (commandline -ct)
end
function __pacs_keywords
    set -l name (__pacs_typed)
    set -l before ''
    if test "$argv[1]" = list
        set before (string match -r '^(?:.*,)?(?=[0-9a-fA-F]{4},[0-9a-fA-F]*$)' -- $name
            or string match -r '^.*,' -- $name; or echo '')
        set name (string sub -s (math 1 + (string length -- $before)) -- $name)
    end
    set -l path (string match -r '^.*\.' -- $name; or echo '')
    set name (string replace -r '^.*\.' '' -- $name)
    string match -qr '[^][A-Za-z0-9,.()]' -- $path; and return
    string match -qr '[^A-Za-z0-9,]' -- $name; and return
    set -l data $HOME/.local/share
    test -n "$XDG_DATA_HOME"; and set data $XDG_DATA_HOME
    for folder in $_pacs_packaged $__pacs_folder $__pacs_folder/../../pacs $data/pacs
        test -r "$folder/pacs.keywords"; or continue
        set path $before$path
        if string match -qr '^[0-9]' -- $name
            set name (string lower -- $name)
            sed -n "s/^\([^ ]*\) \("$name"[^ ]*\) \(.*\)/$path\2\t\1 \3/p" $folder/pacs.keywords
        else
            sed -n "s/^\("$name"[^ ]*\) \(.*\)/$path\1\t\2/p" $folder/pacs.keywords
        end
        return
    end
end
function __pacs_list
    set -l before (string match -r '^.*,' -- (__pacs_typed); or echo '')
    printf '%s\n' $before$argv
end
function __pacs_pairs
    set -l typed (__pacs_typed)
    if string match -q '*=*' -- $typed
        printf '%s\n' (string match -r '^.*[,=]' -- $typed)$__pacs_syntaxes
    else
        printf '%s=\n' (string match -r '^.*,' -- $typed; or echo '')$argv
    end
end
function __pacs_on
    set -l words (commandline -opc)
    set -l path (string split ' ' -- $argv[1])
    set -l last (math (count $path) + 1)
    test (count $words) -ge $last; and test "$words[2..$last]" = "$argv[1]"; and return 0
    # without one of the group's commands the default is meant
    set -q argv[2]; and set -q words[3]; and test "$words[2]" = "$path[1]"
    and not contains -- "$words[3]" $argv[2..]
end
function __pacs_next
    set -l words (commandline -opc)
    test (count $words) -eq (math (count $argv) + 1); and test "$words[2..]" = "$argv"
end
function __pacs_is_first
    set -l words (commandline -opc)
    set -l place $argv[1]
    while set -q words[$place]
        if contains -- $words[$place] $__pacs_valued
            set place (math $place + 1)
        else if not string match -q -- '-*' $words[$place]
            return 1
        end
        set place (math $place + 1)
    end
end
"""


def fish(pages: Iterable[Page], words: Words) -> str:
    """Return the script for fish; `words` as for bash."""
    pages = list(pages)
    defaults = {page.name: page for page in pages if page.default}
    valued = sorted(
        {name for page in pages for option in page.options if option.takes_value
         for name in option.names}
    )  # fmt: skip
    lines = [
        f"{_HEAD}set -g __pacs_valued {' '.join(valued)}",
        f"set -g __pacs_syntaxes {' '.join(words['SYNTAX'])}{_FUNCTIONS}"
        "complete -c pacs -n __fish_use_subcommand -f -l help -d 'show help'",
        "complete -c pacs -n __fish_use_subcommand -f -l version -d 'show the version'",
    ]
    for page in pages:
        lines += _page(page, words, defaults)
    return "\n".join(lines) + "\n"


def _page(page: Page, words: Words, defaults: dict[str, Page]) -> list[str]:
    summary = quoted(page.summary)
    group, _, name = page.name.rpartition(" ")
    condition = f'__pacs_on "{page.name}"'
    begin = len(page.name.split(" ")) + 2
    if group:
        lines = [f"complete -c pacs -n '__pacs_next {group}' -f -a {name} -d {summary}"]
        if group in defaults and defaults[group].default == name:
            known = " ".join(each for each, _ in defaults[group].commands)
            condition += f" {known}"
            peers = f"-n '__pacs_next {group}' -f -a '(__pacs_peers)' -d peer"
            lines.append(f"complete -c pacs {peers}")
    else:
        lines = [f"complete -c pacs -n __fish_use_subcommand -f -a {name} -d {summary}"]
    if page.commands:
        return lines
    first, rest = places(page)
    if first is Kind.PEERS:
        at = f"-n '{condition}; and __pacs_is_first {begin}'"
        lines.append(f"complete -c pacs {at} -f -a '(__pacs_peers)' -d peer")
    if first is Kind.SHELL:
        at = f"-n '{condition}; and __pacs_is_first {begin}'"
        lines.append(f"complete -c pacs {at} -f -a 'bash zsh fish' -d shell")
    if rest is Kind.NONE:
        lines.append(f"complete -c pacs -n '{condition}' -f")
    lines += [
        f"complete -c pacs -n '{condition}' {_option(option, words)}"
        for option in page.options
        if option.names
    ]
    return lines


def _option(option: Option, words: Words) -> str:
    parts = []
    for name in option.names:
        kind = "-l" if name.startswith("--") else "-s" if len(name) == 2 else "-o"
        parts.append(f"{kind} {name.lstrip('-')}")
    if option.takes_value:
        parts.append(_value(value_of(option, words)))
    return " ".join([*parts, f"-d {quoted(option.help)}"])


def _value(value: Value) -> str:
    words = " ".join(value.words)
    return {
        Kind.NONE: "-x",
        Kind.FILES: "-r -F",
        Kind.FOLDERS: "-x -a '(__fish_complete_directories)'",
        Kind.PEERS: "-x -a '(__pacs_peers)'",
        Kind.KEY: "-x -a '(__pacs_keywords)'",
        Kind.KEYS: "-x -a '(__pacs_keywords list)'",
        Kind.WORD: f"-x -a {quoted(words)}",
        Kind.WORDS: f"-x -a '(__pacs_list {words})'",
        Kind.PAIRS: f"-x -a '(__pacs_pairs {words})'",
    }[value.kind]
