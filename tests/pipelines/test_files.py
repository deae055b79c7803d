"""Walking what a command line names, on folders that bite."""

from __future__ import annotations

import io
import os
import shutil
import socket
import threading
from pathlib import Path

import pytest

from pacs_cli.errors import InputError
from pacs_cli.pipelines.files import Found, Passed, find_files, named_files


def names(path: Path, follow: bool = False) -> list[str]:
    """The files found below a folder, relative to it; nothing may have been passed over."""
    found = list(find_files([str(path)], follow))
    assert all(isinstance(each, Found) for each in found), found
    return [os.path.relpath(each.path, path) for each in found]


def make(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_files_come_sorted_and_depth_first(tmp_path):
    make(*(tmp_path / name for name in ("b", "a/2", "a/1", "a/1x/y", "c")))
    assert names(tmp_path) == ["a/1", "a/1x/y", "a/2", "b", "c"]


def test_hidden_files_are_left_out_unless_they_are_named(tmp_path):
    make(tmp_path / ".hidden", tmp_path / ".folder/file", tmp_path / "seen")
    assert names(tmp_path) == ["seen"]
    assert names(tmp_path / ".folder") == ["file"]
    assert list(find_files([str(tmp_path / ".hidden")])) == [Found(str(tmp_path / ".hidden"))]


def test_links_are_followed_only_on_request_and_loops_end(tmp_path):
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    make(root / "file", elsewhere / "other")
    (root / "loop").symlink_to(root)
    (root / "link").symlink_to(root / "file")
    (root / "away").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(root)
    assert names(root) == ["file"]
    assert names(root, follow=True) == ["away/other", "file", "link"]
    assert names(root / "away") == ["other"]


def test_folder_named_twice_is_entered_once(tmp_path):
    make(tmp_path / "a/file")
    paths = [str(tmp_path), str(tmp_path / "a"), str(tmp_path)]
    assert [each.path for each in find_files(paths)] == [str(tmp_path / "a/file")]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", "no such file or directory; check the path"),
        ("dangling", "no such file or directory; check the path"),
        ("itself", "too many levels of symbolic links"),
        ("file/below", "not a directory; check the path"),
        ("nul\0inside", "embedded null byte"),
        ("n" * 300, "file name too long"),
        ("/dev/null", "not a regular file"),
    ],
)
def test_what_cannot_be_read_is_passed_with_its_reason_and_the_rest_is_found(
    tmp_path, name, reason
):
    make(tmp_path / "file")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "itself").symlink_to("itself")
    path = str(tmp_path / "x")[:-1] + name if name[0] != "/" else name
    found = list(find_files([path, str(tmp_path / "file")]))
    assert found == [Passed(path, reason), Found(str(tmp_path / "file"))]


def test_fifos_and_sockets_are_never_opened(tmp_path):
    """Opening the FIFO would wait for a writer that never comes."""
    os.mkfifo(tmp_path / "fifo")
    make(tmp_path / "file")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket"))
        found = list(find_files([str(tmp_path)]))
    assert [(type(each), Path(each.path).name) for each in found] == [
        (Passed, "fifo"),
        (Found, "file"),
        (Passed, "socket"),
    ]


def test_undecodable_names_are_found(tmp_path):
    path = tmp_path / os.fsdecode(b"\xff\xfe") / os.fsdecode(b"\x80.dcm")
    make(path)
    (found,) = find_files([str(tmp_path)])
    assert os.fsencode(found.path) == os.fsencode(tmp_path) + b"/\xff\xfe/\x80.dcm"
    assert Path(found.path).read_bytes() == b"x"


def test_tree_of_60_folders_is_walked(tmp_path):
    make(tmp_path.joinpath(*("d" for _ in range(60)), "file"))
    assert names(tmp_path) == ["d/" * 60 + "file"]


