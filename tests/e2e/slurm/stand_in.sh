#!/usr/bin/env bash
# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause
#
# Plays himloco.sh -p scripts/train.py: an iteration takes 0.2 s, the first (0) and every fifth
# after it are saved, and the last; SIGTERM saves and ends with 143. agent.fail=CODE fails at once, agent.slow=SECONDS
# starts so late that a SIGTERM before it ends it without a checkpoint.

set -euo pipefail
printf '<%s>' "$@" >>"$HOME/trainings"
echo >>"$HOME/trainings"
resume="" iterations=0
while [[ $# -gt 0 ]]; do
    case "$1" in
    --experiment_name) experiment="$2" ;;
    --run_name) name="$2" ;;
    --load_run) resume="$2" ;;
    --max_iterations) iterations="$2" ;;
    agent.fail=*) exit "${1#*=}" ;;
    agent.slow=*) sleep "${1#*=}" ;;
    esac
    shift
done
run="logs/rsl_rl/$experiment/${resume:-2026-01-01_00-00-00_$name}"
mkdir -p "$run"
first=0
for model in "$run"/model_*.pt; do
    number="${model##*_}" number="${number%.pt}"
    [[ -e $model && $number -ge $first ]] && first=$((number + 1))
done
stop=""
trap 'stop=1' TERM
for ((i = first; i < first + iterations; i++)); do
    sleep 0.2 || true
    if [[ -n $stop || $((i % 5)) -eq 0 || $i -eq $((first + iterations - 1)) ]]; then echo "$i" >"$run/model_$i.pt"; fi
    [[ -z $stop ]] || exit 143
done
