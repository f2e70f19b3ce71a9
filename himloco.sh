#!/usr/bin/env bash
# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause
#
# Sets the repository up and runs things in its environment: ./himloco.sh -h

set -euo pipefail

root="$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")"
venv="${HIMLOCO_VENV:-$root/.venv}"
[[ $venv == /* ]] || venv="$PWD/$venv"
state="$venv/.himloco" # everything this script keeps: stamp, lock, uv, a downloaded Python
lock="$root/requirements.lock"
python="$venv/bin/python"
# torch asks for the user's name, which a number given to a container has not got.
[[ -n ${USER:-}${LOGNAME:-} ]] || id -un >/dev/null 2>&1 || export USER="user-$EUID"
# rsl_rl's GitPython does not even import where there is no git, unless told that this is all right.
export GIT_PYTHON_REFRESH="${GIT_PYTHON_REFRESH:-quiet}"

usage() {
    cat <<EOF
Usage: ./himloco.sh OPTION [ARGUMENT ...]

  -i, --install       set up the environment: Python 3.12, the locked packages, this repository
  -p, --python ...    run Python in it, e.g. ./himloco.sh -p scripts/train.py --task TASK
  -t, --test ...      run the tests in it; what follows goes to pytest, paths counted from the repository
      --lock ...      write requirements.lock anew from requirements.in; what follows goes to uv pip compile,
                      e.g. --upgrade-package onnx
  -h, --help          show this

-p and -t set the environment up first when that is needed. A set-up that was interrupted starts again.

  HIMLOCO_VENV        where the environment lies (now: $venv)
  HIMLOCO_WHEELS      a folder to take the packages from in place of the network (see docker/offline/install.sh)
  PYTHON              the Python 3.12 to make it from; otherwise the first one that runs on PATH, of pyenv or of uv

Inside an Isaac Sim or Isaac Lab installation use its own isaaclab.sh instead:
  isaaclab.sh -p -m pip install -e source/himloco_rl -e 'exts/himloco_lab[train]'
  isaaclab.sh -p scripts/train.py --task TASK
EOF
}

say() { printf 'himloco.sh: %s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# --- Python ---------------------------------------------------------------------------------------------------------

# Prints "VERSION IMPLEMENTATION BITS BASE_EXECUTABLE" of a Python, or fails where it does not run. A file that exists
# says nothing: pyenv puts a python3.12 on the PATH that only fails.
probe() {
    "$1" -E -s -c '
import platform, struct, sys
base = getattr(sys, "_base_executable", None) or sys.executable
print("%s %s %d %s" % (platform.python_version(), platform.python_implementation(), struct.calcsize("P") * 8, base))
' </dev/null
}

# Sets `found` to the executable behind $1 if that is a CPython 3.12 that runs.
accept() {
    local facts
    facts="$(probe "$1" 2>/dev/null)" || return 1
    [[ $facts == 3.12.*" CPython 64 "* ]] || return 1
    found="${facts#* CPython 64 }"
    # Inside another environment, take the Python behind it. Where that does not run by itself, take what was given.
    probe "$found" >/dev/null 2>&1 || found="$1"
}

# Sets `found` to $PYTHON, or ends with the reason why it cannot be used.
accept_given() {
    accept "$PYTHON" && return
    local facts version implementation bits
    if facts="$(probe "$PYTHON" 2>&1)"; then
        read -r version implementation bits _ <<<"$facts"
        die "PYTHON=$PYTHON is $implementation $version ($bits bit), needed is CPython 3.12 (64 bit):" \
            "unset PYTHON or name another."
    fi
    facts="$(sed -n '1s/^.*: line [0-9]*: //;1p' <<<"$facts")" # without bash's own "himloco.sh: line N:"
    die "PYTHON=$PYTHON does not run ($facts): unset PYTHON or name a Python 3.12."
}

# Sets `found` to the first Python 3.12 that runs.
find_python() {
    local candidate name
    local -a candidates=()
    if [[ -n ${PYTHON:-} ]]; then
        accept_given
        return
    fi
    for name in python3.12 python3 python; do
        mapfile -t -O "${#candidates[@]}" candidates < <(type -aP "$name" 2>/dev/null)
    done
    mapfile -t -O "${#candidates[@]}" candidates < <(
        compgen -G "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}/versions/3.12*/bin/python" | sort -rV
    )
    # One that uv downloaded for an earlier set-up of this folder.
    mapfile -t -O "${#candidates[@]}" candidates < <(compgen -G "$state/python/cpython-3.12*/bin/python3.12")
    for candidate in "${candidates[@]}"; do
        # Not the environment's own Python, on the PATH while it is active: it may be about to be replaced.
        [[ $candidate != "$venv"/bin/* ]] || continue
        accept "$candidate" && return
    done
    find_python_of_uv
}

# Sets `found` to a Python 3.12 that uv knows, or that it downloads into the environment folder.
find_python_of_uv() {
    local output=""
    find_uv || die_without_python "there is no uv either, and it could not be installed"
    output="$(cd / && "$uv" python find --no-python-downloads 3.12 2>/dev/null)" || true
    [[ -z $output ]] || ! accept "$output" || return 0
    say "no Python 3.12 runs here: uv downloads one into $state/python"
    export UV_PYTHON_INSTALL_DIR="$state/python"
    "$uv" python install --no-bin 3.12 >&2 || die_without_python "uv could not download one (see above)"
    output="$(cd / && "$uv" python find --no-python-downloads --managed-python 3.12 2>/dev/null)" || true
    accept "${output:-none}" || die_without_python "the one uv downloaded does not run"
}

die_without_python() {
    say "no Python 3.12 found, and $1. Any one of these gets it:
  apt-get install python3.12 python3.12-venv     (Ubuntu 24.04; elsewhere the system's own package)
  pyenv install 3.12                             (is found by itself afterwards)
  conda create -p DIR python=3.12                (then: PYTHON=DIR/bin/python ./himloco.sh -i)
  uv python install 3.12                         (on a machine with a network; its folder can be copied)"
    exit 1
}

# --- installers -----------------------------------------------------------------------------------------------------

# Prints the entries of requirements.lock that belong to the packages $@, with their hashes.
locked() {
    awk -v names=" $* " '/^[a-z0-9]/ { split($1, part, "=="); keep = index(names, " " part[1] " ") } keep' "$lock"
}

# Sets `uv` to a uv that runs: the environment's, the PATH's, or one installed into the environment folder with any
# Python 3. Fails where none can be had.
find_uv() {
    local candidate
    for candidate in "$state/uv/bin/uv" "$(type -P uv || true)"; do
        if [[ -n $candidate ]] && "$candidate" --version >/dev/null 2>&1; then
            uv="$candidate"
            return
        fi
    done
    locked uv >"$state/uv.txt"
    while read -r candidate; do
        probe "${candidate:-none}" >/dev/null 2>&1 || continue
        install_uv_with "$candidate" </dev/null || continue
        uv="$state/uv/bin/uv"
        return
    done < <(printf '%s\n' "$found" && type -aP python3.12 python3)
    uv=""
    return 1
}

# Installs uv into the environment folder with the pip of Python $1; a system Python without pip lends its venv.
install_uv_with() {
    local -a wanted=(--quiet --no-deps --upgrade --require-hashes --target "$state/uv" -r "$state/uv.txt")
    "$1" -m pip install "${wanted[@]}" >"$state/uv.log" 2>&1 ||
        { "$1" -m venv "$state/pip" && "$state/pip/bin/python" -m pip install "${wanted[@]}"; } >>"$state/uv.log" 2>&1 ||
        return 1
    "$state/uv/bin/uv" --version >/dev/null 2>&1
}

# uv and pip do the same here; uv in a tenth of the time. Both take only what the lock's hashes vouch for: also what
# builds the packages of this repository (and the one locked package without a wheel) is locked, hence no isolation.
packages_with_uv() {
    find_uv || return 1
    [[ -x $python ]] || "$uv" venv --quiet --allow-existing --python "$found" "$venv" >&2 || return 1
    local -a install=("$uv" pip install --python "$python" --no-build-isolation)
    "${install[@]}" --require-hashes -r "$state/tools.txt" >&2 &&
        "${install[@]}" --require-hashes -r "$lock" >&2 &&
        "${install[@]}" --no-deps -e "$root/source/himloco_rl" -e "$root/exts/himloco_lab" >&2
}

packages_with_pip() {
    [[ -x $python ]] || "$found" -m venv "$venv" >&2 || return 1
    "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip >&2 || return 1
    local -a install=("$python" -m pip install --no-build-isolation)
    "${install[@]}" --require-hashes -r "$state/tools.txt" >&2 &&
        "${install[@]}" --require-hashes -r "$lock" >&2 &&
        "${install[@]}" --no-deps -e "$root/source/himloco_rl" -e "$root/exts/himloco_lab" >&2
}

# Where HIMLOCO_WHEELS names a folder of packages, uv and pip take everything from there and nothing from elsewhere.
use_wheels() {
    [[ -n ${HIMLOCO_WHEELS:-} ]] || return 0
    local folder
    folder="$(cd -- "$HIMLOCO_WHEELS" 2>/dev/null && pwd)" ||
        die "HIMLOCO_WHEELS=$HIMLOCO_WHEELS is no folder: name the one with the packages, or unset it."
    folder="file://${folder// /%20}" # pip and uv take several folders, with spaces or commas between them
    folder="${folder//,/%2C}"
    unset UV_INDEX UV_INDEX_URL UV_EXTRA_INDEX_URL UV_DEFAULT_INDEX PIP_INDEX_URL PIP_EXTRA_INDEX_URL
    export UV_OFFLINE=1 UV_NO_CONFIG=1 UV_FIND_LINKS="$folder"
    export PIP_NO_INDEX=1 PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS="$folder"
}

# --- set-up ---------------------------------------------------------------------------------------------------------

# What a finished environment was made from. A change of any of it makes -p and -t install again.
fingerprint() {
    {
        printf '%s\n' "$root" "$venv"
        cat -- "$lock" "$root/source/himloco_rl/pyproject.toml" "$root/exts/himloco_lab/pyproject.toml"
    } | sha256sum
}

# True where the environment is complete and its Python runs.
is_ready() {
    [[ -r $state/stamp && $(<"$state/stamp") == "$(fingerprint)" ]] && same_python
}

# True where the environment's Python runs, at this place, and stands on $PYTHON if that is given.
same_python() {
    local facts
    [[ -r $state/place && $(<"$state/place") == "$venv" ]] || return 1
    facts="$(probe "$python" 2>/dev/null)" && [[ $facts == 3.12.* ]] || return 1
    [[ -z ${PYTHON:-} ]] || [[ $(readlink -f -- "${facts#* CPython 64 }") == "$(readlink -f -- "$found")" ]]
}

# Takes the folder and its lock, or ends where the folder belongs to somebody else.
take_folder() {
    if [[ -d $venv && ! -d $state && -n $(ls -A -- "$venv") ]]; then
        die "$venv was not made by himloco.sh: remove it, or name another folder in HIMLOCO_VENV."
    fi
    mkdir -p -- "$state" 2>/dev/null || die "cannot write to $venv: name another folder in HIMLOCO_VENV."
    exec 9>"$state/lock" || die "cannot write to $state: name another folder in HIMLOCO_VENV."
    flock -n 9 && return
    say "another himloco.sh is installing into $venv: waiting for it"
    flock 9
}

install() {
    [[ -z ${PYTHON:-} ]] || accept_given
    is_ready && return
    take_folder
    if ! is_ready; then
        make_environment
    fi
    exec 9>&-
}

# Imports what a training imports. Compiles it too, also where Python is told to write no bytecode: otherwise every
# start compiles 2,600 modules again, which is 6 s.
try_packages() {
    env -u PYTHONDONTWRITEBYTECODE "$python" -c 'import torch, warp, isaaclab.envs, isaaclab_rl.rsl_rl, isaaclab_tasks
import newton, rsl_rl.runners, tensorboard, himloco_rl, himloco_lab
import compileall, pathlib, re, sysconfig
# Isaac Lab and Newton import most of their modules late.
for package in pathlib.Path(sysconfig.get_path("purelib")).iterdir():
    if re.fullmatch("isaaclab(_(newton|ov|physx|rl|tasks|visualizers))?|newton|ovphysx|ovstage|rsl_rl|warp", package.name):
        compileall.compile_dir(package, quiet=2, workers=0, rx=re.compile("/(source|tests?|tools)/"))' >&2
}

make_environment() {
    local started=$SECONDS
    # Another Python's environments and search paths are not this one's.
    unset PYTHONHOME PYTHONPATH VIRTUAL_ENV CONDA_PREFIX
    # A package that was half written looks installed to the installers, so what was interrupted is made anew.
    # Downloads are kept in their caches.
    export UV_PYTHON_DOWNLOADS="${UV_PYTHON_DOWNLOADS:-manual}"
    use_wheels
    [[ -n ${UV_CACHE_DIR:-} ]] || mkdir -p -- "${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/uv" 2>/dev/null ||
        export UV_CACHE_DIR="$state/cache"
    if [[ -e $state/unfinished ]] || ! same_python; then
        find_python
        say "setting up $venv with $found"
        find "$venv" -mindepth 1 -maxdepth 1 ! -name .himloco -exec rm -rf -- {} +
    else
        say "bringing $venv up to date"
    fi
    rm -f -- "$state/stamp"
    : >"$state/unfinished"
    locked pip setuptools >"$state/tools.txt"
    packages_with_uv || {
        say "uv did not do it: trying pip"
        packages_with_pip
    } || die "the installation failed (see above): run it again when the cause is gone; what was downloaded is kept."
    say "trying and compiling what a training imports"
    try_packages || die "the packages are installed but cannot be imported (see above)."
    check_system install
    printf '%s\n' "$venv" >"$state/place"
    fingerprint >"$state/stamp.new"
    rm -f -- "$state/unfinished"
    mv -- "$state/stamp.new" "$state/stamp"
    say "$venv is ready after $((SECONDS - started)) s"
}

write_lock() {
    [[ -z ${PYTHON:-} ]] || accept_given
    take_folder
    find_uv || die "--lock needs uv, which could not be installed (see $state/uv.log)."
    cd -- "$root"
    "$uv" pip compile --quiet --universal --generate-hashes --python-version 3.12 --no-emit-index-url \
        --no-emit-find-links --custom-compile-command "./himloco.sh --lock" --output-file requirements.lock \
        requirements.in "$@"
    say "requirements.lock is written: $(grep -c '^[a-z0-9]' requirements.lock) packages"
}

# The PhysX wheel opens libraries that it leaves to the system, and that servers and slim images lack. Notes what is
# missing, so that the next start looks again.
check_system() {
    local missing
    missing="$("$python" -c '
import ctypes, sys
for name in sys.argv[1:]:
    try:
        ctypes.CDLL(name)
    except OSError:
        print(name)
' libGL.so.1 libGLX.so.0 libOpenGL.so.0 libX11.so.6 | tr '\n' ' ')"
    if [[ -z $missing ]]; then
        rm -f -- "$state/missing"
    elif [[ $1 == install && $EUID -eq 0 ]] && type -P apt-get >/dev/null; then
        say "PhysX needs ${missing}of the system: apt-get installs them"
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \
            libgl1 libglx0 libopengl0 libx11-6; } </dev/null >&2 || say "apt-get failed (see above)"
        check_system again
    else
        printf '%s\n' "$missing" >"$state/missing" || true
        say "PhysX needs ${missing}of the system, which are missing:" \
            "sudo apt-get install libgl1 libglx0 libopengl0 libx11-6 (physics=newton_mjwarp runs without)."
    fi
}

# Runs Python in the finished environment instead of this shell.
run() {
    unset PYTHONHOME
    [[ ! -e $state/missing ]] || check_system again
    export VIRTUAL_ENV="$venv" PATH="$venv/bin:$PATH" PYTHONUNBUFFERED="${PYTHONUNBUFFERED-1}"
    exec "$python" "$@"
}

found="" # a Python 3.12 that runs
uv=""    # a uv that runs
option="${1:-}"
[[ $# -eq 0 ]] || shift
case "$option" in
-i | --install)
    [[ $# -eq 0 ]] || die "-i takes no argument, but got '$1': run ./himloco.sh -h."
    install
    say "$venv is complete"
    ;;
-p | --python)
    install
    run "$@"
    ;;
-t | --test)
    install
    cd -- "$root"
    run -m pytest "$@"
    ;;
--lock) write_lock "$@" ;;
-h | --help) usage ;;
"")
    usage >&2
    exit 2
    ;;
*) die "unknown option '$option': run ./himloco.sh -h." ;;
esac
