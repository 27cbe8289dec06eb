#!/bin/sh
# Make .venv, with the course installed in it, or find that it is already as wanted.
#
#   sh .make/environment.sh course | test | dev
#
# Each level holds the ones before it. What a level was installed from (this folder, pyproject.toml) is written to
# .venv/level-<name> when everything has succeeded; a later run that finds the same there is done. An interrupted run
# leaves .venv/unfinished behind, and the next one starts afresh. PYTHON names the interpreter to use.
set -eu

level=$1
oldest=3.11
log=.venv/install.log

fail() {
    printf 'chainrule: %s\n' "$1" >&2
    exit 2
}

# Status 0: usable; 1: it does not run; 2: too old; 3: cannot make a virtual environment.
judge() {
    "$1" -c 'raise SystemExit(0)' >/dev/null 2>&1 || return 1
    "$1" -c 'import sys; sys.exit(sys.version_info < tuple(map(int, sys.argv[1].split("."))))' "$oldest" || return 2
    # Debian puts ensurepip, which a new environment gets pip from, in a package apart.
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 || return 3
}

# Sets python to the first usable interpreter, or fails with what is wrong with the best there is.
find_python() {
    old='' incomplete=''
    if [ "${PYTHON:-}" ]; then
        set -- "$PYTHON"
    else
        set -- python3 python3.14 python3.13 python3.12 python3.11 python
    fi
    for python in "$@"; do
        status=0
        judge "$python" || status=$?
        case $status in
            0) return ;;
            2) old=${old:-$python} ;;
            3) incomplete=${incomplete:-$python} ;;
        esac
    done
    if [ "$incomplete" ]; then
        fail "$incomplete cannot make virtual environments because Python's venv module is incomplete; on Debian or Ubuntu install it with: sudo apt install python3-venv"
    elif [ "$old" ]; then
        fail "$old is $("$old" -V 2>&1), and the course needs Python $oldest or newer; install one, or name one you have with PYTHON=/path/to/python."
    elif [ "${PYTHON:-}" ]; then
        fail "PYTHON=$PYTHON does not run; name a Python of version $oldest or newer, or leave PYTHON out."
    else
        fail "No Python was found; install Python $oldest or newer, then run this again."
    fi
}

install() {
    case $level in
        course) project=. ;;
        *) project=".[$level]" ;;
    esac
    .venv/bin/python -m pip install --disable-pip-version-check --editable "$project" >"$log" 2>&1 && return
    # pip's words for "nobody answers there": it says so when it tries again, and otherwise that it found no version of
    # the very first package.
    if grep -qE 'after connection broken by|Could not fetch URL|requirement setuptools.*from versions: none' "$log"; then
        fail "The packages could not be downloaded because the package index does not answer; check the network, then run this again (pip's own words are in $log)."
    elif grep -q 'No space left' "$log"; then
        fail "The packages could not be installed because the disk is full; free about 1 GB, then run this again."
    fi
    fail "The packages could not be installed; pip says why at the end of $log."
}

case $level in
    course) levels='course' ;;
    test) levels='course test' ;;
    dev) levels='course test dev' ;;
    *) fail "Unknown level '$level'; expected course, test or dev." ;;
esac

# A changed pyproject.toml asks for another installation, and a moved folder for another environment: the scripts in
# .venv/bin name the folder they were made in.
wanted="$PWD $(cksum <pyproject.toml)"

level_is_current() {
    [ "$(cat ".venv/level-$level" 2>/dev/null)" = "$wanted" ]
}

environment_is_usable() {
    [ ! -e .venv/unfinished ] && judge .venv/bin/python || return 1
    case "$(cat .venv/level-course 2>/dev/null)" in
        '' | "$PWD "*) return 0 ;;
        *) return 1 ;;
    esac
}

if environment_is_usable; then
    if level_is_current; then exit 0; fi
    printf 'Bringing .venv up to date ...\n'
    : >.venv/unfinished
else
    find_python
    rm -rf .venv
    mkdir .venv 2>/dev/null || fail "$PWD cannot be written; copy the course to a folder of your own."
    : >.venv/unfinished
    printf 'Installing the course into .venv; the first time takes a few minutes ...\n'
    "$python" -m venv .venv >"$log" 2>&1 || fail "$python could not make a virtual environment; it says why in $log."
fi
install
for done in $levels; do
    printf '%s\n' "$wanted" >".venv/level-$done"
done
rm .venv/unfinished
