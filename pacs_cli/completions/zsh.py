"""The completion script for zsh."""

from __future__ import annotations

from collections.abc import Iterable

from pacs_cli.completions.values import (
    PEERS,
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
#compdef pacs
_pacs_packaged=''
"""

_FUNCTIONS = r"""
_pacs_keywords() {
    local -a lines names
    local folder beside=${functions_source[_pacs]:A:h}
    [[ $PREFIX == *=* ]] && return 1
    compset -P '*.'
    for folder in "$_pacs_packaged" $beside $beside/../../pacs \
        ${XDG_DATA_HOME:-$HOME/.local/share}/pacs; do
        [[ -r $folder/pacs.keywords ]] && break
    done
    if [[ $PREFIX == [0-9]* ]]; then
        lines=(${(f)"$(sed -n "s/^\([^ ]*\) \(${${(L)PREFIX}//[^a-z0-9,]/_}[^ ]*\)/\2 \1/p" \
            $folder/pacs.keywords 2>/dev/null)"})
    else
        lines=(${(f)"$(sed -n "/^${PREFIX//[^A-Za-z0-9]/_}/p" $folder/pacs.keywords 2>/dev/null)"})
    fi
    names=(${lines%% *})
    compadd -M 'm:{A-F}={a-f}' -S '' -l -d lines -a names
}
_pacs_key_list() {
    if [[ $PREFIX == (#b)(*,|)([0-9a-fA-F](#c4),*) ]]; then
        compset -p $#match[1]
    else
        compset -P '*,'
    fi
    _pacs_keywords
}
_pacs_list() {
    compset -P '*,'
    compadd -S '' -a - ${1}
}
_pacs_words() {
    local -a words_of
    words_of=("$@")
    _pacs_list words_of
}
_pacs_pairs() {
    if [[ ${PREFIX##*,} == *=* ]] || [[ $PREFIX == *=* ]]; then
        compset -P '*[,=]'
        compadd -S '' -a _pacs_syntaxes
    else
        compset -P '*,'
        compadd -S '=' - "$@"
    fi
}
"""


def zsh(pages: Iterable[Page], words: Words) -> str:
    """Return the script for zsh; `words` as for bash."""
    pages = list(pages)
    commands = "".join(
        f"        {quoted(f'{p.name}:{p.summary}')}\n" for p in pages if " " not in p.name
    )
    groups = "".join(_group(page) for page in pages if page.commands)
    cases = "".join(_case(page, words) for page in pages if not page.commands)
    return f"""{_HEAD}_pacs_syntaxes=({" ".join(words["SYNTAX"])}){_FUNCTIONS}\
_pacs_peers() {{
    local -a peers
    peers=(${{(f)"$({PEERS})"}})
    _describe peer peers
}}
_pacs() {{
    setopt local_options extended_glob
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


def _group(page: Page) -> str:
    """Return the case that completes the commands of a group, or goes on to one of them."""
    rows = " ".join(quoted(f"{name}:{summary}") for name, summary in page.commands)
    names = "|".join(name for name, _ in page.commands)
    peers = "                    _pacs_peers\n" if page.default else ""
    other = f'command="$command {page.default}"' if page.default else "return"
    return f"""            {quoted(page.name)})
                if ((CURRENT == 2)); then
                    commands=({rows})
                    _describe command commands
{peers}                    return
                fi
                case $words[2] in
                    {names})
                        command="$command $words[2]"
                        shift words
                        ((CURRENT--))
                        ;;
                    *) {other} ;;
                esac
                ;;
"""


def _case(page: Page, words: Words) -> str:
    first, rest = places(page)
    specs = [*_specs(page, words)]
    if first is Kind.SHELL:
        specs.append("'1:shell:(bash zsh fish)'")
    elif first is not rest:
        specs.append("'1:peer:_pacs_peers'")
    specs.append("'*:file:_files'" if rest is Kind.FILES else "'*: : '")
    lines = " \\\n                ".join(specs)
    head = f"        {quoted(page.name)})\n            _arguments -s \\\n"
    return f"{head}                {lines}\n            ;;\n"


def _specs(page: Page, words: Words) -> list[str]:
    specs = []
    for option in page.options:
        text = option.help.translate(str.maketrans("[]:", "();"))
        value = ""
        if option.takes_value:
            value = f":{option.metavar.split('|')[0].lower().replace(':', ' ')}:"
            value += _action(value_of(option, words))
        specs += [quoted(f"{_before(option)}{name}[{text}]{value}") for name in option.names]
    return specs


def _before(option: Option) -> str:
    """Return what says how often an option is offered."""
    if "Can be repeated" in option.help:
        return "*"
    return f"({' '.join(option.names)})" if len(option.names) > 1 else ""


def _action(value: Value) -> str:
    words = " ".join(value.words)
    # behind a blank the words of an action are all that its function is given
    return {
        Kind.NONE: " ",
        Kind.FILES: "_files",
        Kind.FOLDERS: "_files -/",
        Kind.PEERS: "_pacs_peers",
        Kind.KEY: "_pacs_keywords",
        Kind.KEYS: "_pacs_key_list",
        Kind.WORD: f"({words})",
        Kind.WORDS: f" _pacs_words {words}",
        Kind.PAIRS: f" _pacs_pairs {words}",
    }[value.kind]
