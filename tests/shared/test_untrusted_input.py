"""No code comes in with data or weights, and only locked packages are installed."""

import ast
import re
from importlib.metadata import distributions, version
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


def locked(file: str) -> dict[str, tuple[str, int]]:
    """Version and number of hashes of each package of a lock file."""
    blocks = re.split(r"\n(?! )", (ROOT / file).read_text().strip())
    pins = (
        re.fullmatch(r"([\w.-]+)==([\w.]+)((?: \\\n    --hash=sha256:\w{64})+)", b) for b in blocks
    )
    return {pin[1]: (pin[2], pin[3].count("sha256")) for pin in pins}


def test_the_lock_pins_every_installed_package() -> None:
    packages = locked("requirements.lock")
    if "+cpu" not in version("torch"):
        packages |= locked("requirements-cuda.lock")
    installed = {
        re.sub("[-_.]+", "-", d.metadata["Name"]).lower(): d.version.split("+")[0]
        for d in distributions()
    }
    pinned = {name: number for name, (number, _) in packages.items()}
    assert {name: v for name, v in installed.items() if name in pinned or name not in OWN} == pinned


def test_the_lock_names_no_host_and_knows_both_builds_of_torch() -> None:
    for file in ("requirements.lock", "requirements-cuda.lock"):
        text = (ROOT / file).read_text()
        assert "://" not in text
        assert len(locked(file)) == text.count("==")
    assert locked("requirements.lock")["torch"][1] > 1
    assert "nvidia-cublas" in locked("requirements-cuda.lock")
