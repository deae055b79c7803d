"""TLS of the commands: options, configuration, every service, and exit codes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pydicom
import pytest

from tests.conftest import Pacs
from tests.interop.peers import PACS, dcmtk_storescp, free_port, pacs_storescp, run
from tests.pki import PASSPHRASE, Pki
from tests.samples import dataset_bytes, header, storable

CT_FILE = next(path for path in storable() if path.name == "CT_small.dcm")
UID = header(CT_FILE).sop_instance_uid


@pytest.mark.parametrize("workers", [1, 2])
def test_objects_are_stored_found_moved_and_got_over_tls(
    pacs: Pacs, pki: Pki, tmp_path: Path, workers: int
):
    tls = pki.good.options
    with pacs_storescp(tmp_path / "second", "--aet", "SECOND", *tls) as second:
        there = f"SECOND@127.0.0.1:{second.port}"
        options = ("--qr", "--move-to", there, "--workers", str(workers), *tls)
        with pacs_storescp(tmp_path / "first", *options) as first:
            place = ("127.0.0.1", first.port)
            sent = pacs("storescu", *place, CT_FILE, *tls)
            assert (sent.exit, sent.stderr) == (0, "")
            key = f"StudyInstanceUID={first_study()}"
            found = pacs("findscu", *place, "-k", key, "--json", *tls)
            assert (found.exit, found.json[0]["StudyInstanceUID"]) == (0, first_study())
            moved = pacs("movescu", *place, "--dest", "SECOND", "-k", key, *tls)
            assert moved.exit == 0, moved.stderr
            got = pacs("getscu", *place, "-k", key, "--out", tmp_path / "third", *tls)
            assert got.exit == 0, got.stderr
            copies = [first.files()[UID], second.files()[UID]]
    third = next((tmp_path / "third").rglob(f"{UID}.dcm"))
    assert [dataset_bytes(path) for path in (*copies, third)] == [dataset_bytes(CT_FILE)] * 3


def first_study() -> str:
    return str(pydicom.dcmread(CT_FILE, stop_before_pixels=True).StudyInstanceUID)


def test_own_receiver_of_movescu_is_called_with_tls(pacs: Pacs, pki: Pki, tmp_path: Path):
    tls, port = pki.good.options, free_port()
    options = ("--qr", "--move-to", f"ME@127.0.0.1:{port}", *tls)
    with pacs_storescp(tmp_path / "first", *options) as first:
        place = ("127.0.0.1", first.port)
        assert pacs("storescu", *place, CT_FILE, *tls).exit == 0
        out = ("--receive", port, "--out", tmp_path / "here", "-aet", "ME")
        moved = pacs("movescu", *place, *out, "-k", f"StudyInstanceUID={first_study()}", *tls)
    assert moved.exit == 0, moved.stderr
    here = next((tmp_path / "here").rglob(f"{UID}.dcm"))
    assert dataset_bytes(here) == dataset_bytes(CT_FILE)


def test_own_receiver_of_movescu_is_never_plain_when_tls_is_asked_for(
    pacs: Pacs, pki: Pki, tmp_path: Path
):
    out = ("--receive", 11199, "--out", tmp_path / "here", "-k", "StudyInstanceUID=1.2")
    done = pacs("movescu", "127.0.0.1", "1", *out, "--tls-ca", pki.ca)
    assert (done.exit, done.stderr.count("\n")) == (2, 1)
    assert "add --tls-cert" in done.stderr


def test_peer_and_archive_of_the_configuration_have_their_tls(pacs: Pacs, pki: Pki, tmp_path: Path):
    files = f'ca = "{pki.ca}", cert = "{pki.good.certificate}", key = "{pki.good.key}"'
    config = tmp_path / "pacs.toml"
    config.write_text(f"[archive]\nport = 0\ntls = {{ {files} }}\n")
    command = (*PACS, "storescp", "--out", str(tmp_path / "archive"), "--json")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**os.environ, "PACS_CONFIG": str(config)}
    ) as process:
        port = json.loads(process.stdout.readline())["port"]
        peer = tmp_path / "peer.toml"
        peer.write_text(f'[peers.it]\naddress = "127.0.0.1:{port}"\ntls = {{ {files} }}\n')
        known = pacs("echoscu", "it", env={"PACS_CONFIG": str(peer)})
        typed = pacs("echoscu", "it", "--tls-ca", pki.foreign_ca, env={"PACS_CONFIG": str(peer)})
        process.terminate()
        process.communicate(timeout=20)
    assert (known.exit, known.stderr) == (0, "")
    assert typed.exit == 3
    assert "of a CA that is not trusted here" in typed.stderr


def test_batch_is_sent_over_the_tls_of_its_peer(
    pacs: Pacs, pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    files = f'ca = "{pki.ca}", cert = "{pki.good.certificate}", key = "{pki.good.key}"'
    job = tmp_path / "move.job"
    with pacs_storescp(tmp_path / "archive", *pki.good.options) as archive:
        config = tmp_path / "config.toml"
        config.write_text(
            f'[peers.there]\naddress = "127.0.0.1:{archive.port}"\ntls = {{ {files} }}\n'
        )
        monkeypatch.setenv("PACS_CONFIG", str(config))
        sent = pacs("send-batch", "there", CT_FILE, "--state", job)
        assert (sent.exit, sent.stderr) == (0, "")
        assert dataset_bytes(archive.files()[UID]) == dataset_bytes(CT_FILE)
        # without it the same job does not fall back to plain
        config.write_text(f'[peers.there]\naddress = "127.0.0.1:{archive.port}"\n')
        plain = pacs("send-batch", "there", CT_FILE, "--state", tmp_path / "other.job")
        assert plain.exit == 3
        assert "it speaks TLS there" in plain.stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('tls = "yes"', "peers.it.tls: must be true, false or a table"),
        ("tls = { cartificate = 'a' }", "unknown key peers.it.tls.cartificate"),
        ("tls = { anonymous = 1 }", "must be true or false"),
        ("tls = { min = '1.0' }", "--tls-min 1.0: choose 1.2 or 1.3"),
        ("tls = { ca = 'missing.pem' }", "missing.pem: No such file"),
    ],
)
def test_tls_of_the_configuration_is_checked(pacs: Pacs, tmp_path: Path, line: str, words: str):
    config = tmp_path / "pacs.toml"
    config.write_text(f'[peers.it]\naddress = "127.0.0.1:1"\n{line}\n')
    done = pacs("echoscu", "it", env={"PACS_CONFIG": str(config)})
    assert (done.exit, done.stderr.count("\n")) == (2, 1)
    assert words in done.stderr


COMMANDS = [
    ("echoscu",),
    ("storescu", CT_FILE),
    ("findscu",),
    ("movescu", "--dest", "X", "-k", "StudyInstanceUID=1.2"),
    ("getscu", "-k", "StudyInstanceUID=1.2", "--out"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_fails_to_connect_with_3(
    pacs: Pacs, pki: Pki, tmp_path: Path, command: tuple[object, ...]
):
    name, *rest = command
    rest += [tmp_path / "out"] if rest[-1:] == ["--out"] else []
    with pacs_storescp(tmp_path / "archive", *pki.good.options) as archive:
        done = pacs(name, "127.0.0.1", archive.port, *rest, "--tls-ca", pki.foreign_ca)
    assert done.exit == 3, done.stderr
    assert "of a CA that is not trusted here; check --tls-ca" in done.stderr


def test_passphrase_comes_from_the_environment(pacs: Pacs, pki: Pki, tmp_path: Path):
    files = ("--tls-ca", pki.ca, "--tls-cert", pki.good.certificate, "--tls-key")
    with pacs_storescp(tmp_path / "archive", *pki.good.options) as archive:
        place = ("echoscu", "127.0.0.1", archive.port, *files, pki.encrypted_key)
        asked = pacs(*place)
        given = pacs(*place, env={"PACS_TLS_KEY_PASS": PASSPHRASE})
        read = pacs(*place, "--tls-key-pass-file", pki.passphrase)
    assert (asked.exit, given.exit, read.exit) == (2, 0, 0)
    assert "PACS_TLS_KEY_PASS" in asked.stderr


def test_provider_without_certificate_does_not_start(pacs: Pacs, tmp_path: Path):
    done = pacs("storescp", "0", "--out", tmp_path / "archive", "--tls")
    assert (done.exit, done.stderr.count("\n")) == (2, 1)
    assert "add --tls-cert" in done.stderr
    assert not (tmp_path / "archive").exists()


@pytest.mark.interop
def test_dcmtk_is_called_with_tls(pacs: Pacs, pki: Pki, tmp_path: Path):
    options = ("+tls", str(pki.good.key), str(pki.good.certificate), "+cf", str(pki.ca), "+xa")
    with dcmtk_storescp(tmp_path / "dcmtk", *options) as port:
        sent = pacs("storescu", "127.0.0.1", port, CT_FILE, *pki.good.options)
        assert (sent.exit, sent.stderr) == (0, "")
        nobody = pacs("echoscu", "127.0.0.1", port, "--tls-ca", pki.ca)
        wrong = pacs("echoscu", "127.0.0.1", port, *pki.foreign.options)
        plain = pacs("echoscu", "127.0.0.1", port)
    received = [path for path in (tmp_path / "dcmtk").iterdir() if path.is_file()]
    assert [dataset_bytes(path) for path in received] == [dataset_bytes(CT_FILE)]
    assert (nobody.exit, wrong.exit) == (3, 3)
    assert "client certificate" in nobody.stderr
    assert "does not trust the CA of our certificate" in wrong.stderr
    assert "does it want TLS (--tls)" in plain.stderr


@pytest.mark.interop
def test_dcmtk_calls_with_tls(pki: Pki, tmp_path: Path):
    def echo(key: object, certificate: object, *more: object) -> int:
        arguments = ("+tls", key, certificate, "+cf", pki.ca, *more)
        return run("echoscu", "127.0.0.1", archive.port, *arguments).returncode

    with pacs_storescp(tmp_path / "archive", *pki.good.options) as archive:
        good, foreign = pki.good, pki.foreign
        assert echo(good.key, good.certificate) == 0
        assert echo(foreign.key, foreign.certificate) != 0
        assert run("echoscu", "127.0.0.1", archive.port).returncode != 0
        sent = run(
            "storescu", "127.0.0.1", archive.port, CT_FILE, "+tls", good.key, good.certificate,
            "+cf", pki.ca,
        )  # fmt: skip
        assert sent.returncode == 0, sent.stderr
        files = archive.files()
    ended = [each["error"] for each in archive.kind("association_ended")]
    # DCMTK writes the elements anew
    assert pydicom.dcmread(files[UID]).PixelData == pydicom.dcmread(CT_FILE).PixelData
    assert sum("of a CA that is not trusted here" in (error or "") for error in ended) == 1
    assert sum("does not speak TLS" in (error or "") for error in ended) == 1
