"""The completion script for bash."""

from __future__ import annotations

from collections.abc import Iterable

from pacs_cli.completions.values import (
    PEERS,
    Kind,
    Page,
    Words,
    names,
    places,
    quoted,
    value_of,
)

_HEAD = """\
# bash completion for pacs
# what macOS calls bash is 3.2 of 2006, without what this needs
((BASH_VERSINFO[0] >= 4)) || return 0
_pacs_packaged=''
"""

_FUNCTIONS = r"""
_pacs_folder=./${BASH_SOURCE[0]}
[[ ${BASH_SOURCE[0]} == /* ]] && _pacs_folder=${BASH_SOURCE[0]}
_pacs_folder=${_pacs_folder%/*}
[[ $_pacs_folder == /* ]] || _pacs_folder=$PWD/$_pacs_folder
_pacs_keywords() {
    local path= name=$1 folder
    [[ $name == *.* ]] && path=${name%.*}. name=${name##*.}
    [[ $path == *[^][A-Za-z0-9,.\(\)]* || $name == *[^A-Za-z0-9,]* ]] && return
    for folder in "$_pacs_packaged" "$_pacs_folder" "$_pacs_folder/../../pacs" \
        "${XDG_DATA_HOME:-$HOME/.local/share}/pacs"; do
        [[ -r $folder/pacs.keywords ]] && break
    done
    compopt -o nospace 2>/dev/null
    if [[ $name == [0-9]* ]]; then
        mapfile -t COMPREPLY < <(sed -n "s/^\([^ ]*\) \(${name,,}[^ ]*\) .*/$path\2  \1/p" \
            "$folder/pacs.keywords" 2>/dev/null)
        # a list shows what each tag is; what is inserted must not
        [[ ${#COMPREPLY[@]} -gt 1 && $COMP_TYPE != 37 && $COMP_TYPE != 42 ]] ||
            COMPREPLY=("${COMPREPLY[@]%%  *}")
        return
    fi
    mapfile -t COMPREPLY < <(sed -n "s/^\($name[^ ]*\) .*/$path\1/p" \
        "$folder/pacs.keywords" 2>/dev/null)
}
_pacs_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}
_pacs_value() {
    local kind=$1 words=${2//,/ } current=$3 inside=$4 before=
    if [[ $inside ]]; then
        [[ $kind == pairs ]] || return
        kind=words words=$_pacs_syntaxes
    fi
    case $kind in
        keys | words)
            if [[ $current =~ ^(.*,)?([0-9a-fA-F]{4},[0-9a-fA-F]*)$ && $kind == keys ]]; then
                before=${BASH_REMATCH[1]} current=${BASH_REMATCH[2]}
            elif [[ $current == *,* ]]; then
                before=${current%,*}, current=${current##*,}
            fi
            ;;
    esac
    case $kind in
        key | keys) _pacs_keywords "$current" ;;
        word) _pacs_words "$words" "$current" ;;
        words | pairs)
            _pacs_words "$words" "$current"
            [[ $kind == pairs ]] && COMPREPLY=("${COMPREPLY[@]/%/=}")
            compopt -o nospace 2>/dev/null
            ;;
"""

_MAIN = r"""        shell) _pacs_words "bash zsh fish" "$current" ;;
        # readline's own completion knows of blanks, quotes and ~
        files) compopt -o default 2>/dev/null ;;
        folders) compopt -o dirnames 2>/dev/null ;;
    esac
    [[ $before ]] && COMPREPLY=("${COMPREPLY[@]/#/$before}")
}
_pacs_place() {
    # which positional argument is being typed, from 0
    local at=$1 word next ends=
    REPLY=0
    for (( ; at < COMP_CWORD; at++)); do
        word=${COMP_WORDS[at]} next=${COMP_WORDS[at+1]}
        if [[ $word == -- && ! $ends ]]; then
            ends=yes
        elif [[ $word == -?* && ! $ends ]]; then
            [[ " $values" == *" $word="* || $next == = ]] && ((at++))
        elif [[ $word == = ]]; then
            ((at++))
        else
            ((REPLY++))
        fi
    done
}
"""

