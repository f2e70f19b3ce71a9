#!/usr/bin/env bash
# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause
#
# In the container of a cluster's job: trains one seed, from the start or from where an earlier try of this job left it.
#   train_seed.sh TASK EXPERIMENT JOB SEED [ARGUMENT OF train.py ...]
# In the environment: GPUS (more than 1 through torchrun, 0 on the CPU), MAX_ITERATIONS (of the whole run).

set -euo pipefail
# shellcheck source=docker/cluster/newest_run.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/newest_run.sh"

[[ $# -ge 4 ]] || {
    echo "Usage: train_seed.sh TASK EXPERIMENT JOB SEED [ARGUMENT OF train.py ...]" >&2
    exit 2
}
task="$1" experiment="$2" name="$3_seed$4" seed="$4"
shift 4
arguments=(--task "$task" --experiment_name "$experiment" --run_name "$name" --seed "$seed" --headless)

read -r last run < <(newest_run "logs/rsl_rl/$experiment" "$name")
if [[ -n $run ]]; then
    echo "train_seed.sh: $name goes on from $run, iteration $last"
    arguments+=(--resume --load_run "$run")
else
    echo "train_seed.sh: $name begins"
fi
if [[ -n ${MAX_ITERATIONS:-} ]]; then
    # train.py counts the iterations that a command adds, and calls the first one 0
    left=$((MAX_ITERATIONS - last - 1))
    if [[ $left -le 0 ]]; then
        echo "train_seed.sh: $name has all its $MAX_ITERATIONS iterations"
        exit 0
    fi
    arguments+=(--max_iterations "$left")
fi
if [[ ${GPUS:-1} -eq 0 ]]; then
    arguments+=(--device cpu)
elif [[ ${GPUS:-1} -gt 1 ]]; then
    exec ./himloco.sh -p -m torch.distributed.run --standalone --nproc_per_node "$GPUS" scripts/train.py \
        --distributed "${arguments[@]}" "$@"
fi
exec ./himloco.sh -p scripts/train.py "${arguments[@]}" "$@"
