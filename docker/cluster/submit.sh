#!/usr/bin/env bash
# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause
#
# On a cluster's login node: hands an array of seeds to Slurm. submit.sh SETTINGS [ARGUMENT OF train.py ...]

set -euo pipefail

here="$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")"
# shellcheck source=docker/cluster/read_env.sh
source "$here/read_env.sh"

case "${1:-}" in
-h | --help | "")
    printf 'Usage: submit.sh SETTINGS [ARGUMENT OF train.py ...]\n\n'
    printf 'SETTINGS is a copy of cluster.env, filled in. What follows goes to every run, e.g. agent.max_iterations=500.\n'
    [[ -n ${1:-} ]]
    exit
    ;;
esac
settings="$(readlink -f -- "$1")" || die "no file $1: copy docker/cluster/cluster.env and fill it in."
shift
read_env "$settings"
type -P sbatch >/dev/null || die "no sbatch here: run it on a login node of a cluster with Slurm."
[[ -r $IMAGE ]] || die "no image $IMAGE: apptainer build $IMAGE docker-daemon:himloco_lab:cuda"
mkdir -p -- "$LOG_DIR" "$CACHE_DIR" 2>/dev/null || die "cannot create $LOG_DIR or $CACHE_DIR: choose other folders."
[[ -z ${CODE_DIR:-} ]] || mkdir -p -- "$CODE_DIR/logs" 2>/dev/null || die "no clone in CODE_DIR=$CODE_DIR."

options=(--job-name "himloco-$JOB_NAME" --array "0-$((SEEDS - 1))" --time "$TIME" --cpus-per-task "$CPUS" --mem "$MEMORY"
    --nodes 1 --ntasks 1 --output "$LOG_DIR/slurm-$JOB_NAME-%a.out")
[[ -z ${PARTITION:-} ]] || options+=(--partition "$PARTITION")
[[ -z ${ACCOUNT:-} ]] || options+=(--account "$ACCOUNT")
[[ $GPUS -eq 0 ]] || options+=(--gpus-per-node "$GPUS")
# Slurm copies the script that it runs, so it is told where the others are.
exec sbatch "${options[@]}" "$here/job.slurm" "$here" "$settings" "$@"
