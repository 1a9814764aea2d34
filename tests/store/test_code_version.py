"""The version of code changes with what decides a result, and with nothing else."""

import shutil

import pytest

from tasks.store.code_version import IGNORED, ROOT, code_version, version_of
from tasks.train.task import train_adapter

ENTRY = '''"""Tasks."""
from tasks.stage.config import Config, Other

SIZE = 3


def build(config: Config):
    def write(draft):
        from tasks.stage.rows import write_rows

        write_rows(draft, limit(config))

    return write


def limit(config):
    return config.rows + SIZE


def build_other(config: Other):
    return 7
'''
FILES = {
    "tasks/stage/task.py": ENTRY,
    "tasks/stage/config.py": "from tasks.shared import N\n\n\nclass Config:\n    rows: int = 3\n",
    "tasks/stage/rows.py": """import tasks.progress
QUERY = 'rows/*.sql'


def write_rows(draft, limit):
    '''Write.'''
    import subprocess

    subprocess.run(['-m', 'tasks.stage.worker'])
""",
    "tasks/stage/worker.py": "N = 1\n",
    "tasks/shared/__init__.py": "from tasks.shared.part import N\n",
    "tasks/shared/part.py": "N = 1\n",
    "tasks/stage/other.py": "N = 1\n",
    "tasks/progress.py": "N = 1\n",
    "sql/warehouse/rows/first.sql": "select 1",
    "sql/warehouse/others/first.sql": "select 1",
}


@pytest.fixture
def changed(tmp_path):
    """`changed(file, old, new)`: the version of `build` in a project where a file was edited."""
    roots = []

    def version(file=None, old="", new=""):
        root = tmp_path / str(len(roots))
        roots.append(root)
        for name, text in FILES.items():
            if name == file:
                assert old in text
                text = text.replace(old, new) if old else new
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return version_of(root / "tasks/stage/task.py", "build", root)

    return version


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("tasks/stage/rows.py", "'''Write.'''", "'''Write it.'''"),
        ("tasks/stage/rows.py", "QUERY = 'rows/*.sql'", "QUERY = (  # why\n    'rows/*.sql'\n)"),
        ("tasks/stage/config.py", "rows: int = 3", "rows: int = 3\n    '''How many.'''"),
        ("tasks/stage/task.py", '"""Tasks."""', ""),
        ("tasks/stage/task.py", "return 7", "return 8"),
        ("tasks/stage/task.py", "import Config, Other", "import Other, Config"),
        ("tasks/stage/other.py", "", "N = 2\n"),
        ("tasks/progress.py", "", "N = 2\n"),
        ("sql/warehouse/others/first.sql", "", "select 2"),
    ],
)
def test_what_decides_no_result_keeps_the_version(changed, file, old, new):
    assert changed(file, old, new) == changed()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("tasks/stage/task.py", "SIZE = 3", "SIZE = 4"),
        ("tasks/stage/task.py", "config.rows + SIZE", "config.rows - SIZE"),
        ("tasks/stage/task.py", "limit(config))", "limit(config) + 1)"),
        ("tasks/stage/config.py", "rows: int = 3", "rows: int = 4"),
        ("tasks/stage/rows.py", "subprocess.run", "subprocess.call"),
        ("tasks/stage/rows.py", "import subprocess", "import tasks.stage.other, subprocess"),
        (
            "tasks/stage/task.py",
            "def write(draft):",
            "def write(draft):\n        import tasks.stage.other",
        ),
        ("tasks/stage/worker.py", "", "N = 2\n"),
        ("tasks/shared/part.py", "", "N = 2\n"),
        ("sql/warehouse/rows/first.sql", "", "select 2"),
    ],
)
def test_what_decides_a_result_changes_the_version(changed, file, old, new):
    assert changed(file, old, new) != changed()


@pytest.fixture
def edited(tmp_path):
    """`edited(file, task, name)`: a real task's version after a file was edited."""
    roots = []

    def version(file, task, name):
        root = tmp_path / str(len(roots))
        roots.append(root)
        for folder in ("tasks", "sql"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
        if file:
            assert (root / file).exists()
            with (root / file).open("a") as opened:
                opened.write("\nEDITED = 1\n")
        return version_of(root / task, name, root)

    return version


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("tasks/train/card.py", False),
        ("tasks/training/throughput.py", False),
        ("tasks/predict/calibration.py", False),
        ("tasks/training/trainer.py", True),
        ("tasks/train/worker.py", True),
        ("tasks/nn/bloom.py", True),
    ],
)
def test_an_adapter_is_trained_again_for_what_its_weights_depend_on(edited, file, counts):
    task = ("tasks/train/task.py", "train_adapter")
    assert (edited(file, *task) != edited(None, *task)) == counts


def test_a_report_is_drawn_again_for_its_template_and_its_views(edited):
    task = ("tasks/report/task.py", "write_report")
    views = sorted(str(f.relative_to(ROOT)) for f in (ROOT / "sql/warehouse/views").iterdir())
    files = [None, "tasks/report/page.html", "tasks/report/page.py", views[0]]
    assert len({edited(file, *task) for file in files}) == len(files)


@pytest.mark.parametrize("prefix", IGNORED)
def test_what_is_ignored_exists(prefix):
    path = ROOT.joinpath(*prefix.rstrip(".").split("."))
    assert path.is_dir() or path.with_suffix(".py").is_file()


def test_a_task_is_versioned_by_the_function_that_prefect_wraps():
    task = ROOT / "tasks/train/task.py"
    assert code_version(train_adapter.fn) == version_of(task, "train_adapter", ROOT)
