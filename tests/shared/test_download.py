"""A download survives what a server can do to it, and shows nothing before it is whole."""

import hashlib
import signal
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tasks.datasets import Archive
from tasks.download import RetryPolicy, SourceError, UnreachableError, download
from tasks.ingest import resolve_source
from tasks.ingest.task import Ingest, ingest_ratings

ROOT = Path(__file__).resolve().parents[2]
BODY = hashlib.shake_256(b"ratings").digest(300_000)
HALF = len(BODY) // 2
MD5 = hashlib.md5(BODY).hexdigest()
IMPATIENT = RetryPolicy(timeout=0.3, attempts=3, backoff=0)


class Server(ThreadingHTTPServer):
    """Answers each request as `plan` says next, the last entry for all that follow."""

    daemon_threads = True

    def __init__(self, *plan, body=BODY):
        super().__init__(("127.0.0.1", 0), Handler)
        self.plan, self.body, self.ranges, self.over = list(plan), body, [], threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/set.zip"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """Serves one body, with an ETag and ranges, in the way that is next in the plan."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        server, requested = self.server, self.headers["Range"]
        how = server.plan.pop(0) if len(server.plan) > 1 else server.plan[0]
        server.ranges.append(requested)
        if isinstance(how, int):
            return self.send_error(how)
        body, tag = server.body, '"one"'
        if how == "changed":
            body, tag = body[::-1], '"two"'
        resumed = requested and self.headers["If-Range"] == tag and how != "no ranges"
        start = int(requested[6:-1]) if resumed else 0
        if resumed and start >= len(body):
            return self.send_error(416)
        rest = body[start:]
        self.send_response(206 if resumed else 200)
        self.send_header("ETag", tag)
        if resumed:
            named = 0 if how == "elsewhere" else start
            self.send_header("Content-Range", f"bytes {named}-{len(body) - 1}/{len(body)}")
        if how != "no length":
            lie = {"too long": 1000, "too short": -1000}.get(how, 0)
            self.send_header("Content-Length", str(len(rest) + lie))
        self.end_headers()
        kept = {"cut": HALF, "stall": HALF, "no length": HALF, "silent": 0}
        self.wfile.write(rest[: kept.get(how, len(rest))])
        self.wfile.flush()
        if how in ("stall", "silent"):
            server.over.wait(30)
        return None


def fetch(server, file, **expected):
    download(server.url, file, retry=IMPATIENT, **expected)
    return file.read_bytes()


@pytest.mark.parametrize("trouble", ["cut", "stall", 500, 503, 429])
def test_a_server_that_fails_and_then_works_gives_the_whole_file(tmp_path, trouble):
    with Server(trouble, "whole") as server:
        assert fetch(server, tmp_path / "set.zip", size=len(BODY), md5=MD5) == BODY
    # What was received before the failure is not requested again.
    begun = None if isinstance(trouble, int) else f"bytes={HALF}-"
    assert server.ranges == [None, begun]
    assert [file.name for file in tmp_path.iterdir()] == ["set.zip"]


def test_no_part_of_a_changed_file_is_kept(tmp_path):
    with Server("cut", "changed") as server:
        assert fetch(server, tmp_path / "set.zip") == BODY[::-1]


def test_a_server_without_ranges_sends_everything_again(tmp_path):
    with Server("cut", "no ranges") as server:
        assert fetch(server, tmp_path / "set.zip", md5=MD5) == BODY


def test_a_server_that_resumes_at_another_offset_sends_everything_again(tmp_path):
    with Server("cut", "elsewhere", "whole") as server:
        assert fetch(server, tmp_path / "set.zip") == BODY
    assert server.ranges == [None, f"bytes={HALF}-", None]


