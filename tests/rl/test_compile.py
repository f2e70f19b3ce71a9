# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""``torch.compile`` as a setting: which networks, and checkpoints that anybody can read."""

from __future__ import annotations

import pytest
from dummy_env import DummyEnv, train_cfg

from himloco_rl.algorithms import HIMPPO


def build(mode: str | None) -> HIMPPO:
    cfg = {**train_cfg(), "multi_gpu": None, "torch_compile_mode": mode}
    env = DummyEnv(4)
    return HIMPPO.construct_algorithm(env.get_observations(), env, cfg, "cpu")


def test_a_checkpoint_of_compiled_networks_is_one_of_plain_ones() -> None:
    compiled, plain = build("default"), build(None)
    for part in ("actor_state_dict", "critic_state_dict"):
        assert list(compiled.save()[part]) == list(plain.save()[part])
        assert not any("_orig_mod" in name for name in compiled.save()[part])
    assert plain.load(compiled.save(), None, True)
    assert compiled.load(plain.save(), None, True)


def test_the_networks_are_compiled_if_asked_for() -> None:
    for mode, expected in (("default", True), (None, False)):
        algorithm = build(mode)
        estimator = algorithm.actor.estimator
        networks = (algorithm.actor.mlp, algorithm.critic.mlp, estimator.encoder, estimator.target_encoder)
        assert [network._compiled_call_impl is not None for network in networks] == [expected] * 4


def test_there_is_room_for_every_network() -> None:
    """Dynamo counts compilations of all MLPs together and beyond its limit runs the rest eager without a word."""
    from torch._dynamo import config

    before = config.recompile_limit
    try:
        build("default")
        assert config.recompile_limit == before + 4 * 8
    finally:
        config.recompile_limit = before


@pytest.mark.parametrize("mode", ["reduce-overhead", "max-autotune"])
def test_cuda_graphs_are_refused(mode: str) -> None:
    with pytest.raises(ValueError, match=f"'{mode}' needs CUDA graphs.*'default'"):
        build(mode)