_BODY = r"""    # bash makes words of --key=KEYWORD and of KEYWORD=VALUE at each =
    if [[ $current == = ]]; then
        current= at=$COMP_CWORD
    elif [[ $current == --*=* ]]; then
        previous=${current%%=*} prefix=${current%%=*}= current=${current#*=}
    fi
    [[ $prefix ]] || previous=${COMP_WORDS[at]}
    while [[ $previous == = ]]; do
        previous=${COMP_WORDS[at-1]}
        [[ $previous == -* ]] && break
        inside=yes at=$((at - 2))
        previous=${COMP_WORDS[at]}
    done
    if [[ $previous == -* && " $values" == *" $previous="* ]]; then
        kind=" $values" kind=${kind#*" $previous="}
        kind=${kind%% *}
        _pacs_value "${kind%%:*}" "${kind#*:}" "$current" "$inside"
        [[ $prefix ]] && COMPREPLY=("${COMPREPLY[@]/#/$prefix}")
    elif [[ $inside || $prefix ]]; then
        return
    elif [[ $current == -* ]]; then
        _pacs_words "$options" "$current"
    else
        _pacs_place $begin
        ((REPLY == 0)) && _pacs_value "$first" "" "$current" "" ||
            _pacs_value "$rest" "" "$current" ""
    fi
}
complete -F _pacs pacs
"""


def bash(pages: Iterable[Page], words: Words) -> str:
    """Return the script for bash.

    words  as `value_of` has them; those of SYNTAX complete the second half of CLASS=SYNTAX too
    """
    pages = list(pages)
    all_names = " ".join(page.name for page in pages if " " not in page.name)
    groups = "".join(map(_group, (page for page in pages if page.commands)))
    cases = "".join(_case(page, words) for page in pages if not page.commands)
    return f"""{_HEAD}_pacs_syntaxes={quoted(" ".join(words["SYNTAX"]))}{_FUNCTIONS}\
        peers) _pacs_words "$({PEERS})" "$current" ;;
{_MAIN}_pacs() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} command=${{COMP_WORDS[1]}}
    local options= values= first= rest= kind= commands= default= inside= prefix= begin=2
    local previous= at=$((COMP_CWORD - 1)) REPLY
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _pacs_words "{all_names} --help --version" "$current"
        return
    fi
    while :; do
        commands= default=
        case $command in
{groups}        esac
        [[ $commands ]] || break
        if [[ COMP_CWORD -gt begin && " $commands " == *" ${{COMP_WORDS[begin]}} "* ]]; then
            command="$command ${{COMP_WORDS[begin]}}"
            ((begin++))
        elif [[ $default && COMP_CWORD -gt begin ]]; then
            command="$command $default"
        else
            [[ $default ]] && _pacs_value peers "" "$current" ""
            COMPREPLY+=($(compgen -W "$commands --help" -- "$current"))
            return
        fi
    done
    case $command in
{cases}        *) return ;;
    esac
{_BODY}"""


def _group(page: Page) -> str:
    commands = quoted(" ".join(name for name, _ in page.commands))
    return f"            {quoted(page.name)}) commands={commands} default={page.default} ;;\n"


def _case(page: Page, words: Words) -> str:
    first, rest = places(page)
    values = quoted(" ".join(_values(page, words)))
    return (
        f"        {quoted(page.name)}) options={quoted(' '.join(names(page)))}\n"
        f"            values={values}\n"
        f"            first={first} rest={rest} ;;\n"
    )


def _values(page: Page, words: Words) -> list[str]:
    """Return `--option=kind:word,word` for each name of each option that takes a value."""
    found = []
    for option in page.options:
        if option.names and option.takes_value:
            value = value_of(option, words)
            text = f"{value.kind}:{','.join(value.words)}"
            text = text.removesuffix(":") if value.kind is not Kind.NONE else Kind.NONE
            found += [f"{name}={text}" for name in option.names]
    return found
