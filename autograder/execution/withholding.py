"""What a student process must not have: libraries and parts of ``chainrule_lib`` that answer a lesson's exercises.

``install`` runs in the warm parent before anything else is imported there. From then on a withheld module is not
found, as if it were not installed, and a withheld name is in no module. The confinement closes the files
(``hidden_files``), so that nothing can be read or loaded from them either; what else is in such a file has been loaded
by then. What is withheld never is, nor is its source read in that process: a learner's code can read all its memory.

An explorer that needs something withheld is replaced by a function that shows a sentence.
"""

from __future__ import annotations

import ast
import importlib
import marshal
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.abc import Loader
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import find_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from autograder.isolation.forking import FORKS

__all__ = ["NOT_DRAWN", "explain", "hidden_files", "install"]

PACKAGE = "chainrule_lib"
WIDGETS = f"{PACKAGE}.widgets"

NOT_DRAWN = "The explorer is not drawn while notebooks are graded."


# --- What is meant by a list of names ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Withheld:
    """A list of withheld names, told apart.

    Attributes
    ----------
    packages : other people's, by their names
    modules : of ours, with those that cannot work without them
    names : single names, by the module that defines them
    blank : explorers' modules that cannot work without what is withheld
    """

    packages: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    names: dict[str, set[str]] = field(default_factory=dict)
    blank: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, withheld: Iterable[str]) -> _Withheld:
        """What a list means.

        Raises
        ------
        ValueError
            It has a name of ours that does not exist.
        """
        found, known = cls(), _sources()
        for each in withheld:
            module, _, name = each.rpartition(".")
            if each in known:
                found.modules.add(each)
            elif module in known and name in _definitions(module):
                found.names.setdefault(module, set()).add(name)
            elif each.partition(".")[0] == PACKAGE:
                raise ValueError(f"{each} is no module of {PACKAGE}, and no function or class in one.")
            else:
                found.packages.add(each)
        while dependents := found._dependents():
            for each in dependents:
                (found.blank if each.startswith(f"{WIDGETS}.") else found.modules).add(each)
        return found

    def _dependents(self) -> set[str]:
        """Modules that import something withheld and are not withheld yet. Packages are put right afterwards."""
        return {
            module
            for module, path in _sources().items()
            if path.name != "__init__.py" and module not in self.modules | self.blank and self._needs(module)
        }

    def _needs(self, module: str) -> bool:
        return any(
            source in self.modules | self.blank
            or name in self.names.get(source, ())
            or f"{source}.{name}".rstrip(".") in self.incomplete
            for source, name in _imports(module)
        )

    @property
    def incomplete(self) -> set[str]:
        """Modules of which something or everything is missing."""
        return {*self.modules, *self.blank, *self.names}

    def covers(self, module: str) -> bool:
        """Whether a module is withheld, by itself or with a package that it is in."""
        parts = module.split(".")
        return any(".".join(parts[:end]) in self.packages | self.modules for end in range(1, len(parts) + 1))

    def files(self) -> list[Path]:
        """The files of ours that must not be read."""
        return [path for module, path in _sources().items() if module in self.incomplete]


