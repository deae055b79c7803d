"""`pacs config peers`: the peers of the configuration file."""

from __future__ import annotations

#: Name, module, summary.
COMMANDS = (
    ("list", "pacs_cli.commands.config_peers_list", "List the peers of the configuration."),
    ("add", "pacs_cli.commands.config_peers_add", "Give a peer a name."),
    ("remove", "pacs_cli.commands.config_peers_remove", "Forget a peer."),
    ("test", "pacs_cli.commands.config_peers_test", "Echo peers of the configuration."),
)

EXAMPLES = (
    ("pacs config peers list", "which there are"),
    ("pacs config peers add ward WARD@10.0.0.5:104", "give a peer a name"),
    ("pacs config peers test", "echo all of them"),
)
CONFORMANCE = "That of its commands."


def peers() -> None:
    """List, add, remove and test the peers of the configuration.

    What stands in the file besides stays as it is, comments and all.
    """
