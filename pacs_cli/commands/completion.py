"""`pacs completion`: the TAB key of bash, zsh and fish."""

from __future__ import annotations

#: Name, module, summary.
COMMANDS = (
    ("install", "pacs_cli.commands.completion_install", "Put the script where the shell looks."),
    ("uninstall", "pacs_cli.commands.completion_uninstall", "Remove the script again."),
    ("show", "pacs_cli.commands.completion_show", "Print the script."),
)

EXAMPLES = (
    ("pacs completion install", "for the shell in which it is typed"),
    ("pacs completion install zsh", "for another one"),
    ("source <(pacs completion show bash)", "for this shell alone, with nothing installed"),
)
CONFORMANCE = "None: it knows the keywords of PS3.6."


def completion() -> None:
    """Complete commands, options, peers, keywords of DICOM and transfer syntaxes with TAB.

    The scripts never start Python. Peers are those of the configuration file.
    """