@pytest.mark.parametrize(
    ("trouble", "error", "message"),
    [
        ("silent", UnreachableError, "broke off: timed out"),
        (500, UnreachableError, "answers 500"),
        ("too long", UnreachableError, "set.zip has 301000 bytes, not 300000|of 301000 bytes"),
        ("too short", SourceError, "has 299000 bytes, not 300000: not downloaded"),
        ("changed", SourceError, "has MD5 .*: removed; check whether the file has changed"),
        (404, SourceError, "answers 404 Not Found: check the address"),
    ],
)
def test_an_incomplete_or_wrong_download_raises_and_leaves_no_file(
    tmp_path, trouble, error, message
):
    size = None if trouble == "too long" else len(BODY)
    with Server(trouble) as server, pytest.raises(error, match=message) as raised:
        fetch(server, tmp_path / "set.zip", size=size, md5=MD5)
    assert isinstance(raised.value, UnreachableError) == (error is UnreachableError)
    assert not [file for file in tmp_path.iterdir() if not file.name.startswith(".")]


def test_without_a_content_length_the_known_size_shows_a_truncation(tmp_path):
    with Server("no length", "whole") as server:
        assert fetch(server, tmp_path / "set.zip", size=len(BODY)) == BODY


@pytest.mark.parametrize("how", ["whole", "no length"])
def test_a_download_of_unknown_size_ends_at_a_limit(tmp_path, monkeypatch, how):
    monkeypatch.setattr("tasks.download.MAX_BYTES", 100_000)
    with (
        Server(how) as server,
        pytest.raises(SourceError, match="sends more than 100000 bytes: not downloaded") as raised,
    ):
        fetch(server, tmp_path / "set.zip")
    assert not isinstance(raised.value, UnreachableError)
    assert not list(tmp_path.iterdir())


def test_a_refused_connection_is_unreachable(tmp_path):
    with Server("whole") as server:
        url = server.url
    with pytest.raises(UnreachableError, match="Connection refused"):
        download(url, tmp_path / "set.zip", retry=IMPATIENT)


def test_a_killed_download_resumes(tmp_path):
    file, part = tmp_path / "set.zip", tmp_path / ".set.zip.part"
    with Server("stall", "whole") as server:
        code = "from pathlib import Path; from tasks.download import download; "
        code += f"download({server.url!r}, Path({str(file)!r}))"
        dying = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
        while not (part.exists() and part.stat().st_size >= HALF):
            assert dying.poll() is None
        dying.send_signal(signal.SIGKILL)
        dying.wait()
        assert not file.exists()
        assert fetch(server, file, md5=MD5) == BODY
    assert server.ranges == [None, f"bytes={HALF}-"]


def test_later_downloads_of_an_unpinned_archive_must_match_the_first(store, tmp_path, monkeypatch):
    zipped = tmp_path / "made.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("ml/ratings.csv", "userId,movieId,rating,timestamp\n7,1,3.5,1112486027\n")
        archive.writestr("ml/movies.csv", "movieId,title,genres\n1,Heat (1995),Crime\n")
    monkeypatch.setitem(resolve_source.ARCHIVES, "ml-latest", Archive(None, None))
    with Server("whole", body=zipped.read_bytes()) as server:
        monkeypatch.setattr(resolve_source, "GROUPLENS", server.url.rsplit("/", 1)[0])
        raw = ingest_ratings.fn(config=Ingest(data="ml-latest"), store=store)
        assert raw.manifest["rows"] == {"ratings": 1, "films": 1, "rejects": 0}
        files = store.root / "data" / "raw"
        digest = hashlib.md5(zipped.read_bytes()).hexdigest()
        assert (files / "ml-latest.zip.md5").read_text().strip() == digest
        (files / "ml-latest.zip").unlink()
        (files / "ml-latest").rename(tmp_path / "away")
        server.plan = ["changed"]
        with pytest.raises(SourceError, match=f"not {digest}: removed"):
            ingest_ratings.fn(config=Ingest(data="ml-latest"), store=store)
    assert not (files / "ml-latest.zip").exists()
