"""What the documentation says exists: settings, links, commands; and the site builds offline."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from flows.cli import app
from flows.overrides import parse
from flows.settings_reference import MARK, PAGE, described_schema, setting_rows, with_reference
from tasks.metrics_db import atomic_update, open_readonly

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = ["README", "CONTRIBUTING", "SECURITY", "CHANGELOG", "sql/README"]
PAGES = [*(ROOT / f"{name}.md" for name in OUTSIDE), *sorted((ROOT / "docs").glob("*.md"))]


def names(schema: dict) -> Iterator[str]:
    for name, part in schema["properties"].items():
        for row in setting_rows(name, part, part["default"], schema["$defs"]):
            yield row[0].split("`")[1]


def test_the_configuration_page_is_current():
    text = PAGE.read_text()
    assert text == with_reference(text), "run `make dictionary`"


def test_every_setting_is_on_the_configuration_page_with_a_meaning():
    schema = described_schema()
    rows = re.findall(r"^\| `([\w.]+)`.* \| ([^|]*) \|$", PAGE.read_text().split(MARK)[1], re.M)
    assert {name for name, _ in rows} == set(names(schema))
    assert not [name for name, meaning in rows if len(meaning.split()) < 2]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_resolve(page: Path):
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    local = [target for target in targets if not re.match(r"https?:|mailto:", target)]
    assert not [target for target in local if not (page.parent / target).exists()]


@pytest.mark.parametrize(
    "page", [p for p in PAGES if p.name != "CHANGELOG.md"], ids=lambda page: page.name
)
def test_settings_and_commands_that_are_shown_exist(page: Path):
    text = page.read_text().split(MARK)[0]
    typed = [word for given in re.findall(r'set="([^"]+)"', text) for word in given.split()]
    assert {word.split("=")[0] for word in typed} <= set(names(described_schema()))
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):.*##", makefile, re.M))
    variables = set(re.search(r"^typed := ((?:.*\\\n)*.*)", makefile, re.M)[1].split())
    calls = re.findall(r"(?:^|`|=\S+ )make ([a-z-]+)((?: \w+=\S+)*)", text, re.M)
    assert {target for target, _ in calls} <= targets
    assert {name for _, given in calls for name in re.findall(r" (\w+)=", given)} <= variables
    reports = {file.stem for file in (ROOT / "sql" / "reports").glob("*.sql")}
    assert set(re.findall(r"make reports name=(\w+)", text)) <= reports
    modules = re.findall(r"python -m ((?:bench|flows|tasks)[\w.]*)", text)
    files = [ROOT / module.replace(".", "/") for module in modules]
    assert not [f for f in files if not (f.with_suffix(".py").exists() or f.is_dir())]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_command_of_advisor_that_is_shown_can_be_typed(page: Path):
    text = page.read_text().split(MARK)[0]
    for line in re.findall(r"^(?:\.venv/bin/)?advisor (.+)$", text, re.M):
        words = shlex.split(line, comments=True)
        if words != ["--help"]:
            app.parse_args(words, exit_on_error=False, print_error=False)
            parse([value for flag, value in pairwise(words) if flag == "--set"])


def test_queries_that_are_shown_run(tmp_path: Path):
    queries = {q for page in PAGES for q in re.findall(r'"(select [^"]+)"', page.read_text())}
    assert queries
    with atomic_update(tmp_path / "metrics.duckdb"):
        pass
    with open_readonly(tmp_path / "metrics.duckdb") as db:
        for query in queries:
            db.execute(query)


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 110


def test_the_site_builds_with_all_links_and_loads_nothing_from_other_hosts(tmp_path: Path):
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        check=True,
    )
    pages = {file: file.read_text() for file in tmp_path.rglob("*.html")}
    assert len(pages) > 10
    loads = r"<(?:script|img|iframe|source)[^>]*\ssrc=\"?(https?:)?//|<link[^>]*\shref=\"?https?://"
    assert not [file for file, text in pages.items() if re.search(loads, text)]


@pytest.mark.parametrize("page", ["SECURITY.md", "docs/faults.md"])
def test_each_test_that_a_page_names_exists(page):
    files = re.findall(r"`(tests/[\w/]+\.py)`", (ROOT / page).read_text())
    assert len(set(files)) > 5
    assert not [file for file in files if not (ROOT / file).exists()]


def test_each_fault_names_its_test():
    rows = [
        line
        for line in (ROOT / "docs" / "faults.md").read_text().splitlines()
        if line.startswith("| ")
    ][1:]
    assert [row for row in rows if "`tests/" not in row.split(" | ")[-1]] == []


def test_the_architecture_shows_tasks_and_files_as_they_are():
    text = (ROOT / "docs" / "architecture.md").read_text()
    shown = re.search(r"```python\n(.*?)```", text, re.S)[1]
    assert shown in (ROOT / "tasks" / "split" / "task.py").read_text()
    for stage, names in re.findall(r"^\| `(\w+)\.task\.([\w`, ]+)` \|", text, re.M):
        module = (ROOT / "tasks" / stage / "task.py").read_text()
        assert not [n for n in re.findall(r"\w+", names) if f"def {n}(" not in module]
    drawing = re.search(r"```\n(flows/.*?)```", text, re.S)[1]
    flows, tasks = drawing.split("\ntasks/")
    files = {file.name for file in (ROOT / "flows").glob("*.py")} - {"__init__.py", "__main__.py"}
    assert set(re.findall(r"\b(\w+\.py)\b", flows)) == files
    folders = {task.parent.name for task in (ROOT / "tasks").glob("*/__init__.py")}
    assert set(re.findall(r"^  (\w+)/", tasks, re.M)) == folders