@cache
def _sources() -> Mapping[str, Path]:
    """The modules of our package and their files."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return {}
    folder = Path(spec.submodule_search_locations[0])
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        found[".".join((PACKAGE, *parts)).removesuffix(".__init__")] = path
    return found


def _tree(module: str) -> ast.Module:
    """A module as a tree."""
    return ast.parse(_sources()[module].read_text(encoding="utf-8"))


def _definitions(module: str) -> list[str]:
    """The functions and classes that a module defines."""
    return [node.name for node in _tree(module).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]


@cache
def _imports(module: str) -> tuple[tuple[str, str], ...]:
    """What a module of ours imports from others: the module and the name in it."""
    found = []
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module:
            found += [(node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
    return tuple(found)


# --- In the warm parent -----------------------------------------------------------------------------------------------

_lesson = ""
_in_force = _Withheld()


def install(withheld: Sequence[str], lesson: str = "") -> None:
    """Withhold these modules and names in this process and its children, for good.

    Parameters
    ----------
    withheld : as ``autograder.exercises.withheld`` gives them
    lesson : for the sentence that says why

    Raises
    ------
    RuntimeError
        Something withheld is loaded already, or something that is not withheld needs it.
    """
    global _in_force, _lesson
    plan = _apart(_plan, list(withheld))
    if "failed" in plan:
        raise RuntimeError(plan["failed"])
    _in_force, _lesson = _Withheld(**plan["withheld"]), lesson
    if loaded := sorted(name for name in sys.modules if _in_force.covers(name) or name.partition(".")[0] == PACKAGE):
        raise RuntimeError(f"These were imported before it was said what is withheld: {', '.join(loaded)}.")
    _package_imports()  # while the files can be read
    sys.meta_path[:] = [_Finder(finder, plan["rests"]) for finder in sys.meta_path]
    if _in_force.incomplete:
        _import_the_rest(plan["explorers"])


def _apart(function: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """What a function returns in a process of its own: nothing that it reads is left in our memory."""
    if not FORKS:
        return function(*arguments)  # a learner's code can read the files themselves: nothing confines it there
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            try:
                result = function(*arguments)
            except Exception as error:
                result = {"failed": f"{type(error).__name__}: {error}"}
            with os.fdopen(writing, "wb") as file:
                marshal.dump(result, file)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        content = file.read()
    os.waitpid(pid, 0)
    result = marshal.loads(content)
    return result


def _plan(withheld: list[str]) -> dict[str, Any]:
    """What is to be done, as plain data: ``rests`` are modules without the names that are withheld of them."""
    found = _Withheld.of(withheld)
    return {
        "withheld": vars(found),
        "rests": {module: _rest(module, names) for module, names in found.names.items()},
        "explorers": {
            module: [name for name in _definitions(module) if name.endswith("_explorer")] for module in found.blank
        },
    }


def _rest(module: str, names: set[str]) -> CodeType:
    """A module's code without some of its functions and classes.

    Raises
    ------
    RuntimeError
        What is left needs one of them.
    """
    tree = _tree(module)
    tree.body = [node for node in tree.body if getattr(node, "name", "") not in names]
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if needed := sorted(names & used):
        raise RuntimeError(f"{', '.join(needed)} of {module} cannot be withheld: what is left of it needs them.")
    return compile(tree, str(_sources()[module]), "exec", dont_inherit=True)


class _Finder:
    """A finder of modules that does not find what is withheld, and has a loader of its own for what is left of some.

    Parameters
    ----------
    finder : the one behind it
    rests : the code of modules that some names are withheld of
    """

    def __init__(self, finder: Any, rests: Mapping[str, CodeType]) -> None:
        self._finder = finder
        self._rests = rests

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The module, as the finder behind this one finds it."""
        if _in_force.covers(fullname):
            return None
        if fullname in self._rests:
            loader = _RestLoader(self._rests[fullname])
            return spec_from_file_location(fullname, _sources()[fullname], loader=loader)
        found: ModuleSpec | None = self._finder.find_spec(fullname, path, target)
        return found

    def __getattr__(self, name: str) -> Any:
        """Whatever else a finder can do."""
        return getattr(self._finder, name)


class _RestLoader(Loader):
    """Loads what is left of a module."""

    def __init__(self, code: CodeType) -> None:
        self._code = code

    def exec_module(self, module: ModuleType) -> None:
        """Run it; the names that are missing are there until all that imports them has been imported."""
        exec(self._code, vars(module))
        for name in _in_force.names[module.__name__]:
            setattr(module, name, _Absent())


class _Absent:
    """Stands for a withheld value while what imports it is imported itself."""


class _Placeholder(ModuleType):
    """Stands for a withheld module while what imports it is imported itself."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Absent()


def _import_the_rest(explorers: Mapping[str, Sequence[str]]) -> None:
    """Import our package with what is left of it, and let nothing else be seen of it."""
    for module in _in_force.modules:
        sys.modules[module] = _Placeholder(module)
    for module, names in explorers.items():
        sys.modules[module] = _blank(module, names)
    importlib.import_module(PACKAGE)
    importlib.import_module(WIDGETS)
    for module in _in_force.names:
        importlib.import_module(module)  # its file is hidden later on
    for module in _in_force.modules:
        del sys.modules[module]
    for module in _in_force.blank:
        sys.modules[module].__class__ = ModuleType
        setattr(sys.modules[WIDGETS], module.rpartition(".")[2], sys.modules[module])
    for module in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        _take_out(sys.modules[module])


def _take_out(module: ModuleType) -> None:
    """Remove from a module's names what stands for something withheld."""
    for name, value in list(vars(module).items()):
        if isinstance(value, _Absent | _Placeholder):
            delattr(module, name)
    if "__all__" in vars(module):
        vars(module)["__all__"] = [name for name in vars(module)["__all__"] if hasattr(module, name)]


