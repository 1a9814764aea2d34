"""A rename survives a power failure, and a deletion that is interrupted shows no half folder."""

import ast
import os
import shutil
from pathlib import Path

import pytest

from tasks.store.artifacts import Tokenizer
from tasks.store.durable import discard_folder, durable_rename
from tasks.store.remote.mount import Mount

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [file for folder in ("flows", "tasks") for file in ROOT.glob(f"{folder}/**/*.py")]


@pytest.fixture
def events(monkeypatch):
    """What is flushed to disk and renamed, in order, by name."""
    seen, fsync, replace = [], os.fsync, os.replace

    def noted_fsync(handle):
        seen.append(("flush", Path(os.readlink(f"/proc/self/fd/{handle}")).name))
        fsync(handle)

    def noted_replace(old, new):
        seen.append(("rename", Path(new).name))
        replace(old, new)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    return seen


def test_a_file_is_flushed_before_its_rename_and_its_folder_after(tmp_path, events):
    (tmp_path / "draft").write_text("new")
    (tmp_path / "file").write_text("old")
    durable_rename(tmp_path / "draft", tmp_path / "file")
    assert events == [("flush", "draft"), ("rename", "file"), ("flush", tmp_path.name)]
    assert (tmp_path / "file").read_text() == "new"


def test_all_of_a_folder_is_flushed_before_its_rename(tmp_path, events):
    (tmp_path / "draft" / "sub").mkdir(parents=True)
    (tmp_path / "draft" / "sub" / "file").write_text("new")
    durable_rename(tmp_path / "draft", tmp_path / "folder")
    assert {name for _, name in events[:3]} == {"draft", "sub", "file"}
    assert events[3:] == [("rename", "folder"), ("flush", tmp_path.name)]


def test_what_is_uploaded_to_a_mount_is_flushed(tmp_path, events):
    file = tmp_path / "file"
    file.write_text("new")
    mount = Mount(tmp_path / "mount")
    mount.upload({"a/uploaded": file})
    mount.compare_and_swap("a/swapped", file, None)
    assert [kind for kind, _ in events] == ["flush", "rename", "flush"] * 2


def renames(node: ast.AST) -> bool:
    """Whether a node calls something that moves a file; polars renames columns by a mapping."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    called = ast.unparse(node.func)
    if called in ("os.rename", "os.renames", "os.replace", "shutil.move"):
        return True
    columns = bool(node.args) and isinstance(node.args[0], ast.Dict)
    path = node.func.attr == "rename" or (node.func.attr == "replace" and len(node.args) == 1)
    return path and not columns and not node.keywords and not called.startswith("pl.")


def test_every_rename_is_durable():
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in SOURCES
        for node in ast.walk(ast.parse(file.read_text()))
        if renames(node)
    ]
    assert [place.split(":")[0] for place in found] == ["tasks/store/durable.py"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("os.rename(a, b)", True),
        ("draft.rename(path)", True),
        ("draft.replace(path)", True),
        ("text.replace('a', 'b')", False),
        ("frame.rename({'a': 'b'})", False),
    ],
)
def test_each_way_to_rename_is_recognised(line, expected):
    assert any(renames(node) for node in ast.walk(ast.parse(line))) == expected


def test_an_interrupted_deletion_shows_no_half_folder(store, monkeypatch):
    def build():
        def write(draft):
            (draft / "tokenizer.json").write_text("{}")

        return store.build(Tokenizer, recipe={}, write=write)

    def interrupted(_):
        raise KeyboardInterrupt

    for _ in range(2):  # what the first one left does not stop the second
        artifact = build()
        (artifact.path / "tokenizer.json").write_text("{")
        with monkeypatch.context() as patched:
            patched.setattr(shutil, "rmtree", interrupted)
            with pytest.raises(KeyboardInterrupt):
                build()
        assert not artifact.path.exists()
    discard_folder(build().path)
    assert not list(store.root.glob("*/*/[!.]*"))
