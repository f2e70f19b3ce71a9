#!/usr/bin/env bash
# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause
#
# scipy 1.18.1: solve_continuous_are and solve_discrete_are take the indefinite weight R = diag(r, -g^2) of a
# zero-sum game (H-infinity control) and answer without an error where the game has no value: below the critical g.
# The closed loop of that answer may even be stable, so neither the call nor its eigenvalues tell.
#
# Seen, x' = x + u + w, cost x^2 + u^2 - g^2 w^2, critical g = 1:
#   g = 1.5: p = 4.04 (right)      g = 0.9: p = -7.99, closed loop stable, no error
# Seen, x+ = 1.1 x + u + w, same cost, critical g = 1.487:
#   g = 1.2: p = 2.84 > 0, closed loop stable, no error, but p > g^2, where the maximum over w is infinite
# So: whoever computes an H-infinity gain with them checks p >= 0, the residual, and in discrete time g^2 > p.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf -- "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.12}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scipy==1.18.1
venv/bin/python - <<'PY'
import numpy as np
import scipy
from scipy.linalg import solve_continuous_are, solve_discrete_are

inputs = np.ones((1, 2))  # u and w act alike
one = np.eye(1)
print("scipy", scipy.__version__)


def continuous(g: float) -> tuple[float, bool]:
    weight = np.diag([1.0, -(g**2)])
    p = solve_continuous_are(one, inputs, one, weight)
    loop = one - inputs @ np.linalg.solve(weight, inputs.T @ p)
    return float(p[0, 0]), bool(loop[0, 0] < 0.0)


def discrete(g: float) -> tuple[float, bool]:
    a, weight = 1.1 * one, np.diag([1.0, -(g**2)])
    p = solve_discrete_are(a, inputs, one, weight)
    gain = np.linalg.solve(weight + inputs.T @ p @ inputs, inputs.T @ p @ a)
    return float(p[0, 0]), bool(abs((a - inputs @ gain)[0, 0]) < 1.0)


for name, solve, g in (("continuous", continuous, 1.5), ("continuous", continuous, 0.9), ("discrete", discrete, 1.2)):
    p, stable = solve(g)
    print(f"{name}, g = {g}: p = {p:.2f}, closed loop {'stable' if stable else 'unstable'}, no error")
    assert stable
    if g == 1.5:
        c = 1.0 - g**-2  # p^2 c - 2 p - 1 = 0
        assert abs(p - (1.0 + (1.0 + c) ** 0.5) / c) < 1e-9, p
    elif solve is continuous:
        assert p < 0.0, p
    else:
        assert p > g**2, p
PY
