"""What one machine has finished the others find, whole or not at all."""

import json
import logging
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.store.artifacts import Adapter, Base, SplitRatings, Tokenizer
from tasks.store.remote.errors import CorruptArtifactError, RemoteError, UnreachableRemoteError
from tasks.store.remote.remote_store import RemoteStore
from tasks.store.store import Store, StoreError
from tests.servers import free_port

MANY = 200  # files of an artifact whose upload takes a second or more
ROOT = Path(__file__).resolve().parents[2]


class Write:
    """Ways to write an artifact, of one version: that of this class."""

    @staticmethod
    def tokenizer(draft: Path) -> dict[str, str]:
        (draft / "tokenizer.json").write_text('{"words": 3}')
        (draft / "measured-docs").mkdir()
        (draft / "measured-docs" / "page.html").write_text("<p>")
        (draft / "empty").write_text("")
        return {"note": "done"}

    @staticmethod
    def many_files(draft: Path) -> None:
        for number in range(MANY):
            (draft / f"{number:04}.txt").write_text("x" * 500 * number)

    @staticmethod
    def never(draft: Path) -> None:
        raise AssertionError("built again")


def build_tokenizer(store: Store, write=Write.tokenizer, seed=0, parents=()) -> Tokenizer:
    return store.build(Tokenizer, recipe={"seed": seed}, parents=parents, write=write)


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def name_of(artifact) -> str:
    return f"{artifact.top_level}/{artifact.kind()}/{artifact.fingerprint}"


def flip_bit(remote: str, name: str, scratch: Path) -> None:
    """Flip a bit of a file there."""
    with RemoteStore(remote).connect() as files:
        first, *rest = files.read(name)
        scratch.write_bytes(bytes([first ^ 1, *rest]))
        files.upload({name: scratch})


def origins(caplog) -> list[str]:
    """Whether each artifact was built, fetched or reused."""
    records = [r for r in caplog.records if (r.name, r.levelname) == ("tasks.store.store", "INFO")]
    return [record.getMessage().split()[-1] for record in records]


def test_what_one_machine_built_another_finds(machine, caplog):
    caplog.set_level(logging.INFO)
    one = build_tokenizer(machine("a"))
    other = build_tokenizer(machine("b"), write=Write.never)
    assert other == Tokenizer(machine("b").root / name_of(one), one.fingerprint)
    assert other.cache_hit
    assert content(other.path) == content(one.path)
    assert build_tokenizer(machine("b"), write=Write.never) == other
    assert origins(caplog) == ["built", "fetched", "reused"]


def test_everything_can_be_looked_up_on_an_empty_machine(machine):
    a, b = machine("a"), machine("b")
    first = build_tokenizer(a)
    time.sleep(1.1)  # a bucket tells times in whole seconds
    base = a.build(Base, recipe={}, parents=[first], write=Write.tokenizer)
    second = build_tokenizer(a, seed=1, parents=[base])
    names = [first.fingerprint, second.fingerprint]
    assert [manifest["fingerprint"] for manifest in b.manifests(Tokenizer)] == names[::-1]
    assert not list(b.root.glob("*/*/[!.]*"))  # nothing of that is fetched
    found = b.find(Tokenizer, second.fingerprint[:8])
    assert content(found.path) == content(second.path)
    assert b.ancestor(Base, found) == Base(b.root / name_of(base), base.fingerprint)
    (b.root / name_of(base)).rename(b.root / "aside")
    assert b.ancestor(Tokenizer, found).fingerprint == first.fingerprint
    assert not (b.root / name_of(base)).exists()  # an artifact in between is not downloaded
    assert [one.fingerprint for one in b.find_all(Tokenizer)] == names
    with pytest.raises(StoreError, match="not made from any split-ratings"):
        b.ancestor(SplitRatings, found)
    with pytest.raises(StoreError, match="0 artifacts of kind adapter"):
        b.find(Adapter, "")


