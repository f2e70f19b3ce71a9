#!/usr/bin/env bash
# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause
#
# The cluster's scripts with real training: two seeds on the CPU through the stubs of tests/e2e/slurm, interrupted once.
#   tests/trials/slurm_trial.sh FOLDER SECONDS_UNTIL_THE_TIME_IS_OVER ITERATIONS [ARGUMENT OF train.py ...]
# Needs an environment of himloco.sh for this clone. Not collected by pytest.

set -euo pipefail

repository="$(readlink -f -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../..")"
folder="${1:?a folder for the trial}" seconds="${2:?seconds}" iterations="${3:?iterations}"
shift 3
mkdir -p -- "$folder/root/workspace"
folder="$(readlink -f -- "$folder")"
: >"$folder/image.sif"
cat >"$folder/trial.env" <<EOF
JOB_NAME=trial
TASK=Himloco-G1-Flat-v0
EXPERIMENT=slurm_trial
MAX_ITERATIONS=$iterations
SEEDS=2
FIRST_SEED=1
IMAGE=$folder/image.sif
LOG_DIR=$folder/logs
CACHE_DIR=$folder/cache
CODE_DIR=$folder/code
TIME=1:00:00
CPUS=1
MEMORY=4G
GPUS=0
MAX_RESTARTS=3
EOF
# the clone's own files, with logs of its own
mkdir -p -- "$folder/code"
for name in himloco.sh scripts exts source requirements.lock; do ln -sfnT -- "$repository/$name" "$folder/code/$name"; done
export PATH="$repository/tests/e2e/slurm:$PATH" STUB_ROOT="$folder/root" STUB_HISTORY="$folder/history"
export STUB_APPTAINER="$folder/apptainer" STUB_TIME="$seconds"
"$repository/docker/cluster/submit.sh" "$folder/trial.env" "$@"
cat -- "$folder/history"
grep -hE '^(job.slurm|train_seed.sh):' "$folder"/logs/slurm-trial-*.out
find "$folder/logs/" -name 'model_*.pt' | sort
