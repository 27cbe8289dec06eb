"""What is installed, and what it asks for."""

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points, packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("autograder", "chainrule_lib")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    return content


def bounds(requirements: list[str]) -> dict[str, str]:
    """Name -> bound, with names as the package index compares them (PEP 503)."""
    split = [re.fullmatch(r"([\w.-]+)(?:\[\w+\])?(.*)", requirement) for requirement in requirements]
    return {re.sub(r"[-_.]+", "-", match[1]).lower(): match[2] for match in split if match}


def test_conda_and_pip_ask_for_the_same(project: dict[str, Any]) -> None:
    environment = yaml.safe_load((REPOSITORY / "environment.yml").read_text())["dependencies"]
    conda = bounds([entry for entry in environment if isinstance(entry, str)])
    assert conda.pop("pip") == ""
    (by_pip,) = (entry["pip"] for entry in environment if isinstance(entry, dict))
    conda |= bounds([entry for entry in by_pip if entry != "-e ."])
    assert conda == {"python": project["requires-python"], **bounds(project["dependencies"])}


def test_every_requirement_has_a_lower_bound_and_a_reason(project: dict[str, Any]) -> None:
    reasons = (REPOSITORY / "CHANGELOG.md").read_text()
    extras = [entry for extra in project["optional-dependencies"].values() for entry in extra]
    for name, bound in bounds([*project["dependencies"], *extras]).items():
        if name == project["name"]:
            continue
        assert bound.startswith(">="), name
        assert f"- `{name}`: " in reasons, f"CHANGELOG.md gives no reason for {name}"


def imported_names(source: str) -> set[str]:
    """The top-level modules that a piece of Python imports."""
    tree = ast.parse(source)
    absolute = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
    plain = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    return {name.split(".")[0] for name in [*absolute, *plain] if name}


def distributions_of(sources: list[str]) -> set[str]:
    """What has to be installed for these sources, beside Python and this project."""
    foreign = set().union(*map(imported_names, sources)) - set(sys.stdlib_module_names) - {*PACKAGES, "tests"}
    providers = packages_distributions()
    return {name for module in foreign for name in bounds(providers[module])}


def code_of_lessons() -> list[str]:
    """The code cells of all released lessons, without IPython's own commands."""
    notebooks = [json.loads(path.read_text()) for path in (REPOSITORY / "lessons").glob("*/*.ipynb")]
    cells = [cell for notebook in notebooks for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [re.sub(r"(?m)^[%!].*$", "", "".join(cell["source"])) for cell in cells]


def test_what_packages_and_lessons_import_is_required_and_nothing_else(project: dict[str, Any]) -> None:
    sources = [path.read_text() for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py")]
    required = set(bounds(project["dependencies"]))
    # Cells of lesson 07 compare with PyTorch where it is installed; it is no requirement.
    optional = set(bounds(project["optional-dependencies"]["torch"]))
    # The kernel that runs the lessons is found by Jupyter, not imported by us.
    assert distributions_of(sources + code_of_lessons()) - optional | {"ipykernel"} == required


def test_what_the_tests_import_is_in_their_extra(project: dict[str, Any]) -> None:
    sources = [path.read_text() for path in (REPOSITORY / "tests").rglob("*.py")]
    extra = set(bounds(project["optional-dependencies"]["test"]))
    assert distributions_of(sources) <= extra | set(bounds(project["dependencies"]))


def test_the_console_script_is_the_command() -> None:
    (script,) = entry_points(group="console_scripts", name="chainrule")
    from autograder.cli import main

    assert script.load() is main


def test_importing_the_checker_loads_nothing_of_jupyter_or_the_gradebook() -> None:
    heavy = ("nbgrader", "jupyter", "nbformat", "nbclient", "nbconvert", "dask", "sqlalchemy", "IPython", "matplotlib")
    listing = "import sys; from autograder import check, evaluate, exercises; exercises(); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    assert [name for name in run.stdout.split() if name.startswith(heavy)] == []


def test_the_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    copy = tmp_path / "project"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, copy)
    generated = shutil.ignore_patterns("__pycache__", "source", "submitted", "autograded", "gradebook.db*", "*.log")
    for package in PACKAGES:
        shutil.copytree(REPOSITORY / package, copy / package, ignore=generated)
    expected = {str(path.relative_to(copy)) for package in PACKAGES for path in (copy / package).rglob("*.*")}
    build = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
    run = subprocess.run([sys.executable, "-c", build], cwd=copy, capture_output=True, text=True, check=True)
    with zipfile.ZipFile(copy / run.stdout.split()[-1]) as wheel:
        held = {name for name in wheel.namelist() if name.startswith(tuple(f"{package}/" for package in PACKAGES))}
    assert held == expected
