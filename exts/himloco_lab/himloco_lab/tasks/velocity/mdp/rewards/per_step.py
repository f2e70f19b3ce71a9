# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Share what several terms of one policy step need.

Seven terms ask whether the robot is told to stand up straight and eight read the contact forces of the feet. On a CPU
a small torch operation costs about as much as the arithmetic of a whole term, so such a quantity is computed once a
policy step and remembered until the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate
from weakref import WeakKeyDictionary

import torch
from isaaclab.managers import SceneEntityCfg

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv

_remembered: WeakKeyDictionary[Any, tuple[int, dict[Hashable, torch.Tensor]]] = WeakKeyDictionary()
"""For every environment the policy step and what was computed in it."""


def once_per_step[**P](
    function: Callable[Concatenate[ManagerBasedRLEnv, P], torch.Tensor],
) -> Callable[Concatenate[ManagerBasedRLEnv, P], torch.Tensor]:
    """Return ``function`` with its results remembered for the rest of the policy step.

    Rewards are all computed between the last physics step and the resets, so within one value of
    ``env.common_step_counter`` the same arguments give the same result. Callers must not write into it.

    Args:
        function: Takes the environment, then positional arguments that are scene entities, numbers, names or
            (nested) sequences of numbers.
    """

    @wraps(function)
    def remembering(env: ManagerBasedRLEnv, *args: P.args, **kwargs: P.kwargs) -> torch.Tensor:
        step, results = _remembered.get(env, (-1, {}))
        if step != env.common_step_counter:
            results = {}
            _remembered[env] = (env.common_step_counter, results)
        key = (function, *(_key(arg) for arg in args), *((name, _key(arg)) for name, arg in kwargs.items()))
        if key not in results:
            results[key] = function(env, *args, **kwargs)
        return results[key]

    return remembering


def _key(argument: Any) -> Hashable:
    """Return something hashable that is equal for equal arguments."""
    if isinstance(argument, SceneEntityCfg):
        # Every term has its own copy of a scene entity; the names say what is selected.
        return argument.name, _key(argument.joint_names), _key(argument.body_names), argument.preserve_order
    if isinstance(argument, list | tuple):
        return tuple(_key(item) for item in argument)
    return argument
