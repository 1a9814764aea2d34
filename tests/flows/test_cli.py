"""The command line: errors are one line on stderr and exit status 1, and help is quick."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli import app
from flows.errors import error_message
from tasks.store.store import Store

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (
    "nightly", "check", "rescore", "backfill", "recommend", "rollback", "gc", "sql", "reports",
    "push", "approve", "serve", "serving", "alerts", "config",
)  # fmt: skip


def advisor(store: Path, *arguments: str, **how: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flows", *arguments],
        cwd=ROOT,
        env=os.environ | {"CONTENT_ADVISOR_STORE": str(store)},
        capture_output=True,
        text=True,
        check=False,
        **how,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    app([command, "--help"])
    assert f"advisor {command}" in capsys.readouterr().out


def test_config_prints_each_setting_with_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    app(["config", "--profile", "smoke", "--set", "split.ties=film"])
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["split.ties", '"film"', "--set"] in printed
    assert ["train.fit.max_steps", "4", "profile", "smoke"] in printed
    assert ["score.seed", "0", "default"] in printed


def test_help_imports_no_prefect() -> None:
    code = "import sys, flows.cli; flows.cli.app(['--help']); assert 'prefect' not in sys.modules"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert all(f" {command} " in ran.stdout for command in COMMANDS)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["nigthly"], 'Unknown command "nigthly".'),
        (["nightly", "--profile", "nigthly"], 'Invalid value "nigthly" for --profile.'),
        (["nightly", "--set", "wait"], '"wait" sets nothing: type it like train.fit.epochs=2'),
        (["nightly", "--set", "train.fit.epoch=2"], "no setting train.fit.epoch: did you mean"),
        (
            ["backfill", "--from", "2018-09-23", "--to", "2018-09-17"],
            "nothing to do from 2018-09-23 to 2018-09-17 every 1 days",
        ),
        (["sql", "select 1"], "no metrics at "),
        (["reports", "user", "2"], "a parameter is typed as name=value, and 2 is not"),
        (["rollback"], "no metrics at "),
        (["recommend"], "nobody to recommend to: name a user, or ratings"),
        (["recommend", "--user", "x"], "Invalid value for --user: unable to convert"),
    ],
)
def test_what_cannot_be_done_ends_with_one_line_and_exit_status_1(
    tmp_path: Path, typed: list[str], message: str
) -> None:
    ran = advisor(tmp_path, *typed)
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"error: {message}")
    assert ran.stderr.count("\n") == 1
    assert ran.stdout == ""
    assert not list(tmp_path.rglob("*.duckdb"))


def test_a_run_that_does_not_wait_prints_as_cancelled(tmp_path: Path) -> None:
    typed = ("nightly", "--profile", "smoke", "--set", "wait_for_lock=false")
    with Store(tmp_path).exclusive_lock("a run of profile smoke", wait=True):
        ran = advisor(tmp_path, *typed)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("cancelled: ")
    assert ran.stdout.count("\n") == 1


def test_a_query_that_fails_ends_with_exit_status_1(store_with_metrics: Path) -> None:
    ran = advisor(store_with_metrics, "sql", "select nonsense")
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: Binder Error")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["reports", "user", "user=abc"], 'report "user" with user=abc: Could not convert string'),
        (["reports", "user", "user=99999999999"], 'report "user" with user=99999999999: Could not'),
        (["sql", "select '"], "Parser Error: unterminated"),
        (["sql", "select cast('x' as integer)"], "Conversion Error: Could not convert string 'x'"),
    ],
)
def test_what_sql_cannot_take_is_one_line(
    store_with_metrics: Path, typed: list[str], message: str
) -> None:
    ran = advisor(store_with_metrics, *typed)
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"error: {message}")
    assert ran.stderr.count("\n") == 1
    assert ran.stdout == ""


def test_a_query_without_a_statement_prints_nothing(store_with_metrics: Path) -> None:
    for query in (";", "-- nothing", " ", "/* */"):
        ran = advisor(store_with_metrics, "sql", query)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_queries_are_read_from_the_input_until_it_ends(store_with_metrics: Path) -> None:
    ran = advisor(store_with_metrics, "sql", input="select nonsense\nselect 41 + 1 as answer\n")
    assert ran.returncode == 0
    assert "Binder Error" in ran.stderr
    assert "42" in ran.stdout


def test_an_unexpected_error_is_one_line_and_its_traceback_is_kept_where_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.errors.ROOT", tmp_path)
    assert error_message(lambda: int("no")).endswith("'no'\n(where: .prefect/last-error.txt)")
    assert "Traceback" in (tmp_path / ".prefect" / "last-error.txt").read_text()
    monkeypatch.setattr("flows.errors.ROOT", Path("/dev/full"))
    assert error_message(lambda: int("no")).endswith("'no'\n(where: not kept, Not a directory)")


@pytest.fixture
def store_with_metrics(tmp_path: Path) -> Path:
    """A store with an empty metrics database."""
    from tasks.metrics_db import atomic_update

    with atomic_update(tmp_path / "artifacts" / "metrics.duckdb"):
        return tmp_path


def make(goal: str, *variables: str) -> list[str]:
    """What `make` would run the command line with, an argument each."""
    show = f"advisor={sys.executable} -c 'import sys; print(*sys.argv[1:], sep=chr(0), end=chr(0))'"
    command = ["make", "--no-print-directory", "--old-file=.venv/installed", goal, show, *variables]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return ran.stdout.split("\0")[:-1]


def test_make_passes_settings_on() -> None:
    assert make("nightly") == ["nightly"]
    typed = ("profile=smoke", "data=a folder", "set=split.ties=film train.fit.epochs=2")
    assert make("nightly", *typed) == [
        "nightly", "--profile=smoke", "--data=a folder",
        "--set=split.ties=film", "--set=train.fit.epochs=2",
    ]  # fmt: skip
    days = ("from=2018-09-17", "to=2018-09-23", "every=2")
    assert make("backfill", *days)[1:] == [
        "--from=2018-09-17", "--to=2018-09-23", "--every-days=2",
    ]  # fmt: skip
    assert make("sql") == ["sql"]
    assert make("sql", "q=select '$1'") == ["sql", "select '$1'"]
    assert make("sql", "q=select '$$x'") == ["sql", "select '$$x'"]
    assert make("sql", "q=select '$(shell echo 1)'") == ["sql", "select '$(shell echo 1)'"]
    assert make("reports", "name=user", "user=196") == ["reports", "user", "user=196"]
    assert make("gc", "runs=3", "apply=yes") == ["gc", "--runs=3", "--apply"]
    assert make("rollback", "to=3f2a") == ["rollback", "--to=3f2a"]


@pytest.mark.parametrize("goal", ["nightly", "sql", "reports", "backfill", "gc", "rollback"])
def test_make_expands_nothing_that_was_typed(goal: str, tmp_path: Path) -> None:
    hostile = f"$(shell touch {tmp_path}/make)$$(touch {tmp_path}/sh)`touch {tmp_path}/tick`'\";*"
    names = re.search(r"^typed := ((?:.*\\\n)*.*)", (ROOT / "Makefile").read_text(), re.M)[1]
    names = names.replace("\\", "").split()
    passed = make(goal, *(f"{name}={hostile}" for name in names))
    assert list(tmp_path.iterdir()) == []
    assert len(passed) > 1
    assert "$(shell touch" in "".join(passed)


def test_make_refuses_a_variable_that_it_would_expand(tmp_path: Path) -> None:
    hostile = f"Title=$(shell touch {tmp_path}/make)"
    ran = subprocess.run(["make", "help", hostile], cwd=ROOT, capture_output=True, text=True)
    assert "no parameter Title: there are profile data" in ran.stderr
    assert list(tmp_path.iterdir()) == []
