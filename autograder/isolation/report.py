"""What ``chainrule doctor`` says: which layers of the confinement this system has, and which it lacks."""

from __future__ import annotations

import platform

from autograder.isolation.confinement import layers

__all__ = ["report"]


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
            f"Submissions are not graded here, because the system lacks: {', '.join(missing)}. "
            "--allow-unconfined grades all the same; the report then says so."
        )
    else:
        lines.append("Submissions can be graded here: everything that confines their code is in force.")
    return "\n".join(lines), not missing
