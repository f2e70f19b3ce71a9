#!/usr/bin/env bash
# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause
#
# A trial that needs root: runs a command where the home folder and /dev/shm are read-only, as in some containers;
# with KEEP_SHM=1 the home folder alone. `tests/e2e/confined.sh COMMAND...`; what came of it: docs/log/reliability.md.
set -euo pipefail
# shellcheck disable=SC2016  # the inner shell expands them
exec unshare --mount bash -c '
    set -e
    mount --bind "$HOME" "$HOME"
    mount -o remount,bind,ro "$HOME"
    if [ -z "${KEEP_SHM:-}" ]; then
        empty=$(mktemp -d)
        mount --bind "$empty" /dev/shm
        mount -o remount,bind,ro /dev/shm
    fi
    exec "$@"
' confined "$@"