def test_a_download_keeps_the_time_it_was_finished_at(machine):
    a, b = machine("a"), machine("b")
    first = build_tokenizer(a)
    time.sleep(1.1)
    build_tokenizer(b, seed=1)
    time.sleep(1.1)
    b.ensure_local(first)
    assert b.find_all(Tokenizer)[0] == b.ensure_local(first)


def test_a_worker_downloads_what_it_reads(machine):
    one = build_tokenizer(machine("a"))
    b = machine("b")
    assert b.ensure_local(one).path == b.root / name_of(one)
    assert content(b.ensure_local(one).path) == content(one.path)
    assert machine("a").ensure_local(one) == one
    with pytest.raises(StoreError, match=r"tokenizer 0123 is neither in .*/b nor in the remote"):
        b.ensure_local(Tokenizer(one.path, "0123"))
    with pytest.raises(StoreError, match="nor in a remote: repeat the run that made it"):
        Store(b.root / "c").ensure_local(one)


def _ensure_local(store: Store, artifact: Tokenizer) -> None:
    found = store.ensure_local(artifact)
    assert len(content(found.path)) == MANY + 2


def test_several_workers_of_a_machine_may_ask_for_it_at_once(machine):
    one = build_tokenizer(machine("a"), write=Write.many_files)
    b = machine("b")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_ensure_local, args=(b, one)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 2
    assert content(b.ensure_local(one).path) == content(one.path)


def test_what_was_built_before_there_was_a_remote_is_uploaded(machine, tmp_path):
    one = build_tokenizer(Store(tmp_path / "a"))
    assert build_tokenizer(machine("a"), write=Write.never) == one
    assert content(build_tokenizer(machine("b"), write=Write.never).path) == content(one.path)


def test_corruption_in_the_remote_is_named_and_built_anew(machine, remote, tmp_path, caplog):
    one = build_tokenizer(machine("a"))
    flip_bit(remote, f"{name_of(one)}/tokenizer.json", tmp_path / "scratch")
    with pytest.raises(CorruptArtifactError, match=r"is corrupt \(tokenizer.json has changed\)"):
        machine("b").ensure_local(one)
    assert not (machine("b").root / name_of(one)).exists()
    rebuilt = build_tokenizer(machine("b"))
    assert not rebuilt.cache_hit
    assert "is corrupt (tokenizer.json has changed): deleting it there" in caplog.text
    assert (
        content(build_tokenizer(machine("c"), write=Write.never).path)["tokenizer.json"]
        == b'{"words": 3}'
    )


def test_corruption_on_the_local_disk_is_replaced_from_the_remote(machine):
    one = build_tokenizer(machine("a"))
    (one.path / "tokenizer.json").write_text("{")
    assert build_tokenizer(machine("a"), write=Write.never).manifest == one.manifest
    assert content(one.path)["tokenizer.json"] == b'{"words": 3}'


def test_corruption_on_the_local_disk_is_replaced_wherever_it_is_looked_up(machine, caplog):
    a = machine("a")
    one = build_tokenizer(a)
    for look_up in (a.ensure_local, lambda found: a.find(Tokenizer, found.fingerprint)):
        (one.path / "tokenizer.json").write_text("{")
        assert look_up(one) == one
        assert content(one.path)["tokenizer.json"] == b'{"words": 3}'
    assert "is corrupt (tokenizer.json has changed): fetching it again" in caplog.text


def test_a_damaged_manifest_of_the_remote_is_named(machine, remote, tmp_path):
    one = build_tokenizer(machine("a"))
    child = machine("a").build(Base, recipe={}, parents=[one], write=Write.tokenizer)
    flip_bit(remote, f"{name_of(one)}/manifest.json", tmp_path / "scratch")
    with pytest.raises(StoreError, match=f"{one.fingerprint} is damaged"):
        machine("b").recipe(Tokenizer, machine("b").find(Base, child.fingerprint))
    RemoteStore(remote).delete(name_of(one))
    with pytest.raises(StoreError, match=f"{one.fingerprint} is missing here and in the remote"):
        machine("b").recipe(Tokenizer, child)


