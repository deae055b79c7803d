"""`pacs users`: the file of users that `pacs storescp --users` checks."""

from __future__ import annotations

#: Name, module, summary.
COMMANDS = (
    ("add", "pacs_cli.commands.users_add", "Add a user, or give one another passcode."),
    ("remove", "pacs_cli.commands.users_remove", "Remove a user."),
    ("list", "pacs_cli.commands.users_list", "Show the names of the users."),
)

EXAMPLES = (
    ("pacs users add --file users doe", "asks for the passcode, twice"),
    ("pacs storescp 11112 --out archive --users users", "checks it"),
)
CONFORMANCE = "None: it is a local file."


def users() -> None:
    """Keep the file of users and their passcodes.

    No passcode can be read from it: of each there is a salted scrypt hash. A new file can be read
    by its owner alone. `pacs storescp` reads it when it starts.
    """