def test_tree_deeper_than_a_path_can_say_is_told_and_the_rest_found(tmp_path):
    """60 folders of 100 characters are over PATH_MAX: only a relative walk can make them."""
    make(tmp_path / "z")
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(60):
            os.mkdir("d" * 100, dir_fd=here)
            below = os.open("d" * 100, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
    finally:
        os.close(here)
    passed, found = find_files([str(tmp_path)])
    assert isinstance(passed, Passed)
    assert passed.reason == "file name too long"
    assert found == Found(str(tmp_path / "z"))
    shutil.rmtree(tmp_path / ("d" * 100))


def test_folder_that_vanishes_midway_is_passed(tmp_path):
    make(tmp_path / "a/1", tmp_path / "b/2", tmp_path / "c")
    walk = find_files([str(tmp_path)])
    assert next(walk) == Found(str(tmp_path / "a/1"))
    shutil.rmtree(tmp_path / "b")
    assert list(walk) == [
        Passed(str(tmp_path / "b"), "no such file or directory; check the path"),
        Found(str(tmp_path / "c")),
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folder_that_may_not_be_read_is_passed(tmp_path):
    make(tmp_path / "a/1", tmp_path / "b")
    (tmp_path / "a").chmod(0)
    try:
        assert list(find_files([str(tmp_path)])) == [
            Passed(str(tmp_path / "a"), "permission denied; may you read it? see ls -l"),
            Found(str(tmp_path / "b")),
        ]
    finally:
        (tmp_path / "a").chmod(0o700)


def test_what_is_odd_inside_a_folder_is_no_failure_and_named_it_is(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (inside,) = find_files([str(tmp_path)])
    (named,) = find_files([str(tmp_path / "fifo")])
    assert (inside.is_failure, named.is_failure) == (False, True)


def test_found_files_know_their_size_and_whether_they_were_named(tmp_path):
    make(tmp_path / "file")
    (inside,) = find_files([str(tmp_path)])
    (named,) = find_files([str(tmp_path / "file")])
    assert (inside.size, inside.is_named) == (1, False)
    assert (named.size, named.is_named) == (1, True)


# -- lists ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listing", "names"),
    [
        (b"a\nb c\n", ["a", "b c"]),
        (b"a\nb", ["a", "b"]),
        (b"\n\na\n\n", ["a"]),
        (b"a\0b\nc\0", ["a", "b\nc"]),
        (b"a\0", ["a"]),
        (b"\xff\xfe\n\xc3\xa4\n", [os.fsdecode(b"\xff\xfe"), os.fsdecode(b"\xc3\xa4")]),
        (b" a \n-\n", [" a ", "-"]),
        (b"", []),
    ],
)
def test_list_has_a_name_on_each_line_or_before_each_nul(tmp_path, listing, names):
    path = tmp_path / "list"
    path.write_bytes(listing)
    assert list(named_files([], str(path))) == names
    assert list(named_files(["x"], str(path))) == ["x", *names]


def test_list_on_standard_input_stands_where_the_dash_does(monkeypatch):
    stdin = io.TextIOWrapper(io.BytesIO(b"a\nb\n"))
    monkeypatch.setattr("sys.stdin", stdin)
    assert list(named_files(["x", "-", "y"], None)) == ["x", "a", "b", "y"]


def test_list_can_be_a_pipe(tmp_path):
    """As the shell's <(find ...) is: a list is waited for, unlike an image."""
    os.mkfifo(tmp_path / "list")
    writer = threading.Thread(target=(tmp_path / "list").write_bytes, args=(b"a\nb\n",))
    writer.start()
    assert list(named_files([], str(tmp_path / "list"))) == ["a", "b"]
    writer.join()


@pytest.mark.parametrize(
    ("name", "reason"),
    [("missing", "no such file"), ("", "is a directory"), ("nul\0", "embedded null byte")],
)
def test_list_that_cannot_be_read_is_an_error(tmp_path, name, reason):
    with pytest.raises(InputError, match=f"cannot read the list .*: {reason}"):
        list(named_files([], f"{tmp_path}/{name}"))


def test_standard_input_that_is_closed_is_an_error(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputError, match="it is closed"):
        list(named_files(["-"], None))
