# shellcheck shell=bash
# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause
#
# Sourced by train_seed.sh and job.slurm: where an earlier try of a job left its run.

# Prints the newest iteration and the name of the newest run of the folder $1 that is named $2 and holds a checkpoint;
# -1 where there is none. Runs are named <time>_<job>_seed<N>, and -2 after it where one of the same second was there.
# One that never saved anything is left as it is.
newest_run() {
    local folder model number last run="" newest=-1
    for folder in "$1/"*; do
        [[ ${folder##*/} =~ ^[0-9-]+_[0-9-]+_(.*)$ && ${BASH_REMATCH[1]} == "$2"* ]] || continue
        [[ ${BASH_REMATCH[1]#"$2"} =~ ^(-[0-9]+)?$ ]] || continue
        last=-1
        for model in "$folder"/model_*.pt; do
            number="${model##*/model_}" number="${number%.pt}"
            [[ $number =~ ^[0-9]+$ && -s $model && $number -gt $last ]] && last="$number"
        done
        [[ $last -lt 0 ]] || run="${folder##*/}" newest="$last"
    done
    echo "$newest $run"
}
