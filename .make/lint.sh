#!/bin/sh
# Style, types and the lessons: what `make lint` runs in the environment it has made.
set -eu

PATH="$PWD/.venv/bin:$PATH"

ruff check .
ruff format --check .
mypy
chainrule release --check

# The sources' worked solutions are code too; built into notebooks, ruff reads them as it reads the lessons.
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
chainrule build --output "$built" >/dev/null
ruff check --config pyproject.toml "$built"
ruff format --check --config pyproject.toml "$built"
