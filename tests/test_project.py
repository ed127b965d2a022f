"""The project's rules that a reader should be able to rely on."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from advisor.scenario.loading import load_scenario
from tests.conftest import REPOSITORY

MAY_IMPORT = {
    "profiles_db": set(),
    "advisor": {"profiles_db"},
    "profiler": {"profiles_db"},
    "reports": {"profiles_db", "advisor"},
    "trustser": {"profiles_db", "advisor", "profiler", "reports"},
}
MODULES = [file for package in MAY_IMPORT for file in sorted((REPOSITORY / package).rglob("*.py"))]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def _imports(file: Path) -> set[str]:
    """Top-level packages that a module imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found.add(str(node.module).partition(".")[0])
    return found


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_packages_import_only_downwards(file: Path) -> None:
    package = file.relative_to(REPOSITORY).parts[0]
    imported = _imports(file)
    assert imported & set(MAY_IMPORT) <= MAY_IMPORT[package] | {package}
    if package in ("advisor", "reports", "profiles_db"):
        assert "torch" not in imported


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_every_module_says_what_it_is_for(file: Path) -> None:
    assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))


def test_yaml_and_checkpoints_are_only_read_safely() -> None:
    for file in MODULES:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"(unsafe_load|full_load|UnsafeLoader|FullLoader)", text), file
        assert not re.search(r"yaml\.(load\([^,)]*\)|Loader\b)", text), file
        assert not re.search(r"weights_only\s*=\s*False", text), file
        assert "trust_remote_code=True" not in text, file


def test_the_lock_names_no_address() -> None:
    lock = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    assert re.search(r"^torch==", lock, flags=re.MULTILINE)


def test_the_readmes_links_and_pictures_exist() -> None:
    targets = [t for t in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in t]
    assert targets
    for target in targets:
        assert (REPOSITORY / target).exists(), target


def test_the_readmes_scenario_is_a_scenario(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(version: 1\n.*?)```", README, flags=re.DOTALL)
    file = tmp_path / "my.yaml"
    file.write_text(text)
    assert load_scenario(str(file)).spec.title == "Toy with a microphone"
