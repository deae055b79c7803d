"""A slip of the fingers costs one line, which names what was most likely meant."""

from __future__ import annotations

import pytest


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A configuration with two peers."""
    path = tmp_path / "config.toml"
    path.write_text('[peers.ward]\naddress = "a:1"\n[peers.archive]\naddress = "b:1"\n')
    monkeypatch.setenv("PACS_CONFIG", str(path))
    return path


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        # commands and options
        ("storscu ward x", "storescu"),
        ("index fnd x", "find"),
        ("completion instal", "install"),
        ("send-batch statuss move.job", "status"),
        ("storescu ward x --job 2", "--jobs"),
        ("index find x --levle study", "--level"),
        ("storescp 0 --out x --tls-crt a", "--tls-cert"),
        # keywords
        ("findscu ward -k PatientNme=DOE", "PatientName"),
        ("findscu ward -k ScheduledProcedureStepSequence.Modalty=CT", "Modality"),
        ("storescu ward x --set PatientNme=DOE", "PatientName"),
        ("dump x -k PatientNme", "PatientName"),
        ("index export x -k PatientNme", "PatientName"),
        # peers
        ("echoscu wrad", "ward"),
        ("storescu wrad x", "ward"),
        ("findscu archiv", "archive"),
        ("storescp 0 --out x --forward wrad", "ward"),
        ("send-batch start ward x --state s --to archiv", "archive"),
        # transfer syntaxes and SOP classes
        ("transcode x y --to jpeglss", "jpegls"),
        ("transcode x y --to JPEG2000Losless", "JPEG2000Lossless"),
        ("transcode x y --to rle --if-syntax explict", "explicit"),
        ("storescp 0 --out x --prefer jpeglss", "jpegls"),
        ("storescp 0 --out x --accept CTImageStorag", "CTImageStorage"),
        ("storescu ward x --propose CT=jpeglss", "jpegls"),
        # words of an option
        ("anonymize x y --profile bsic", "basic"),
        ("anonymize x y --retain devise", "device"),
        ("validate x --rule iod-modul-missing", "iod-module-missing"),
        ("completion show fsh", "fish"),
        ("storescp 0 --out x --duplicate repalce", "replace"),
        ("storescu ward x --priority hgh", "high"),
        ("findscu ward --level studdy", "study"),
        ("index export x --level studdy", "study"),
        ("send-batch report x --only faild", "failed"),
        ("validate x --fail-on eror", "error"),
        ("transcode x y --to rle --uid kep", "keep"),
    ],
)
def test_slip_is_answered_with_what_was_meant(pacs, config, tmp_path, monkeypatch, line, meant):
    monkeypatch.chdir(tmp_path)
    result = pacs(*line.split())
    assert (result.exit, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert f"did you mean {meant}?" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_what_is_like_nothing_gets_no_guess(pacs, config):
    for line in ("zzzzzz", "echoscu zzzzzz", "findscu ward -k Zzzzzz", "transcode x y --to zzzzzz"):
        result = pacs(*line.split())
        assert result.exit == 2
        assert "did you mean" not in result.stderr
