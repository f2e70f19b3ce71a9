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

-p and -t set the environment up first when that is needed. An interrupted setup starts again.

  HIMLOCO_VENV        where the environment lies (now: $venv)
  HIMLOCO_WHEELS      a folder to take the packages from in place of the network (see docker/offline/install.sh)
  HIMLOCO_TRIM        a program that removes something from the new environment before it is tried (docker/slim_cpu.sh)
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
# is not enough: pyenv puts a python3.12 on the PATH that only fails.
probe() {
    "$1" -E -s -c '
import platform, struct, sys
base = getattr(sys, "_base_executable", None) or sys.executable
print("%s %s %d %s" % (platform.python_version(), platform.python_implementation(), struct.calcsize("P") * 8, base))
' </dev/null
}

# True where $1 is a CPython 3.12 that runs; its base executable is in `base` then, what it printed in `facts`.
is_python312() {
    facts="$(probe "$1" 2>&1)" && [[ $facts == 3.12.*" CPython 64 "* ]] && base="${facts#* CPython 64 }"
}

# Ends with the reason where $PYTHON is given and cannot be used; its base executable is in `given` otherwise.
check_given_python() {
    [[ -n ${PYTHON:-} ]] || return 0
    if is_python312 "$PYTHON"; then
        given="$base"
    elif [[ $facts =~ ^([0-9][^ ]*)\ ([^ ]+)\ (32|64)\ / ]]; then
        die "PYTHON=$PYTHON is ${BASH_REMATCH[2]} ${BASH_REMATCH[1]} (${BASH_REMATCH[3]} bit), needed is CPython 3.12" \
            "(64 bit): unset PYTHON or name another."
    else
        facts="$(sed -n '1s/^.*: line [0-9]*: //;1p' <<<"$facts")" # without bash's own "himloco.sh: line N:"
        die "PYTHON=$PYTHON does not run ($facts): unset PYTHON or name a Python 3.12."
    fi
}

