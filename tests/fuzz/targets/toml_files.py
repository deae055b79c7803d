"""Files of TOML: configuration, policy of de-identification, rules of devices."""

from __future__ import annotations

from collections.abc import Iterator

from pacs_cli import config
from pacs_cli.errors import InputError, UsageError
from pacs_cli.pipelines.deid.pixels import PixelFacts, decide, load_rules
from pacs_cli.pipelines.deid.policy import make_policy
from tests.fuzz.scratch import written

CONFIG = b"""
aet = "MADE_UP"
timeout = 10
[peers.ward]
address = "WARD@127.0.0.1:104"
tls = { ca = "ca.pem" }
[archive]
port = 11112
"""
POLICY = b"""
profile = "basic"
retain = ["uids", "modified-dates"]
clean = ["descriptors"]
rules = ["PatientName = dummy"]
safe_private = ['0009,xx01:"MADE UP"']
date_shift = "1:9"
"""
RULES = b"""
[[rule]]
name = "a device"
match = { Modality = "US", Rows = 480, Manufacturer = { regexp = "made.*up" } }
blank = [[0, 0, 100, 20]]
"""


def seeds() -> Iterator[bytes]:
    yield b"\0" + CONFIG
    yield b"\1" + POLICY
    yield b"\2" + RULES


def check(data: bytes) -> None:
    if not data:
        return
    path = written(data[1:], "file.toml")
    try:
        if data[0] % 3 == 0:
            config.load({}, path)
        elif data[0] % 3 == 1:
            make_policy(str(path))
        else:
            rules = load_rules(data[1:].decode("utf-8", "replace"))
            decide(PixelFacts({0x00080060: b"US"}), rules, "warn", clean_requested=False)
    except (UsageError, InputError):
        return
