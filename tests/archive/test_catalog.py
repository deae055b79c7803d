"""An index that is opened by `pacs index`: what it leaves to the archive's next start."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from pacs_cli.archive.catalog import open_for_reading, open_for_writing
from pacs_cli.archive.handler import open_archive
from pacs_cli.archive.index import MIGRATIONS, Index
from pacs_cli.errors import InputError, OutputError
from tests.archive.filing import index_files, write_tree


def state(path) -> tuple[int, int]:
    """The version of an index, and whether it was closed in order."""
    with closing(sqlite3.connect(path)) as connection:
        ((version,),) = connection.execute("PRAGMA user_version")
        ((is_clean,),) = connection.execute("SELECT is_clean FROM state")
        return version, is_clean


def make_older(path, is_clean: bool) -> None:
    """Take from an index what it has of files, as it was before."""
    Index(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(
            "DROP TRIGGER file_of_instance; DROP TABLE file; DROP TABLE source; DROP TABLE root;"
            f"PRAGMA user_version = {MIGRATIONS.index('schema-files.sql')};"
            f"UPDATE state SET is_clean = {is_clean}"
        )


@pytest.mark.parametrize("is_clean", [True, False])
@pytest.mark.parametrize("open_it", [open_for_reading, open_for_writing])
def test_older_index_is_brought_up_to_date_and_stays_as_clean_as_it_was(
    tmp_path, open_it, is_clean
):
    make_older(tmp_path / "index.db", is_clean)
    with open_it(tmp_path / "index.db") as catalog:
        assert catalog.rows("SELECT count(*) FROM file") == [(0,)]
    assert state(tmp_path / "index.db") == (len(MIGRATIONS), is_clean)


def test_archive_that_was_not_closed_in_order_still_compares_at_its_next_start(tmp_path):
    root = tmp_path / "archive"
    open_archive(root).__exit__(None, None, None)
    with closing(sqlite3.connect(root / "index.db")) as connection:
        connection.execute("UPDATE state SET is_clean = 0")
        connection.commit()
    write_tree(root, 1)
    index_files(root / "index.db", root / "P1" / "S1" / "I1_1")
    (root / "P1" / "S1" / "I1_2").rename(root / "P1" / "S1" / "I1_2.dcm")
    with open_archive(root) as archive:
        assert archive.recovered.rows_added == 1


def test_index_elsewhere_says_its_root(tmp_path):
    root, db = tmp_path / "archive", tmp_path / "elsewhere.db"
    for _ in range(2):
        with open_archive(root, db):
            pass
        with open_for_reading(db) as catalog:
            assert catalog.root == str(root)
            assert catalog.is_archive
    with open_archive(root):
        pass
    with open_for_reading(root / "index.db") as catalog:
        assert catalog.rows("SELECT * FROM root") == []
        assert catalog.root == str(root)


def test_root_that_is_no_text_is_kept(tmp_path):
    root = tmp_path / "\udcff"
    with open_archive(root, tmp_path / "elsewhere.db"):
        pass
    with open_for_reading(tmp_path / "elsewhere.db") as catalog:
        assert catalog.root == str(root)


def test_archive_is_held_by_one_at_a_time(tmp_path):
    with open_archive(tmp_path):
        with pytest.raises(OutputError, match="a pacs storescp receives into"):
            open_for_writing(tmp_path / "index.db")
        with open_for_reading(tmp_path / "index.db") as catalog:
            assert catalog.rows("SELECT count(*) FROM instance") == [(0,)]
    with open_for_writing(tmp_path / "index.db"):
        with pytest.raises(OutputError, match="holds it"):
            open_archive(tmp_path)
    with open_archive(tmp_path):
        pass


def test_archive_that_is_started_meanwhile_is_not_written_to(tmp_path):
    with open_for_writing(tmp_path / "index.db") as catalog:
        with open_archive(tmp_path):
            with pytest.raises(OutputError, match="a pacs storescp receives into"):
                with catalog.transaction():
                    pytest.fail("it was begun")
        with catalog.transaction() as connection:
            connection.execute("INSERT INTO source VALUES ('.')")
    with open_for_reading(tmp_path / "index.db") as catalog:
        assert catalog.sources() == [str(tmp_path)]


def test_what_fails_in_a_transaction_is_undone(tmp_path):
    with open_for_writing(tmp_path / "index.db") as catalog:
        with pytest.raises(ZeroDivisionError):
            with catalog.transaction() as connection:
                connection.execute("INSERT INTO source VALUES ('a')")
                raise ZeroDivisionError
        assert catalog.sources() == []


def test_reading_changes_nothing(tmp_path):
    with open_for_writing(tmp_path / "index.db"):
        pass
    with open_for_reading(tmp_path / "index.db") as catalog:
        with pytest.raises(OutputError, match="readonly"):
            catalog.rows("INSERT INTO source VALUES ('a')")
    with pytest.raises(InputError, match="no index"):
        open_for_reading(tmp_path / "none.db")
