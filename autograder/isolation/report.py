"""What ``chainrule doctor`` says: which layers of the confinement this system has, and which it lacks."""

from __future__ import annotations

import platform
from collections.abc import Iterable

from autograder.isolation.confinement import layers

__all__ = ["report", "warning"]

CONSEQUENCES = {
    "limits": "it could use up the machine",
    "Landlock": "it could read and change files",
    "seccomp": "it could start programs and use the network",
}
"""What a missing layer leaves open."""


def warning(missing: Iterable[str]) -> str:
    """What to say of marks that were given without these layers of the confinement."""
    named = ", ".join(f"no {name} ({CONSEQUENCES[name]})" if name in CONSEQUENCES else f"no {name}" for name in missing)
    return f"The submission's code was not fully confined here, so its marks may be forged: {named}."


def report() -> tuple[str, bool]:
    """A text with a line per layer, and whether everything that grading needs is there."""
    found = layers()
    lines = [f"{platform.system()} {platform.release()}, Python {platform.python_version()}"]
    for layer in found:
        state = "yes" if layer.in_force else "MISSING" if layer.required else "no"
        lines.append(f"  {state:8}{layer.name:20}{layer.detail}")
    missing = [layer.name for layer in found if layer.required and not layer.in_force]
    if missing:
        lines.append(
            f"Submissions are not graded here, because the system lacks: {', '.join(missing)}.\n"
            "With --allow-unconfined (nbgrader_config.py: c.IsolatedExecute.allow_unconfined = True) they are graded,\n"
            "in processes of their own but with your rights, and the report says so."
        )
    else:
        lines.append("Submissions can be graded here: everything that confines their code is in force.")
    return "\n".join(lines), not missing