def _build(store: Store) -> None:
    build_tokenizer(store, write=Write.many_files)


def test_an_upload_that_was_cut_off_is_done_again(machine, remote):
    a, kind = machine("a"), "artifacts/tokenizer"
    uploaded = RemoteStore(remote)
    process = multiprocessing.get_context("spawn").Process(target=_build, args=(a,))
    process.start()
    while not (begun := uploaded.list_folders(kind)):
        assert process.is_alive()
    process.kill()
    process.join()
    ((name, folder),) = begun.items()
    assert folder.finished_at is None
    assert not uploaded.is_finished(name)
    assert machine("b").find_all(Tokenizer) == []
    assert (a.root / name).exists()  # it was finished here before it went there
    built = build_tokenizer(a, write=Write.never)
    assert content(machine("b").ensure_local(built).path) == content(built.path)


def test_a_missing_remote_is_reported_in_one_line(tmp_path, bucket):
    def message(url: str) -> str:
        with pytest.raises(RemoteError) as error:
            build_tokenizer(Store(tmp_path / "a", remote=url))
        assert error.value.__context__ is None or error.value.__suppress_context__
        assert not isinstance(error.value, UnreachableRemoteError)  # a retry does not help
        return str(error.value)

    assert message("s3://none/x").startswith("the remote s3://none/x cannot be used (FileNotFound")
    assert "mount or make it" in message(str(tmp_path / "unmounted"))
    assert message("ftp://me:hush@house/x").startswith('no remotes of "ftp://": there are s3://')
    assert not list(tmp_path.glob("a/*/*/[!.]*"))  # before anything was built


def test_an_unreachable_server_is_reported_without_its_address(tmp_path):
    code = (
        "import sys; from tests.store.test_remote import build_tokenizer; "
        "from tasks.store.store import Store; from pathlib import Path; "
        "build_tokenizer(Store(Path(sys.argv[1]), remote='s3://house/x'))"
    )
    port = free_port()
    secrets = {"AWS_ACCESS_KEY_ID": "a-key", "AWS_SECRET_ACCESS_KEY": "hush"}
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        env=os.environ | secrets | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"},
        capture_output=True,
        text=True,
    )
    message = ran.stderr.strip().splitlines()[-1]
    assert "the remote s3://house/x cannot be used (EndpointConnectionError): check" in message
    assert "UnreachableRemoteError" in message
    assert "aiobotocore" not in ran.stderr
    assert not any(secret in ran.stderr for secret in (str(port), "a-key", "hush"))


def test_without_a_remote_nothing_of_it_is_loaded(tmp_path):
    code = (
        "import sys; from pathlib import Path; from tasks.store.artifacts import Tokenizer; "
        "from tasks.store.store import Store; s = Store(Path(sys.argv[1])); "
        "w = lambda draft: {}; w.__code__; "
        "print(s.find_all(Tokenizer), sorted({'fsspec', 's3fs', 'botocore'} & sys.modules.keys()))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed == "[] []\n"


def test_no_key_is_uploaded(machine, remote):
    build_tokenizer(machine("a"))
    with RemoteStore(remote).connect() as files:
        uploaded = b"".join(files.read(name) for name in files.list_files("artifacts"))
    assert json.loads(files.read(next(n for n in files.list_files("artifacts") if "manifest" in n)))
    assert b"hush" not in uploaded
    assert b"127.0.0.1" not in uploaded


def test_only_fingerprints_of_the_remote_are_listed(machine, remote, tmp_path):
    one = build_tokenizer(machine("a"))
    (tmp_path / "manifest").write_text("{}")
    with RemoteStore(remote).connect() as files:
        files.upload({"artifacts/tokenizer/by hand/manifest.json": tmp_path / "manifest"})
    assert machine("b").fingerprints(Tokenizer) == [one.fingerprint]
    assert machine("b").find(Tokenizer, "").fingerprint == one.fingerprint
