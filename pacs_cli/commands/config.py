"""`pacs config`: the configuration file, what applies, and the peers in it."""

from __future__ import annotations

#: Name, module, summary.
COMMANDS = (
    ("init", "pacs_cli.commands.config_init", "Write a commented configuration file."),
    ("show", "pacs_cli.commands.config_show", "Show what applies, and where it comes from."),
    ("path", "pacs_cli.commands.config_path", "Show where the configuration file is."),
    ("peers", "pacs_cli.commands.config_peers", "List, add, remove and test peers."),
)

EXAMPLES = (
    ("pacs config init", "write a file to begin with"),
    ("pacs config peers add ward WARD@10.0.0.5:104", "give a peer a name"),
    ("pacs config show ward", "what an echo of it would use, and why"),
)
CONFORMANCE = "That of its commands."


def config() -> None:
    """Look after the configuration file, and see what applies.

    The file is $PACS_CONFIG, else pacs/config.toml in $XDG_CONFIG_HOME or ~/.config. What is typed
    counts before the PACS_* variables, those before the peer's table, that before the file, and
    what is built in last.
    """
