"""What a bucket answers while another machine writes to it."""

import os
import threading
from contextlib import contextmanager

import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from s3fs import S3FileSystem
from werkzeug.serving import make_server

from tasks.store.remote import bucket as module
from tasks.store.remote.errors import ConflictError, RemoteError
from tasks.store.remote.remote_store import RemoteStore, _open

MOTO = DomainDispatcherApplication(create_backend_app)


@pytest.fixture
def behind(bucket, monkeypatch):
    """`behind(application)`: a remote in the bucket, whose server is asked through that."""

    @contextmanager
    def served(application):
        server = make_server("127.0.0.1", 0, application, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        S3FileSystem.clear_instance_cache()
        _open.cache_clear()
        try:
            yield RemoteStore(f"{bucket}/here")
        finally:
            server.shutdown()
            S3FileSystem.clear_instance_cache()
            _open.cache_clear()

    return served


def refusing(code: str, status: str):
    """A server that refuses to write `file`, and only that."""

    def application(environment, start_response):
        if environment["REQUEST_METHOD"] == "PUT" and environment["PATH_INFO"].endswith("/file"):
            environment["wsgi.input"].read(int(environment["CONTENT_LENGTH"] or 0))
            start_response(status, [("Content-Type", "application/xml")])
            return [f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()]
        return MOTO(environment, start_response)

    return application


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("ConditionalRequestConflict", "409 Conflict", ConflictError),
        ("PreconditionFailed", "412 Precondition Failed", ConflictError),
        ("NoSuchKey", "404 Not Found", ConflictError),
        ("InvalidRequest", "400 Bad Request", RemoteError),
        ("NoSuchBucket", "404 Not Found", RemoteError),
        ("AccessDenied", "403 Forbidden", RemoteError),
    ],
)
def test_only_what_another_machine_did_is_a_conflict(behind, tmp_path, code, status, error):
    (tmp_path / "file").write_text("new")
    with (
        behind(refusing(code, status)) as remote,
        pytest.raises(RemoteError) as raised,
        remote.connect() as files,
    ):
        files.compare_and_swap("file", tmp_path / "file", '"expected"')
    assert type(raised.value) is error


def test_a_file_that_is_replaced_while_it_is_downloaded_is_of_one_version(
    behind, tmp_path, monkeypatch
):
    """Each version is a letter: a mixture of two would be seen."""
    (tmp_path / "old").write_text("a" * 10_000)
    (tmp_path / "new").write_text("b" * 10_000)
    ranges, server = [], os.environ["AWS_ENDPOINT_URL"]
    other = S3FileSystem(endpoint_url=server, skip_instance_cache=True)

    def replacing(environment, start_response):
        if "HTTP_RANGE" in environment:
            ranges.append(environment["HTTP_RANGE"])
            if len(ranges) == 3:
                new = (tmp_path / "new").read_bytes()
                other.pipe_file("house/here/file", new)
        return MOTO(environment, start_response)

    with behind(replacing) as remote, remote.connect() as files:
        files.upload({"file": tmp_path / "old"})
        monkeypatch.setattr(module, "PIECE", 1000)
        files.download({"file": tmp_path / "downloaded"})
    assert len(ranges) > 10
    assert (tmp_path / "downloaded").read_text() == "b" * 10_000
