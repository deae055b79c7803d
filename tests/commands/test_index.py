"""`pacs index` through its entry point: every command, every form, every failure."""

from __future__ import annotations

import csv
import io
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pacs_cli.commands.index import COMMANDS
from tests.archive.filing import object_bytes, touch, write_tree
from tests.interop.peers import PACS, pacs_storescp, run_pacs
from tests.support import CT
from tests.writing import write_object


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    write_tree(folder, 2, 1, 2, 2)
    return folder


@pytest.fixture
def indexed(scans, pacs):
    assert pacs("index", "add", scans).exit == 0
    return scans


def summary(result):
    assert result.json[-1]["type"] == "summary", result
    return result.json[-1]


# -- the group -----------------------------------------------------------------------------------


def test_help_of_the_group_names_its_commands(pacs):
    result = pacs("index", "--help")
    assert result.exit == 0
    for name, _, text in COMMANDS:
        assert name in result.stdout
        assert text in result.stdout


def test_command_that_is_missing_or_mistyped_is_a_usage_error(pacs):
    assert pacs("index").exit == 2
    result = pacs("index", "verfy")
    assert (result.exit, "did you mean verify?" in result.stderr) == (2, True)
    assert result.stderr.startswith("pacs index: ")
    result = pacs("index", "verify", "--hsah")
    assert "pacs index verify: no such option --hsah; did you mean --hash?" in result.stderr


@pytest.mark.parametrize("name", [name for name, *_ in COMMANDS if name not in ("add", "dicomdir")])
def test_index_that_is_not_there_is_bad_input(name, pacs, tmp_path):
    result = pacs("index", name, tmp_path / "none.db", "--json")
    assert result.exit == 6, result
    assert result.json[-1]["type"] == "error"
    assert not (tmp_path / "none.db").exists()
    assert pacs("index", name).exit == 2
    assert pacs("index", name, tmp_path, "--db", tmp_path / "a").exit == 2


@pytest.mark.parametrize("name", ["add", "find", "stats", "verify", "prune", "export"])
def test_corrupt_index_is_said_with_what_to_do(name, pacs, indexed):
    (indexed / "index.db").write_bytes(b"no database at all, whatever its name says\n" * 100)
    result = pacs("index", name, indexed)
    assert result.exit == 7, result
    assert "pacs index rebuild" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_database_of_somebody_else_is_left_alone(pacs, tmp_path, scans):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE valuable (a)")
    other.close()
    before = path.read_bytes()
    for name in ("add", "stats", "verify"):
        target = (scans, "--db", path) if name == "add" else (path,)
        assert pacs("index", name, *target).exit == 7
    assert path.read_bytes() == before


# -- add -----------------------------------------------------------------------------------------


def test_add_counts_and_the_second_time_reads_nothing(pacs, scans):
    first = pacs("index", "add", scans, "--json")
    assert first.exit == 0, first
    assert [line["outcome"] for line in first.json[:-1]] == ["added"] * 8
    assert summary(first)["added"] == 8
    second = pacs("index", "add", scans, "--json")
    assert second.exit == 0
    assert (summary(second)["added"], summary(second)["unchanged"]) == (0, 8)
    assert len(second.json) == 1
    assert "unchanged 8" in pacs("index", "add", scans).stdout


def test_add_skips_what_is_no_dicom_and_reports_what_is_broken(pacs, scans):
    (scans / "notes.txt").write_text("not an image, but long enough to have been one\n" * 9)
    (scans / "broken").write_bytes(object_bytes(7, 1, 1, 1)[:-10])
    os.mkfifo(scans / "fifo")
    result = pacs("index", "add", scans, "--json")
    assert result.exit == 1
    assert (summary(result)["skipped"], summary(result)["failed"]) == (2, 1)
    assert result.stderr.count("\n") == 1
    assert f"cannot index {scans / 'broken'}: " in result.stderr
    assert pacs("index", "add", scans).exit == 1