def _blank(module: str, explorers: Iterable[str]) -> ModuleType:
    """An explorers' module whose explorers are not drawn."""
    made = _Placeholder(module, NOT_DRAWN)
    for name in explorers:
        setattr(made, name, _undrawn(name, module))
    return made


def _undrawn(name: str, module: str) -> Callable[..., NotDrawn]:
    def explorer(*_: Any, **__: Any) -> NotDrawn:
        return NotDrawn()

    explorer.__name__ = explorer.__qualname__ = name
    explorer.__module__ = module
    explorer.__doc__ = NOT_DRAWN
    return explorer


class NotDrawn:
    """What is shown in the place of an explorer."""

    def __repr__(self) -> str:
        return NOT_DRAWN

    def _repr_html_(self) -> str:
        return f"<p><em>{NOT_DRAWN}</em></p>"


# --- For the confinement ----------------------------------------------------------------------------------------------


def hidden_files(withheld: Iterable[str]) -> tuple[Path, ...]:
    """The files and folders that must not be readable, wherever these are installed. Of a module, the source file."""
    found = _Withheld.of(withheld)
    return tuple(dict.fromkeys([*found.files(), *_installed(found.packages)]))


def _installed(packages: Iterable[str]) -> Iterator[Path]:
    """Where packages lie in any folder of packages of this machine's Pythons; a learner's code can import from all."""
    endings = ("", ".py", ".pyc", *EXTENSION_SUFFIXES)
    for folder in _folders():
        for package in sorted(packages):
            paths = (folder / f"{package}{ending}" for ending in endings)
            yield from (path for path in paths if path.exists())


def _folders() -> list[Path]:
    """The folders that packages are in."""
    found = [Path(entry) for entry in sys.path if entry and Path(entry).is_dir()]
    for prefix in dict.fromkeys((sys.prefix, sys.base_prefix, "/usr", "/usr/local")):
        for pattern in ("lib*/python3*/site-packages", "lib*/python3*/dist-packages"):
            found += sorted(Path(prefix).glob(pattern))
    return list(dict.fromkeys(path.resolve() for path in found))


# --- For the learner --------------------------------------------------------------------------------------------------

_FROM = re.compile(r"cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'")
_ATTRIBUTE = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")
_OFFERED = "check, evaluate, progress and exercises"


def explain(error: BaseException) -> str:
    """Why an import failed, where it did because of what is withheld; else nothing.

    >>> explain(ModuleNotFoundError("No module named 'torch'", name="torch"))
    'torch is withheld while lesson 05_backpropagation is graded: the exercise asks you to write this yourself.'
    """
    name = _missing(error)
    if not name:
        return ""
    if name.partition(".")[0] == "autograder":
        return f"{name} is not there while notebooks are graded: autograder has {_OFFERED}."
    lesson = f"lesson {_lesson}" if _lesson else "a lesson"
    return f"{name} is withheld while {lesson} is graded: the exercise asks you to write this yourself."


def _missing(error: BaseException) -> str:
    """The withheld name that an error is about, if any. A learner's own errors may be odd in any way."""
    try:
        said = str(error)
        if isinstance(error, ModuleNotFoundError):
            name = str(error.name)
            return name if _in_force.covers(name) or name.startswith("autograder.") else ""
        pattern = _FROM if isinstance(error, ImportError) else _ATTRIBUTE if isinstance(error, AttributeError) else None
        found = pattern.search(said) if pattern else None
        if found is None:
            return ""
        name, module = found.groups() if pattern is _FROM else found.groups()[::-1]
        return f"{module}.{name}" if _is_missing(module, name) else ""
    except Exception:
        return ""


def _is_missing(module: str, name: str) -> bool:
    """Whether a module would have a name, were nothing withheld."""
    if module == "autograder" or module in _in_force.blank:
        return True
    if f"{module}.{name}" in _in_force.incomplete or name in _in_force.names.get(module, ()):
        return True
    gone = {(source, each) for source, names in _in_force.names.items() for each in names}
    return module in _package_imports() and any(
        (source in _in_force.modules | _in_force.blank or (source, each) in gone)
        for source, each in _package_imports()[module]
        if each == name
    )


@cache
def _package_imports() -> Mapping[str, tuple[tuple[str, str], ...]]:
    """What our packages import into their own names. Read before the confinement closes the files."""
    return {module: _imports(module) for module, path in _sources().items() if path.name == "__init__.py"}
