"""Only who can read the secret may use a Prefect server of this checkout."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from tests.servers import PREFECT, ROOT, beside_server, finished, free_port, running, wait_until

HARMFUL = {"name": "x", "flow_id": "0" * 8, "pull_steps": [{"run_shell_script": {"script": "id"}}]}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Of `advisor serve`: address, file of the secret, environment, output, process."""
    folder = tmp_path_factory.mktemp("serve")
    environment = beside_server(folder, folder / "store")
    del environment["PREFECT_API_URL"]
    address, log = f"http://127.0.0.1:{free_port()}", folder / "serve.log"
    command = [sys.executable, "-m", "flows", "serve", "--port", address.rsplit(":")[-1]]
    with running(command, environment, log) as process:
        wait_until(lambda: "log in with" in log.read_text() or process.poll() is not None, 300)
        secret = Path(environment["PREFECT_HOME"], "server-secret")
        wait_until(lambda: workers(address, secret.read_text()), 120)
        yield address, secret, environment, log, process


def workers(address, secret):
    post = f"{address}/api/work_pools/local/workers/filter"
    answer = httpx.post(post, json={}, auth=tuple(secret.split(":")))
    return answer.raise_for_status().json()


def test_who_has_no_secret_gets_401(served):
    address, secret, *_ = served
    for auth in (None, ("advisor", "guess")):
        for path, body in (("deployments/", HARMFUL), ("flows/", {"name": "x"})):
            assert httpx.post(f"{address}/api/{path}", json=body, auth=auth).status_code == 401
    answer = httpx.post(
        f"{address}/api/flows/", json={"name": "x"}, auth=tuple(secret.read_text().split(":"))
    )
    assert answer.status_code == 201


def test_a_page_of_another_origin_is_refused(served):
    address, *_ = served
    for origin, status in (("http://evil.example", 400), (address, 200)):
        asks = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        assert httpx.options(f"{address}/api/deployments/", headers=asks).status_code == status


def test_the_secret_is_its_users_alone_and_is_not_printed(served):
    _, secret, environment, log, _ = served
    files = [secret, Path(environment["PREFECT_HOME"], "profiles.toml")]
    assert [oct(file.stat().st_mode & 0o777) for file in files] == ["0o600", "0o600"]
    printed = log.read_text()
    assert f"log in with the line in {secret}" in printed
    assert secret.read_text().split(":")[1] not in printed


def test_the_command_line_of_this_checkout_reaches_the_server_with_its_profile(served):
    environment = served[2] | {"COLUMNS": "200"}
    listed = finished([PREFECT, "--profile", "serve", "deployment", "ls"], environment)
    assert "nightly/on-demand" in listed


def test_serve_listens_on_loopback_only(served):
    process = psutil.Process(served[-1].pid)
    sockets = [
        socket
        for each in [process, *process.children(recursive=True)]
        for socket in each.net_connections("inet")
        if socket.status == psutil.CONN_LISTEN
    ]
    assert {socket.laddr.ip for socket in sockets} == {"127.0.0.1"}


TEMPORARY = """
import httpx
from flows.server_access import protect_temporary_server
protect_temporary_server()
from prefect.client.orchestration import get_client
with get_client(sync_client=True) as client:
    client.create_flow_from_name("mine")
    posted = httpx.post(f"{client.api_url}/flows/", json={"name": "x"})
    print(posted.status_code)
"""


def test_the_temporary_server_of_a_single_run_asks_for_the_secret_as_well(tmp_path):
    environment = beside_server(tmp_path, tmp_path / "store") | {"PYTHONPATH": str(ROOT)}
    del environment["PREFECT_API_URL"]
    assert finished([sys.executable, "-c", TEMPORARY], environment).splitlines()[-1] == "401"


def test_another_server_is_not_sent_the_secret(tmp_path):
    environment = beside_server(tmp_path, tmp_path / "store") | {"PYTHONPATH": str(ROOT)}
    code = (
        "import os; from flows.server_access import *; protect_temporary_server(); "
        "print([name for name in os.environ if 'AUTH' in name])"
    )
    assert finished([sys.executable, "-c", code], environment) == "[]\n"


def test_a_secret_that_others_can_read_is_refused(tmp_path):
    environment = os.environ | {"PREFECT_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    (tmp_path / "server-secret").write_text("advisor:known")
    (tmp_path / "server-secret").chmod(0o644)
    code = "from flows.server_access import *; read_secret()"
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert "others can read" in ran.stderr