def test_add_of_a_named_file_that_is_no_dicom_is_bad_input(pacs, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not an image, but long enough to have been one\n" * 9)
    result = pacs("index", "add", path, "--db", tmp_path / "a.db")
    assert result.exit == 6
    assert "not a DICOM file" in result.stderr


def test_add_of_nothing_is_bad_input(pacs, tmp_path):
    (tmp_path / "empty").mkdir()
    assert pacs("index", "add", tmp_path / "empty").exit == 6
    assert pacs("index", "add", tmp_path / "none", "--db", tmp_path / "a.db").exit == 6


def test_progress_is_shown_on_a_terminal_only(pacs, scans):
    first = pacs("index", "add", scans, terminal=True)
    assert (first.exit, "indexing" in first.stderr) == (0, True)
    verified = pacs("index", "verify", scans, terminal=True)
    assert (verified.exit, "verifying" in verified.stderr) == (0, True)
    assert pacs("index", "verify", scans).stderr == ""


def test_name_that_is_no_text_goes_all_the_way(pacs, tmp_path):
    path = tmp_path / "\udcff.dcm"
    write_object(path, CT, "1.2.3.4")
    assert pacs("index", "add", tmp_path).exit == 0
    assert pacs("index", "verify", tmp_path).exit == 0
    (row,) = pacs("index", "export", tmp_path, "-k", "Path", "--json").json
    assert row["Path"] == str(path)
    path.unlink()
    result = pacs("index", "verify", tmp_path, "--json")
    assert result.json[0]["path"] == str(path)
    assert "\\udcff" in pacs("index", "prune", tmp_path).stdout


def test_add_needs_to_know_which_index(pacs, scans):
    assert pacs("index", "add").exit == 2
    result = pacs("index", "add", scans, scans / "P1")
    assert result.exit == 2
    assert "--db FILE" in result.stderr


def test_add_takes_lists_and_several_folders(pacs, scans, tmp_path):
    other = write_object(tmp_path / "other.dcm", CT, "1.2.3.4")
    names = tmp_path / "names"
    names.write_text(f"{scans}\n{other}\n")
    result = pacs("index", "add", "--from-file", names, "--db", tmp_path / "all.db", "--json")
    assert summary(result)["added"] == 9
    paths = pacs("index", "export", tmp_path / "all.db", "-k", "Path").stdout.split()
    assert str(other) in paths


@pytest.mark.parametrize("jobs", [1, 3])
def test_add_in_several_processes_gives_the_same_index(pacs, tmp_path, jobs):
    folder = tmp_path / "many"
    count = write_tree(folder, 20, 2, 4, 10)
    result = pacs("index", "add", folder, "--jobs", jobs, "--json")
    assert summary(result)["added"] == count
    rows = pacs("index", "export", folder, "-k", "SOPInstanceUID", "-k", "Path").stdout.split()[1:]
    expected = sorted(str(each) for each in folder.rglob("I*") if each.is_file())
    assert [row.split(",")[1] for row in rows] == expected


def test_add_killed_at_any_moment_is_complete_after_another(tmp_path):
    """Each time it is killed a little later, by how many rows are in."""
    folder = tmp_path / "many"
    count = write_tree(folder, 60, 2, 5, 10)
    kills = 0
    for goal in range(0, count, count // 6):
        process = subprocess.Popen(
            [*PACS, "index", "add", str(folder), "--jobs", "2", "-v"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for _ in range(goal // 8):
            if not process.stderr.readline():
                break
        process.kill()
        process.stderr.close()
        kills += process.wait(60) == -signal.SIGKILL
    assert kills
    done = run_pacs("index", "add", folder, "--json")
    assert done.returncode == 0, done
    stats = run_pacs("index", "verify", folder, "--json")
    assert f'"sound": {count}' in stats.stdout
    assert run_pacs("index", "stats", folder).stdout.startswith(
        f"60 patients, 120 studies, 600 series, {count} instances"
    )


def test_ctrl_c_ends_add_with_130_and_the_next_goes_on(tmp_path):
    folder = tmp_path / "many"
    write_tree(folder, 40, 2, 5, 10)
    with subprocess.Popen(
        [*PACS, "index", "add", str(folder), "-v"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.fail("it was done before the signal came")
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert stdout.startswith("added ")
    assert run_pacs("index", "add", folder).returncode == 0


def test_add_refuses_a_folder_that_a_storescp_holds_and_reading_goes_on(tmp_path):
    with pacs_storescp(tmp_path / "archive") as archive:
        path = write_object(tmp_path / "a.dcm", CT, "1.2.3.4")
        assert run_pacs("storescu", "127.0.0.1", str(archive.port), path).returncode == 0
        for command in (("add",), ("prune",), ("rebuild",)):
            refused = run_pacs("index", *command, archive.folder)
            assert refused.returncode == 7, refused
            assert "a pacs storescp receives into" in refused.stderr
        for command in ("stats", "verify", "find", "export"):
            done = run_pacs("index", command, archive.folder)
            assert done.returncode == 0, done
        other = write_object(tmp_path / "b.dcm", CT, "1.2.3.5")
        assert run_pacs("storescu", "127.0.0.1", str(archive.port), other).returncode == 0
        assert archive.stop() == 0
    done = run_pacs("index", "add", archive.folder, "--json")
    assert done.returncode == 0, done
    assert '"unchanged": 2' in done.stdout


def test_archive_after_add_and_rebuild_is_taken_over_by_storescp(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--duplicate", "version") as archive:
        port = str(archive.port)
        for pixels in (b"\1" * 64, b"\2" * 64, b"\3" * 64):
            path = write_object(tmp_path / "a.dcm", CT, "1.2.3.4", pixels)
            assert run_pacs("storescu", "127.0.0.1", port, path).returncode == 0
    before = run_pacs("index", "export", archive.folder, "-k", "Path", "-k", "Version").stdout
    assert run_pacs("index", "rebuild", archive.folder).returncode == 0
    after = run_pacs("index", "export", archive.folder, "-k", "Path", "-k", "Version").stdout
    assert before == after
    assert before.split(",")[-1].strip() == "3"
    stats = run_pacs("index", "stats", archive.folder).stdout
    assert "older versions 2" in stats
    with pacs_storescp(archive.folder) as again:
        path = write_object(tmp_path / "b.dcm", CT, "1.2.3.5")
        assert run_pacs("storescu", "127.0.0.1", str(again.port), path).returncode == 0
        assert not again.kind("recovered")


def test_storescp_into_a_folder_with_an_index_of_other_files_keeps_their_rows(tmp_path):
    folder, other = tmp_path / "scans", tmp_path / "other"
    for each in (folder, other):
        each.mkdir()
    count = write_tree(folder, 2)
    write_object(other / "far.dcm", CT, "1.2.3.9")
    names = ("index", "add", folder, other, "--db", folder / "index.db")
    assert run_pacs(*names).returncode == 0
    with pacs_storescp(folder) as archive:
        path = write_object(tmp_path / "a.dcm", CT, "1.2.3.4")
        assert run_pacs("storescu", "127.0.0.1", str(archive.port), path).returncode == 0
        for event in archive.kind("recovered"):
            assert event["rows_removed"] == 0
    verified = run_pacs("index", "verify", folder)
    assert (verified.returncode, f"sound {count + 2}," in verified.stdout) == (0, True)
    found = run_pacs("index", "find", folder, "-k", "SOPInstanceUID=1.2.3.9", "-k", "Rows")
    assert "1.2.3.9" in found.stdout


def test_archive_with_its_index_elsewhere_is_verified_there(tmp_path):
    db = tmp_path / "elsewhere.db"
    with pacs_storescp(tmp_path / "archive", "--db", str(db)) as archive:
        path = write_object(tmp_path / "a.dcm", CT, "1.2.3.4")
        assert run_pacs("storescu", "127.0.0.1", str(archive.port), path).returncode == 0
        assert "sound 1," in run_pacs("index", "verify", "--db", db).stdout
        refused = run_pacs("index", "prune", db)
        assert refused.returncode == 7


# -- find ----------------------------------------------------------------------------------------


def test_find_has_the_keys_and_forms_of_findscu(pacs, indexed):
    for key in ("PatientName=MADE1*", "0010,0010=made1*", "(0010,0010)=Made1*"):
        result = pacs("index", "find", indexed, "-k", key, "--json")
        (match, _) = result.json
        assert (match["type"], match["PatientID"]) == ("match", "TEST-1")
    rows = list(
        csv.DictReader(
            io.StringIO(pacs("index", "find", indexed, "--level", "series", "--csv").stdout)
        )
    )
    assert sorted(row["Modality"] for row in rows) == ["CT", "CT", "MR", "MR"]
    assert "PatientName\t" in pacs("index", "find", indexed).stdout
    tree = pacs("index", "find", indexed, "--drill", "-k", "PatientID=TEST-2").stdout
    assert [line.split("\t")[0].strip() for line in tree.splitlines()] == [
        *("study", "series", "image", "image", "series", "image", "image"),
    ]


def test_find_saves_limits_and_says_when_nothing_matches(pacs, indexed, tmp_path):
    result = pacs("index", "find", indexed, "--limit", 1, "--save", tmp_path / "out", "--json")
    assert summary(result)["matches"] == 1
    assert len(list((tmp_path / "out").iterdir())) == 1
    none = ("index", "find", indexed, "-k", "PatientID=NOBODY")
    assert pacs(*none).exit == 0
    assert pacs(*none, "--fail-if-empty").exit == 1
    assert pacs("index", "find", indexed, "-W").exit == 2


def test_find_is_relational_and_looks_into_files(pacs, indexed):
    result = pacs(
        *("index", "find", indexed, "--level", "image", "-k", "PatientID=TEST-1"),
        *(
            "-k",
            "SeriesNumber=2",
            "-k",
            "InstanceNumber",
            "-k",
            "Manufacturer=*2",
            "--json",
        ),
    )
    assert result.exit == 0, result
    matches = [line for line in result.json if line["type"] == "match"]
    assert [each["InstanceNumber"] for each in matches] == [2]


# -- stats, verify, prune, export ----------------------------------------------------------------


def test_stats_count_in_every_form(pacs, indexed):
    text = pacs("index", "stats", indexed).stdout
    assert text.startswith("2 patients, 2 studies, 4 series, 8 instances, ")
    (record,) = pacs("index", "stats", indexed, "--json").json
    assert record["instances"] == 8
    assert {group["name"]: group["series"] for group in record["by_modality"]} == {"CT": 2, "MR": 2}
    assert record["by_transfer_syntax"][0]["meaning"] == "Explicit VR Little Endian"
    rows = list(csv.DictReader(io.StringIO(pacs("index", "stats", indexed, "--csv").stdout)))
    assert {row["by"] for row in rows} == {"modality", "sop_class", "transfer_syntax"}
    assert "by modality" in pacs("index", "stats", indexed, terminal=True).stdout


def test_verify_tells_what_differs_and_exits_1(pacs, indexed):
    assert pacs("index", "verify", indexed).exit == 0
    (indexed / "P1" / "S1" / "I1_1").unlink()
    touch(indexed / "P1" / "S1" / "I1_2")
    result = pacs("index", "verify", indexed, "--json")
    assert result.exit == 1
    states = {Path(line["path"]).name: line["state"] for line in result.json[:-1]}
    assert states == {"I1_1": "missing", "I1_2": "changed"}
    assert (summary(result)["sound"], summary(result)["missing"]) == (6, 1)
    text = pacs("index", "verify", indexed)
    assert text.stdout.startswith(f"missing\t{indexed / 'P1' / 'S1' / 'I1_1'}\tthe file is gone\n")
    shutil.rmtree(indexed / "P1")
    shutil.rmtree(indexed / "P2")
    assert pacs("index", "verify", indexed).exit == 6


def test_verify_compares_hashes_where_there_are_any(pacs, scans):
    assert pacs("index", "add", scans, "--hash").exit == 0
    result = pacs("index", "verify", scans, "--hash", "--json")
    assert (result.exit, summary(result)["hashed"]) == (0, 8)
    path = scans / "P1" / "S1" / "I1_1"
    status = path.stat()
    path.write_bytes(object_bytes(1, 1, 1, 1, seed=5))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert pacs("index", "verify", scans).exit == 0
    result = pacs("index", "verify", scans, "--hash")
    assert (result.exit, "other contents" in result.stdout) == (1, True)


def test_prune_removes_rows_and_no_files(pacs, indexed):
    gone = indexed / "P1" / "S1" / "I1_1"
    gone.unlink()
    dry = pacs("index", "prune", indexed, "--dry-run")
    assert (dry.exit, f"would remove\t{gone}" in dry.stdout) == (0, True)
    assert pacs("index", "verify", indexed).exit == 1
    result = pacs("index", "prune", indexed, "--json")
    assert (result.exit, summary(result)["removed"], summary(result)["kept"]) == (0, 1, 7)
    assert pacs("index", "verify", indexed).exit == 0
    assert len([each for each in indexed.rglob("I*") if each.is_file()]) == 7


def test_prune_keeps_what_may_be_on_a_disk_that_is_not_mounted(pacs, scans, tmp_path):
    db = tmp_path / "all.db"
    assert pacs("index", "add", scans, "--db", db).exit == 0
    scans.rename(tmp_path / "elsewhere")
    result = pacs("index", "prune", db)
    assert (result.exit, "is it mounted?" in result.stderr) == (1, True)
    assert pacs("index", "stats", db, "--json").json[0]["instances"] == 8
    assert pacs("index", "prune", db, "--missing-folders").exit == 0
    assert pacs("index", "stats", db, "--json").json[0]["instances"] == 0


@pytest.mark.parametrize(
    ("level", "count"), [("patient", 2), ("study", 2), ("series", 4), ("image", 8), ("instance", 8)]
)
def test_export_has_a_row_for_each_of_a_level(pacs, indexed, level, count):
    rows = list(csv.reader(io.StringIO(pacs("index", "export", indexed, "--level", level).stdout)))
    assert len(rows) == count + 1
    lines = pacs("index", "export", indexed, "--level", level, "--json").json
    assert [list(each)[1:] for each in lines] == [rows[0]] * count


def test_export_of_chosen_keys(pacs, indexed):
    result = pacs(
        "index", "export", indexed, "--level", "study", "-k", "0010,0020", "-k", "StudyID"
    )
    assert result.stdout == "PatientID,StudyID\nTEST-1,1\nTEST-2,1\n"
    result = pacs("index", "export", indexed, "-k", "PatinetName")
    assert (result.exit, "did you mean PatientName?" in result.stderr) == (2, True)
    assert pacs("index", "export", indexed, "--level", "study", "-k", "Path").exit == 2
    assert pacs("index", "export", indexed, "--level", "sereis").exit == 2


# -- rebuild -------------------------------------------------------------------------------------


def test_rebuild_makes_the_same_index_even_of_a_corrupt_one(pacs, indexed):
    (indexed / "notes.txt").write_text("not an image, but long enough to have been one\n" * 9)
    before = pacs("index", "export", indexed).stdout
    assert pacs("index", "rebuild", indexed).exit == 0
    assert pacs("index", "export", indexed).stdout == before
    (indexed / "index.db").write_bytes(b"damage" * 3000)
    result = pacs("index", "rebuild", indexed)
    assert (result.exit, "the old index is not used" in result.stderr) == (0, True)
    assert pacs("index", "export", indexed).stdout == before
    assert [each.name for each in indexed.glob(".index*")] == []
    assert pacs("index", "add", indexed, "--json").json[-1]["unchanged"] == 8


def test_rebuild_finds_files_that_were_named_alone(pacs, tmp_path):
    path = write_object(tmp_path / "a.dcm", CT, "1.2.3.4")
    (tmp_path / "scans").mkdir()
    write_object(tmp_path / "scans" / "b.dcm", CT, "1.2.3.5")
    db = tmp_path / "all.db"
    assert pacs("index", "add", path, tmp_path / "scans", "--db", db).exit == 0
    assert summary(pacs("index", "rebuild", db, "--json"))["added"] == 2


def test_rebuild_leaves_the_old_index_when_a_folder_is_gone_or_has_nothing(pacs, scans, tmp_path):
    db = tmp_path / "all.db"
    assert pacs("index", "add", scans, "--db", db).exit == 0
    before = db.read_bytes()
    scans.rename(tmp_path / "elsewhere")
    assert pacs("index", "rebuild", db).exit == 6
    scans.mkdir()
    assert pacs("index", "rebuild", db).exit == 6
    assert db.read_bytes() == before
    assert pacs("index", "rebuild", db, "--from", tmp_path / "elsewhere").exit == 0


def test_rebuild_that_is_killed_leaves_the_old_index_and_the_next_one_is_whole(tmp_path):
    folder = tmp_path / "many"
    count = write_tree(folder, 40, 2, 5, 10)
    assert run_pacs("index", "add", folder).returncode == 0
    before = (folder / "index.db").read_bytes()
    with subprocess.Popen(
        [*PACS, "index", "rebuild", str(folder), "-v"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr.readline()
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert (folder / "index.db").read_bytes() == before
    assert (folder / ".index.db.rebuilt").exists()
    done = run_pacs("index", "rebuild", folder, "--json")
    assert (done.returncode, f'"added": {count}' in done.stdout) == (0, True)
    assert [each.name for each in folder.glob(".index*")] == []


def test_index_runs_as_a_program(scans):
    done = subprocess.run(
        [sys.executable, "-m", "pacs_cli", "index", "add", str(scans)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("added 8 in ")


# -- dicomdir ------------------------------------------------------------------------------------


def test_dicomdir_is_written_over_a_folder_and_read(pacs, scans):
    (scans / "NOTES").write_text("not an image, but long enough to have been one\n" * 9)
    result = pacs("index", "dicomdir", scans, "--write", "--json")
    assert result.exit == 0, result
    assert (summary(result)["written"], summary(result)["skipped"]) == (8, 1)
    for path in (scans, scans / "DICOMDIR"):
        listed = pacs("index", "dicomdir", path, "--json")
        assert listed.exit == 0
        assert (summary(listed)["files"], summary(listed)["problems"]) == (8, 0)
    text = pacs("index", "dicomdir", scans).stdout
    assert text.startswith("patient\tMade1^Up\tTEST-1\t\n  study\t")
    assert pacs("index", "add", scans / "DICOMDIR", "--db", scans / "a.db").exit == 0


def test_dicomdir_says_what_is_missing(pacs, scans):
    assert pacs("index", "dicomdir", scans, "--write").exit == 0
    gone = scans / "P1" / "S1" / "I1_1"
    gone.unlink()
    result = pacs("index", "dicomdir", scans)
    assert result.exit == 1
    assert result.stderr == f"{gone}: the file is missing\n"


def test_dicomdir_of_an_index_is_copied_under_other_names(pacs, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    write_object(folder / "one.dcm", CT, "1.2.3.1")
    write_object(folder / "two.dcm", CT, "1.2.3.2")
    result = pacs("index", "dicomdir", folder, "--write")
    assert (result.exit, result.stderr.count("--copy-to DIR")) == (6, 2)
    assert pacs("index", "add", folder).exit == 0
    disc = tmp_path / "disc"
    result = pacs("index", "dicomdir", folder / "index.db", "--copy-to", disc, "--id", "MADE_UP")
    assert result.exit == 0, result
    assert "StudyID that is made up" in result.stderr
    assert pacs("index", "dicomdir", disc).exit == 0
    assert pacs("index", "dicomdir", folder, "--copy-to", disc).exit == 2


def test_dicomdir_that_is_none_is_bad_input(pacs, tmp_path, scans):
    assert pacs("index", "dicomdir", tmp_path / "none").exit == 6
    assert pacs("index", "dicomdir", scans).exit == 6
    assert pacs("index", "dicomdir", scans / "P1" / "S1" / "I1_1").exit == 6
    (tmp_path / "notes").write_text("no index and no folder")
    assert pacs("index", "dicomdir", tmp_path / "notes", "--copy-to", tmp_path / "x").exit == 6
    assert pacs("index", "dicomdir", scans, "--write", "--copy-to", tmp_path / "x").exit == 2
    assert pacs("index", "dicomdir", scans, "--write", "--id", "lower").exit == 2
