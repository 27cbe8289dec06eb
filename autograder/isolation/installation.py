"""Where this Python and its packages lie: what a process must be able to read, to import something it has not yet."""

from __future__ import annotations

import site
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

__all__ = ["SYSTEM", "readable_installation"]

SYSTEM = tuple(
    map(
        Path,
        (
            "/dev/zero",
            "/dev/random",
            "/dev/urandom",
            "/etc/localtime",
            "/etc/timezone",
            "/etc/ld.so.cache",
            "/etc/fonts",
            "/usr/share/fonts",
            "/usr/share/fontconfig",
            "/usr/share/zoneinfo",
            "/sys/devices/system/cpu/online",
            "/sys/devices/system/cpu/possible",
        ),
    )
)
"""What any process may read: chance, time, fonts, the number of processors."""

_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")
"""Where the system has its shared libraries."""

_OURS = ("chainrule_lib", "autograder")


def readable_installation() -> tuple[Path, ...]:
    """The standard library, the installed packages, shared libraries, and our packages.

    Of a repository that our packages are installed from in place, nothing else is among them: no lessons, no solutions.
    What a process must not see of the packages, such as ``autograder`` in a student process, is for ``Policy.hidden``.
    """
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    found = [Path(sysconfig.get_path(name)) for name in names]
    found += [Path(folder) for folder in site.getsitepackages()]
    if site.ENABLE_USER_SITE:
        found.append(Path(site.getusersitepackages()))
    found += [Path(sys.base_prefix, "lib"), *map(Path, _LIBRARIES)]
    for name in _OURS:
        spec = find_spec(name)
        found += map(Path, (spec and spec.submodule_search_locations) or ())
    return tuple(dict.fromkeys(path.resolve() for path in found if path.exists()))