# Prints $PYTHON, or the first Python 3.12 that runs on the PATH or of pyenv; nothing where only uv may have one.
find_python() {
    local candidate
    while read -r candidate; do
        # Not the environment's own Python, on the PATH while it is active: it may be about to be replaced.
        if [[ $candidate != "$venv"/bin/* ]] && is_python312 "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done < <(
        [[ -z ${PYTHON:-} ]] || printf '%s\n' "$PYTHON"
        type -aP python3.12 python3 python
        compgen -G "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}/versions/3.12*/bin/python" | sort -rV
    )
}

# --- installers -----------------------------------------------------------------------------------------------------

# Prints the entries of requirements.lock that belong to the packages $@, with their hashes.
locked() {
    awk -v names=" $* " '/^[a-z0-9]/ { split($1, part, "=="); keep = index(names, " " part[1] " ") } keep' "$lock"
}

# Sets `uv` to one that runs: the PATH's, or one that the pip of any Python 3 installs into the environment's folder. A
# system Python without pip lends its venv.
find_uv() {
    local candidate
    locked uv >"$state/uv.txt"
    local -a wanted=(-m pip install --quiet --no-deps --upgrade --require-hashes --target "$state/uv" -r "$state/uv.txt")
    for uv in "$state/uv/bin/uv" uv; do
        ! "$uv" --version >/dev/null 2>&1 || return 0
    done
    uv="$state/uv/bin/uv"
    for candidate in ${found:+"$found"} python3.12 python3; do
        {
            "$candidate" "${wanted[@]}" ||
                { "$candidate" -m venv "$state/pip" && "$state/pip/bin/python" "${wanted[@]}"; }
        } </dev/null >"$state/uv.log" 2>&1 || continue
        ! "$uv" --version >/dev/null 2>&1 || return 0
    done
    return 1
}

# Without a Python that was found before, uv takes one that it knows, or downloads one into the environment's folder.
make_with_uv() {
    find_uv || return 1
    if [[ ! -x $python ]]; then
        local -a make=("$uv" venv --quiet --allow-existing --python "${found:-3.12}" "$venv")
        "${make[@]}" --no-python-downloads >/dev/null 2>&1 ||
            UV_PYTHON_INSTALL_DIR="$state/python" "${make[@]}" >&2 || return 1
    fi
    install_packages "$uv" pip install --python "$python"
}

# As uv does, in ten times the time.
make_with_pip() {
    [[ -x $python ]] || "$found" -m venv "$venv" >&2 || return 1
    "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip >&2 || return 1
    install_packages "$python" -m pip install
}

# Installs everything with the installer $@. What the lock's hashes vouch for is taken and nothing else: also what builds
# the packages of this repository (and the one locked package without a wheel) is locked, hence no isolation.
install_packages() {
    locked pip setuptools >"$state/tools.txt"
    "$@" --no-build-isolation --require-hashes -r "$state/tools.txt" >&2 &&
        "$@" --no-build-isolation --require-hashes -r "$lock" >&2 &&
        "$@" --no-build-isolation --no-deps -e "$root/source/himloco_rl" -e "$root/exts/himloco_lab" >&2
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

# --- setup ----------------------------------------------------------------------------------------------------------

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
    [[ -r $state/place && $(<"$state/place") == "$venv" ]] && is_python312 "$python" &&
        [[ -z ${PYTHON:-} || $base -ef $given ]]
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
    check_given_python
    is_ready && return
    take_folder
    if ! is_ready; then
        make_environment
    fi
    exec 9>&-
}

make_environment() {
    local started=$SECONDS
    # Another Python's environments and search paths are not this one's. What runs afterwards gets its PYTHONPATH.
    unset PYTHONHOME VIRTUAL_ENV CONDA_PREFIX
    local -x PYTHONPATH=
    use_wheels
    [[ -n ${UV_CACHE_DIR:-} ]] || mkdir -p -- "${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/uv" 2>/dev/null ||
        export UV_CACHE_DIR="$state/cache"
    # A package that was half written looks installed to the installers, so what was interrupted is made anew.
    # Downloads are kept in their caches.
    if [[ -e $state/unfinished ]] || ! same_python; then
        found="$(find_python)"
        say "setting up $venv with ${found:-a Python 3.12 that uv finds or downloads}"
        find "$venv" -mindepth 1 -maxdepth 1 ! -name .himloco -exec rm -rf -- {} +
    else
        say "bringing $venv up to date"
    fi
    rm -f -- "$state/stamp"
    : >"$state/unfinished"
    make_with_uv || {
        [[ -n $found || -x $python ]] || die "no Python 3.12 found, and uv could not get one. Any one of these does:
  apt-get install python3.12 python3.12-venv     (Ubuntu 24.04; elsewhere the system's own package)
  pyenv install 3.12                             (is found by itself afterwards)
  conda create -p DIR python=3.12                (then: PYTHON=DIR/bin/python ./himloco.sh -i)
  uv python install 3.12                         (on a machine with a network; its folder can be copied)"
        say "uv did not do it: trying pip"
        make_with_pip
    } || die "the installation failed (see above): run it again when the cause is gone; what was downloaded is kept."
    [[ -z ${HIMLOCO_TRIM:-} ]] || "$HIMLOCO_TRIM" "$venv" || die "HIMLOCO_TRIM=$HIMLOCO_TRIM failed (see above)."
    say "trying and compiling what a training imports"
    try_packages || die "the packages are installed but cannot be imported (see above)."
    check_system install
    printf '%s\n' "$venv" >"$state/place"
    fingerprint >"$state/stamp.new"
    rm -f -- "$state/unfinished"
    mv -- "$state/stamp.new" "$state/stamp"
    say "$venv is ready after $((SECONDS - started)) s"
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
' libGL.so.1 libGLX.so.0 libOpenGL.so.0 libX11.so.6)"
    missing="${missing//$'\n'/ }"
    if [[ -z $missing ]]; then
        rm -f -- "$state/missing"
    elif [[ $1 == install && $EUID -eq 0 ]] && type -P apt-get >/dev/null; then
        say "PhysX needs $missing of the system: apt-get installs them"
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \
            libgl1 libglx0 libopengl0 libx11-6; } </dev/null >&2 || say "apt-get failed (see above)"
        check_system again
    else
        printf '%s\n' "$missing" >"$state/missing" || true
        say "PhysX needs $missing of the system, which are missing:" \
            "sudo apt-get install libgl1 libglx0 libopengl0 libx11-6 (physics=newton_mjwarp runs without)."
    fi
}

# --- the options ----------------------------------------------------------------------------------------------------

write_lock() {
    check_given_python
    take_folder
    found="$(find_python)"
    find_uv || die "--lock needs uv, which could not be installed (see $state/uv.log)."
    cd -- "$root"
    "$uv" pip compile --quiet --universal --generate-hashes --python-version 3.12 --no-emit-index-url \
        --no-emit-find-links --custom-compile-command "./himloco.sh --lock" --output-file requirements.lock \
        requirements.in "$@"
    say "requirements.lock is written: $(grep -c '^[a-z0-9]' requirements.lock) packages"
}

# Warp and PhysX keep what they compile at home, where a number given to a container has none that it may write to.
find_home() {
    [[ ! -d ${HOME:-/nonexistent} || ! -w $HOME ]] || return 0
    export HOME="${TMPDIR:-/tmp}/himloco-home-$EUID"
    # never one that somebody else has put there
    { mkdir -m 700 -- "$HOME" || [[ -O $HOME && ! -L $HOME ]]; } 2>/dev/null || HOME="$(mktemp -d)"
}

# Runs Python in the finished environment instead of this shell.
run() {
    find_home
    unset PYTHONHOME
    [[ ! -e $state/missing ]] || check_system again
    export VIRTUAL_ENV="$venv" PATH="$venv/bin:$PATH" PYTHONUNBUFFERED="${PYTHONUNBUFFERED-1}"
    exec "$python" "$@"
}

found="" # a Python 3.12 that runs
given="" # the base executable of $PYTHON
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
