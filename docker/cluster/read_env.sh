# shellcheck shell=bash
# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause
#
# Sourced by submit.sh and job.slurm: reads a file such as cluster.env without executing anything in it.

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 2
}

# Sets every variable of the file $1, and complains of what is missing, unknown or malformed.
read_env() {
    local line key number=0 known=" JOB_NAME TASK EXPERIMENT MAX_ITERATIONS SEEDS FIRST_SEED IMAGE LOG_DIR CACHE_DIR \
CODE_DIR PARTITION ACCOUNT TIME CPUS MEMORY GPUS MAX_RESTARTS "
    [[ -r $1 ]] || die "no file $1: copy docker/cluster/cluster.env and fill it in."
    for key in $known; do unset "$key"; done
    while IFS= read -r line || [[ -n $line ]]; do
        number=$((number + 1))
        [[ $line =~ ^[[:space:]]*(#|$) ]] && continue
        key="${line%%=*}"
        [[ $line == *=* && $known == *" $key "* ]] || die "$1:$number: '$line' is no setting: see cluster.env."
        printf -v "$key" '%s' "${line#*=}"
    done <"$1"
    for key in JOB_NAME TASK EXPERIMENT SEEDS FIRST_SEED IMAGE LOG_DIR CACHE_DIR TIME CPUS MEMORY GPUS MAX_RESTARTS; do
        [[ -n ${!key:-} ]] || die "$1: $key is missing."
    done
    for key in JOB_NAME EXPERIMENT; do
        [[ ${!key} =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] || die "$1: $key=${!key}: letters, digits, dots, - and _ only."
    done
    for key in SEEDS CPUS; do
        [[ ${!key} =~ ^[1-9][0-9]{0,3}$ ]] || die "$1: $key=${!key}: must be a number from 1 to 9999."
    done
    for key in FIRST_SEED GPUS MAX_RESTARTS; do
        [[ ${!key} =~ ^(0|[1-9][0-9]{0,8})$ ]] || die "$1: $key=${!key}: must be a whole number from 0 on."
    done
    [[ ${MAX_ITERATIONS:=} =~ ^([1-9][0-9]{0,8})?$ ]] || die "$1: MAX_ITERATIONS=$MAX_ITERATIONS: must be a number."
    for key in IMAGE LOG_DIR CACHE_DIR CODE_DIR; do
        # apptainer's --bind has colons and commas between paths
        [[ ${!key:-} =~ ^(/[^:,]*)?$ ]] || die "$1: $key=${!key}: must be an absolute path without colons and commas."
    done
}
