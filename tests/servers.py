"""Real servers and workers for tests: processes that end when their block does."""

import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError

import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

from flows.serve import RUNS, STORE_QUEUE

ROOT = Path(__file__).resolve().parents[1]
PREFECT = str(Path(sys.executable).with_name("prefect"))


def beside_server(folder: Path, store: Path) -> dict[str, str]:
    """The environment of a Prefect server with its state in `folder`, and of who talks to it."""
    (home := folder / "prefect").mkdir(parents=True)
    return os.environ | {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "CONTENT_ADVISOR_STORE": str(store),
        "OMP_NUM_THREADS": "1",
    }


@contextmanager
def server(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A Prefect server that answers."""
    api = environment["PREFECT_API_URL"]
    host, port = api.removeprefix("http://").removesuffix("/api").split(":")
    command = [PREFECT, "server", "start", "--host", host, "--port", port]
    log = Path(environment["PREFECT_HOME"]) / "server.log"
    with running(command, environment, log) as process:
        wait_until(lambda: healthy(api), seconds=600)
        yield process


@contextmanager
def worker(environment: dict[str, str], folder: Path = ROOT) -> Iterator[subprocess.Popen[bytes]]:
    """A process worker of the pool `local`, started in a folder."""
    command = [PREFECT, "worker", "start", "--pool", "local", "--type", "process", "--limit", RUNS]
    log = Path(environment["PREFECT_HOME"]) / "worker.log"
    with running(command, environment, log, folder) as process:
        yield process


def deploy(environment: dict[str, str]) -> None:
    """The pool `local`, what prefect.yaml deploys, and the limit of its queue `store`."""
    for command in (
        ("work-pool", "create", "local", "--type", "process", "--overwrite"),
        ("deploy", "--all"),
        ("work-queue", "set-concurrency-limit", *STORE_QUEUE),
    ):
        finished([PREFECT, "--no-prompt", *command], environment)


@contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """The address of a webhook, which contains a secret, and the payloads it receives."""
    payloads = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/json"
            payloads.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}/?token=hush", payloads
        listening.shutdown()


@contextmanager
def hub(refused: int = 0) -> Iterator[tuple[str, list[tuple[str, str | None, bytes]]]]:
    """The address of a server that answers as the Hugging Face hub does, and its requests.

    `refused` is a status that it answers every POST with.
    """
    requests = []

    class Hub(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.read_body()
            requests.append((self.path, self.headers.get("Authorization"), body))
            page = f"http://{self.headers['Host']}/owner/name"
            answer = {"url": page, "commitUrl": f"{page}/commit/{'0' * 40}", "commitOid": "0" * 40}
            if "/preupload/" in self.path:
                files = [
                    {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for f in json.loads(body)["files"]
                ]
                answer = {"files": files}
            text = json.dumps(answer).encode()
            self.send_response(refused or 200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            self.send_error(404)

        def read_body(self) -> bytes:
            if size := self.headers["Content-Length"]:
                return self.rfile.read(int(size))
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}", requests
        listening.shutdown()


@contextmanager
def running(
    command: list[str], environment: dict[str, str], log: Path, folder: Path = ROOT
) -> Iterator[subprocess.Popen[bytes]]:
    """A process, with those that it starts in a group of their own, terminated after the block."""
    with log.open("w") as out:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            yield process
        except BaseException:
            print(log.name, log.read_text()[-4000:])
            raise
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


DASK = str(Path(sys.executable).with_name("dask"))


@contextmanager
def scheduler(folder: Path) -> Iterator[str]:
    """The address of a Dask scheduler on loopback."""
    file = folder / "scheduler.json"
    command = [DASK, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    command += ["--scheduler-file", str(file)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with running(command, environment, folder / "scheduler.log"):
        wait_until(file.exists, seconds=60)
        yield str(json.loads(file.read_text())["address"])


@contextmanager
def dask_workers(
    address: str, folder: Path, *, number: int = 2, threads: int = 1
) -> Iterator[None]:
    """So many workers, each in a process of its own, with the nannies that start them again."""
    command = [DASK, "worker", address, "--nworkers", str(number), "--nthreads", str(threads)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with running([*command, "--no-dashboard"], environment, folder / "workers.log"):
        yield


def finished(command: list[str], environment: dict[str, str]) -> str:
    """What a command printed; raises CalledProcessError where it failed."""
    ran = subprocess.run(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if ran.returncode:
        print(ran.stdout, ran.stderr)
    ran.check_returncode()
    return ran.stdout + ran.stderr


def free_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def healthy(api: str) -> bool:
    """Whether the server answers."""
    with suppress(URLError, OSError), urllib.request.urlopen(f"{api}/health", timeout=2) as answer:
        return bool(answer.status == 200)
    return False


def wait_until(true: Callable[[], bool], seconds: float) -> None:
    """Raises TimeoutError where it does not become true."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"not true after {seconds} s")
        time.sleep(0.5)


@contextmanager
def object_storage(bucket: str) -> Iterator[dict[str, str]]:
    """The environment in which `s3://{bucket}` is one of a server that speaks S3, on loopback."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # it tells of every request
    service = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    service.start()
    host, port = service.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "a-key",
        "AWS_SECRET_ACCESS_KEY": "hush",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(name, value)
        S3FileSystem.clear_instance_cache()  # of another server's
        S3FileSystem().makedirs(bucket, exist_ok=True)
        yield environment
    service.stop()
