"""No code comes in with data or weights, and only locked packages are installed."""

import ast
import re
from importlib.metadata import distributions
from pathlib import Path

import pytest
from prefect.settings import get_current_settings

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    file for folder in ("flows", "tasks", "bench") for file in ROOT.glob(f"{folder}/**/*.py")
]
UNPICKLERS = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
OWN = {"pip", "setuptools", "wheel"}  # come with the environment, not with the project


def unsafe(node: ast.AST) -> bool:
    """Whether a node may run code from outside: by an unpickler, or with weights."""
    if isinstance(node, ast.Import):
        return not UNPICKLERS.isdisjoint(alias.name.split(".")[0] for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").split(".")[0] in UNPICKLERS
    if not isinstance(node, ast.Call):
        return False
    keywords = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
    function = ast.unparse(node.func)
    loads = function == "torch.load" and keywords.get("weights_only") is not True
    if function.startswith("Auto") and function.endswith((".from_pretrained", ".from_config")):
        return keywords.get("trust_remote_code") is not False  # the default asks on a terminal
    return loads or True in (keywords.get("trust_remote_code"), keywords.get("allow_pickle"))


def test_nothing_is_unpickled_and_no_code_comes_with_weights() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in SOURCES
        for node in ast.walk(ast.parse(file.read_text()))
        if unsafe(node)
    ]
    assert not found


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(file)",
        "torch.load(file, weights_only=False)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "AutoTokenizer.from_pretrained(name)",
        "np.load(file, allow_pickle=True)",
    ],
)
def test_each_way_for_code_to_come_in_is_found(line: str) -> None:
    assert any(unsafe(node) for node in ast.walk(ast.parse(line)))


def test_prefect_keeps_no_pickles() -> None:
    assert not get_current_settings().results.persist_by_default


def test_the_lock_pins_every_installed_package() -> None:
    locked = dict(line.split("==") for line in (ROOT / "requirements.lock").read_text().split())
    installed = {d.metadata["Name"]: d.version.split("+")[0] for d in distributions()}

    def plain(name: str) -> str:
        return re.sub("[-_.]+", "-", name).lower()

    pinned = {plain(name): version for name, version in locked.items()}
    found = {plain(name): version for name, version in installed.items()}
    assert {name: v for name, v in found.items() if name not in OWN} == pinned
