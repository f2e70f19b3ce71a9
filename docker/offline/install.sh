#!/usr/bin/env bash
# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause
#
# Beside the parts that tools/bundle.py wrote: verifies, joins and installs them, without a network.

set -euo pipefail

bundle="$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")"

usage() {
    cat <<EOF
Usage: bash install.sh [--to DIR] [--verify | --join]

  --to DIR    where to (now: $PWD/himloco): DIR/himloco_lab is the repository, DIR/wheels its packages
  --verify    only compare the parts with SHA256SUMS
  --join      verify and unpack, but do not install: e.g. to build an image from DIR/wheels
  -h, --help  show this

Needed are bash, coreutils, tar, a CPython 3.12 (64 bit, as the machine that made the bundle; PYTHON names one that is
not on the PATH), and the bundle's size three times over on the disk.
EOF
}

say() { printf 'install.sh: %s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# Names the parts that are missing or not what they were.
verify() {
    local digest name bad=()
    [[ -r $bundle/SHA256SUMS ]] || die "no SHA256SUMS in $bundle: copy the whole folder that tools/bundle.py wrote."
    parts=()
    while read -r digest name; do
        [[ $name =~ ^(install\.sh|himloco_lab\.part-[0-9]{4})$ && $digest =~ ^[0-9a-f]{64}$ ]] ||
            die "SHA256SUMS is damaged at '$digest $name': copy it again."
        if [[ ! -r $bundle/$name ]]; then
            bad+=("$name (missing)")
        elif ! (cd -- "$bundle" && sha256sum --status -c - <<<"$digest  $name"); then
            bad+=("$name (damaged)")
        fi
        [[ $name == install.sh ]] || parts+=("$bundle/$name")
    done <"$bundle/SHA256SUMS"
    [[ ${#bad[@]} -eq 0 ]] || die "copy these again: $(printf '%s, ' "${bad[@]}" | sed 's/, $//')"
    [[ ${#parts[@]} -gt 0 ]] || die "SHA256SUMS names no parts: copy it again."
    say "${#parts[@]} parts are what they were"
}

# Joins the parts on the way into tar, so that nothing lies on the disk twice.
join() {
    local needed free
    mkdir -p -- "$to" 2>/dev/null && [[ -w $to ]] || die "cannot write to $to: name another folder with --to."
    [[ ! -e $to/himloco_lab/requirements.lock ]] || say "unpacking over what is in $to"
    needed="$(du -ck -- "${parts[@]}" | awk 'END { print $1 }')"
    free="$(df -Pk -- "$to" | awk 'END { print $4 }')"
    [[ $needed -le $free ]] || die "$to needs $((needed / 1024)) MB and has $((free / 1024)) MB: name another with --to."
    cat -- "${parts[@]}" | tar -xf - -C "$to" --no-same-owner || die "unpacking into $to failed (see above)."
    say "unpacked into $to"
}

to="$PWD/himloco"
only=""
while [[ $# -gt 0 ]]; do
    case "$1" in
    --to)
        [[ -n ${2:-} ]] || die "--to needs a folder."
        to="$2"
        [[ $to == /* ]] || to="$PWD/$to"
        shift
        ;;
    --verify | --join) only="$1" ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) die "unknown option '$1': run bash install.sh -h." ;;
    esac
    shift
done

verify
[[ $only != --verify ]] || exit 0
join
[[ $only != --join ]] || exit 0
HIMLOCO_WHEELS="$to/wheels" "$to/himloco_lab/himloco.sh" -i
say "done: cd $to/himloco_lab && ./himloco.sh -p scripts/list_envs.py   ($to/wheels may be removed)"
