"""Completion scripts for bash, zsh and fish: static, they never start Python.

Peer names come from the `[peers.NAME]` lines of the configuration file, and the keywords of DICOM
from `pacs.keywords` beside the script, both read by sed: a list of 5,000 in each script would cost
every new shell 5 ms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol


class _Option(Protocol):
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def metavar(self) -> str: ...
    @property
    def help(self) -> str: ...
    @property
    def takes_value(self) -> bool: ...


class _Page(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def options(self) -> Sequence[_Option]: ...
    @property
    def commands(self) -> Sequence[tuple[str, str]]: ...


_PEERS = (
    r"sed -n 's/^[[:space:]]*\[peers\.\([A-Za-z0-9_-]*\)\].*/\1/p' "
    '"${PACS_CONFIG:-${XDG_CONFIG_HOME:-$HOME/.config}/pacs/config.toml}" 2>/dev/null'
)


def keywords(rows: Iterable[tuple[str, int, str]]) -> str:
    """Return the file of keywords, a line for each: keyword, tag, VR."""
    return "".join(
        f"{keyword} {tag >> 16:04x},{tag & 0xFFFF:04x} {vr}\n" for keyword, tag, vr in sorted(rows)
    )


#: Keywords are read from the file beside the script when they are asked for.
_BASH_KEYWORDS = """\
_pacs_folder=./${BASH_SOURCE[0]}
[[ ${BASH_SOURCE[0]} == /* ]] && _pacs_folder=${BASH_SOURCE[0]}
_pacs_folder=${_pacs_folder%/*}
[[ $_pacs_folder == /* ]] || _pacs_folder=$PWD/$_pacs_folder
_pacs_keywords() {
    local path= name=$1
    [[ $name == *.* ]] && path=${name%.*}. name=${name##*.}
    [[ $path == *[^][A-Za-z0-9,.\\(\\)]* || $name == *[^A-Za-z0-9]* ]] && return
    mapfile -t COMPREPLY < <(sed -n "s/^\\($name[^ ]*\\) .*/$path\\1/p" \
        "$_pacs_folder/pacs.keywords" 2>/dev/null)
    compopt -o nospace 2>/dev/null
}
"""


def bash(pages: Iterable[_Page]) -> str:
    """Return the script for bash."""
    pages = list(pages)
    names = " ".join(page.name for page in pages if " " not in page.name)
    groups = "".join(
        f"            {_quoted(page.name)}) "
        f"commands={_quoted(' '.join(name for name, _ in page.commands))} ;;\n"
        for page in pages
        if page.commands
    )
    cases = "".join(
        f"        {_quoted(page.name)}) options={_quoted(' '.join(_names(page)))}; "
        f"choices={_quoted(' '.join(_choices(page)))}; "
        f"keys={_quoted(' '.join(_keys(page)))}; peer={_peer_word(page)} ;;\n"
        for page in pages
    )
    return f"""# bash completion for pacs
{_BASH_KEYWORDS}_pacs() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
    local options= choices= keys= peer= choice commands= command=${{COMP_WORDS[1]}} first=2
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "{names} --help --version" -- "$current")
        return
    fi
    while :; do
        commands=
        case $command in
{groups}        esac
        [[ $commands ]] || break
        if ((COMP_CWORD == first)); then
            mapfile -t COMPREPLY < <(compgen -W "$commands --help" -- "$current")
            return
        fi
        command="$command ${{COMP_WORDS[first]}}"
        ((first++))
    done
    case $command in
{cases}        *) return ;;
    esac
    # bash makes a word of the = in --key=KEYWORD, and of that in KEYWORD=VALUE
    if [[ $previous == = ]]; then
        previous=${{COMP_WORDS[COMP_CWORD-2]}}
        [[ $previous == --* ]] || return
    elif [[ $current == = ]]; then
        [[ $previous == --* ]] || return
        current=
    fi
    if [[ " $keys " == *" $previous "* ]]; then
        _pacs_keywords "$current"
        return
    fi
    for choice in $choices; do
        if [[ $previous == "${{choice%%=*}}" ]]; then
            choice=${{choice#*=}}
            mapfile -t COMPREPLY < <(compgen -W "${{choice//,/ }}" -- "$current")
            return
        fi
    done
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    elif [[ $peer == yes ]] && ((COMP_CWORD == first)); then
        mapfile -t COMPREPLY < <(compgen -W "$({_PEERS})" -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        compopt -o filenames 2>/dev/null
    fi
}}
complete -F _pacs pacs
"""


def zsh(pages: Iterable[_Page]) -> str:
    """Return the script for zsh."""
    pages = list(pages)
    commands = "".join(
        f"        {_quoted(f'{p.name}:{p.summary}')}\n" for p in pages if " " not in p.name
    )
    groups = "".join(_zsh_group(page) for page in pages if page.commands)
    cases = "".join(
        f"        {_quoted(page.name)})\n            _arguments -s \\\n"
        + "".join(f"                {spec} \\\n" for spec in _zsh_specs(page))
        + f"                {_zsh_rest(page)}\n            ;;\n"
        for page in pages
        if not page.commands
    )
    return f"""#compdef pacs
_pacs_keywords() {{
    local -a lines names
    [[ $PREFIX == *=* ]] && return 1
    compset -P '*.'
    lines=(${{(f)"$(sed -n "/^${{PREFIX//[^A-Za-z0-9]/_}}/p" \
        ${{functions_source[_pacs]:A:h}}/pacs.keywords 2>/dev/null)"}})
    names=(${{lines%% *}})
    compadd -S '' -l -d lines -a names
}}
_pacs_peers() {{
    local -a peers
    peers=(${{(f)"$({_PEERS})"}})
    _describe peer peers
}}
_pacs() {{
    local -a commands
    commands=(
{commands}    )
    if ((CURRENT == 2)); then
        _describe command commands
        _arguments '--help[show help]' '--version[show the version]'
        return
    fi
    local command=$words[2]
    shift words
    ((CURRENT--))
    local group=
    while [[ $group != $command ]]; do
        group=$command
        case $command in
{groups}        esac
    done
    case $command in
{cases}    esac
}}
if [ "$funcstack[1]" = "_pacs" ]; then
    _pacs "$@"
else
    compdef _pacs pacs
fi
"""


def _zsh_group(page: _Page) -> str:
    """Return the case that completes the commands of a group, or goes on to one of them."""
    rows = " ".join(_quoted(f"{name}:{summary}") for name, summary in page.commands)
    return f"""            {_quoted(page.name)})
                if ((CURRENT == 2)); then
                    commands=({rows})
                    _describe command commands
                    return
                fi
                command="$command $words[2]"
                shift words
                ((CURRENT--))
                ;;
"""


def fish(pages: Iterable[_Page]) -> str:
    """Return the script for fish."""
    lines = [
        "# fish completion for pacs",
        "function __pacs_peers",
        "    set -l config $PACS_CONFIG",
        '    test -n "$config"; or set config (test -n "$XDG_CONFIG_HOME"; and echo'
        " $XDG_CONFIG_HOME; or echo $HOME/.config)/pacs/config.toml",
        r"    sed -n 's/^[[:space:]]*\[peers\.\([A-Za-z0-9_-]*\)\].*/\1/p' $config 2>/dev/null",
        "end",
        "set -g __pacs_folder (status dirname)",
        "function __pacs_keywords",
        "    set -l name (string replace -r '^--[a-z-]+=' '' -- (commandline -ct))",
        r"    set -l path (string match -r '^.*\.' -- $name; or echo '')",
        r"    set name (string replace -r '^.*\.' '' -- $name)",
        r"    string match -qr '[^][A-Za-z0-9,.()]' -- $path; and return",
        "    string match -qr '[^A-Za-z0-9]' -- $name; and return",
        r'    sed -n "s/^\("$name"[^ ]*\) \(.*\)/$path\1\t\2/p" $__pacs_folder/pacs.keywords '
        "2>/dev/null",
        "end",
        "complete -c pacs -n __fish_use_subcommand -f -l help -d 'show help'",
        "complete -c pacs -n __fish_use_subcommand -f -l version -d 'show the version'",
    ]
    for page in pages:
        summary = _quoted(page.summary)
        *groups, name = page.name.split(" ")
        seen = f"-n '__fish_seen_subcommand_from {name}'"
        second = 2
        if groups:
            # a command of the same name may stand alone
            second = len(groups) + 2
            of_group = "; and ".join(
                f"string match -q -- {word} (commandline -opc)[{place}]"
                for place, word in enumerate(groups, 2)
            )
            is_next = f"{of_group}; and test (count (commandline -opc)) -eq {second - 1}"
            lines.append(f"complete -c pacs -n '{is_next}' -f -a {name} -d {summary}")
            begun = f"__fish_seen_subcommand_from {groups[0]}"
            is_it = f"string match -q -- {name} (commandline -opc)[{second}]"
            seen = f"-n '{begun}; and {of_group}; and {is_it}'"
        else:
            lines.append(f"complete -c pacs -n __fish_use_subcommand -f -a {name} -d {summary}")
        if _has_peer(page):
            is_second = f"{seen[:-1]}; and test (count (commandline -opc)) -eq {second}'"
            lines.append(f"complete -c pacs {is_second} -a '(__pacs_peers)' -d peer")
        for option in page.options:
            lines += [f"complete -c pacs {seen} {_fish(option)}"] if option.names else []
    return "\n".join(lines) + "\n"


def _fish(option: _Option) -> str:
    parts = []
    for name in option.names:
        kind = "-l" if name.startswith("--") else "-s" if len(name) == 2 else "-o"
        parts.append(f"{kind} {name.lstrip('-')}")
    if option.takes_value:
        values = option.metavar.split("|")
        if _is_key(option):
            parts.append("-x -a '(__pacs_keywords)'")
        else:
            parts.append(f"-x -a {_quoted(' '.join(values))}" if len(values) > 1 else "-r")
    return " ".join([*parts, f"-d {_quoted(option.help)}"])


def _zsh_specs(page: _Page) -> list[str]:
    specs = []
    for option in page.options:
        text = option.help.translate(str.maketrans("[]:", "();"))
        value = ""
        if option.takes_value:
            values = option.metavar.split("|")
            action = f"({' '.join(values)})" if len(values) > 1 else _zsh_action(option)
            value = f":{values[0].lower()}:{action}"
        excluded = f"({' '.join(option.names)})" if len(option.names) > 1 else ""
        specs += [_quoted(f"{excluded}{name}[{text}]{value}") for name in option.names]
    return specs


def _zsh_action(option: _Option) -> str:
    if _is_key(option):
        return "_pacs_keywords"
    return "_files" if option.metavar in ("FILE", "DIR", "PATH") else " "


def _zsh_rest(page: _Page) -> str:
    return "'1:peer:_pacs_peers' '*:file:_files'" if _has_peer(page) else "'*:file:_files'"


def _names(page: _Page) -> list[str]:
    return [name for option in page.options for name in option.names]


def _choices(page: _Page) -> list[str]:
    """Return `--option=a b` for options that take one of several words."""
    return [
        f"{name}={option.metavar.replace('|', ',')}"
        for option in page.options
        for name in option.names
        if "|" in option.metavar
    ]


def _keys(page: _Page) -> list[str]:
    return [name for option in page.options if _is_key(option) for name in option.names]


def _is_key(option: _Option) -> bool:
    """Whether an option takes a keyword of DICOM, and perhaps a value for it."""
    return option.metavar.startswith("KEY")


def _has_peer(page: _Page) -> bool:
    return any(
        not option.names and option.metavar.lstrip("[").startswith("PEER")
        for option in page.options
    )


def _peer_word(page: _Page) -> str:
    return "yes" if _has_peer(page) else "no"


def _quoted(text: str) -> str:
    """Quote for any of the three shells."""
    return "'" + text.replace("'", "'\\''") + "'"
