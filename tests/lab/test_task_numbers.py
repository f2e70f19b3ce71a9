# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""The G1 tasks' configurations against HOMIE's numbers, typed out here on purpose."""

from __future__ import annotations

import math
from typing import Any

import pytest
from isaaclab.managers import ObservationTermCfg
from isaaclab.utils import class_to_dict

from himloco_lab.setup.overrides import resolve_configs
from himloco_lab.tasks.velocity.config.g1.agents.rsl_rl_him_cfg import G1FlatHIMRunnerCfg, G1RoughHIMRunnerCfg
from himloco_lab.tasks.velocity.config.g1.flat_env_cfg import G1FlatEnvCfg
from himloco_lab.tasks.velocity.config.g1.rough_env_cfg import G1RoughEnvCfg


@pytest.fixture(scope="module", params=[G1RoughEnvCfg, G1FlatEnvCfg])
def cfg(request: pytest.FixtureRequest) -> Any:
    return request.param()


def test_rates_and_lengths(cfg: Any) -> None:
    assert (cfg.sim.dt, cfg.decimation, cfg.episode_length_s, cfg.scene.num_envs) == (0.005, 4, 20.0, 4096)
    assert cfg.compute_final_obs


def test_scaled_values_are_clipped_at_100_and_scans_at_5(cfg: Any) -> None:
    for group in (cfg.observations.policy, cfg.observations.critic, cfg.observations.estimator):
        terms: dict[str, Any] = {
            name: term for name, term in vars(group).items() if isinstance(term, ObservationTermCfg)
        }
        assert len(terms) >= 6
        for name, term in terms.items():
            scale = max(term.scale) if isinstance(term.scale, tuple) else term.scale
            assert scale is not None
            limit = 5.0 if name == "height_scan" else 100.0
            assert term.clip is not None
            assert [bound * scale for bound in term.clip] == pytest.approx([-limit, limit]), name


def test_actions(cfg: Any) -> None:
    legs = cfg.actions.joint_pos
    assert (legs.scale, legs.use_default_offset, legs.preserve_order) == (0.25, True, True)
    assert (legs.delay_range, legs.torque_offset, legs.torque_noise) == ((0, 3), 0.05, 0.05)


def test_commands(cfg: Any) -> None:
    gait, arms = cfg.commands.base_velocity, cfg.commands.upper_body
    assert gait.resampling_time_range == (4.0, 4.0) and arms.resampling_time_range == (1.0, 1.0)
    assert (gait.rel_squat_envs, gait.rel_standing_envs) == pytest.approx((1 / 3, 1 / 6))
    assert arms.initial_ratio == 0.0 and len(arms.joint_names) == 15


def test_ends_of_episodes(cfg: Any) -> None:
    ends = cfg.terminations
    assert ends.base_contact.params["threshold"] == 10.0
    assert math.sin(ends.bad_orientation.params["limit_angle"]) == pytest.approx(0.8)
    assert (ends.time_out.time_out, ends.terrain_out_of_bounds.time_out) == (True, True)
    assert not (ends.base_contact.time_out or ends.bad_orientation.time_out)


def test_events_and_where_robots_begin(cfg: Any) -> None:
    assert cfg.events.push.interval_range_s == (3.0, 5.0)  # 4 s on average
    assert cfg.events.material.mode == cfg.events.actuator_gains.mode == "reset"
    assert cfg.events.masses.mode == cfg.events.trunk_com.mode == "startup"
    assert cfg.scene.terrain.max_init_terrain_level == 0  # the paper's easiest
    ground = cfg.scene.terrain.physics_material
    assert (ground.static_friction, ground.dynamic_friction, ground.restitution) == (1.0, 1.0, 0.0)


def test_solver_and_damping(cfg: Any) -> None:
    spawn = cfg.scene.robot.spawn
    assert (spawn.rigid_props.linear_damping, spawn.rigid_props.angular_damping) == (0.01, 0.01)
    physx = spawn.articulation_props[0]
    assert (physx.solver_position_iteration_count, physx.solver_velocity_iteration_count) == (4, 0)
    assert physx.enabled_self_collisions
    assert cfg.scene.robot.soft_joint_pos_limit_factor == 0.975


def test_rough_is_learnt_as_homie_does_but_for_noise() -> None:
    """Initial noise 0.6 and entropy 0.004 instead of 1.0 and 0.01: docs/differences.md."""
    run: Any = G1RoughHIMRunnerCfg()
    assert (run.num_steps_per_env, run.save_interval, run.clip_actions) == (50, 200, 100.0)
    assert run.actor.hidden_dims == run.critic.hidden_dims == [512, 256, 256]
    assert (run.actor.estimator_cfg["preset"], run.actor.activation) == ("homie", "elu")
    ppo = run.algorithm
    assert (ppo.num_learning_epochs, ppo.num_mini_batches, ppo.clip_param, ppo.value_loss_coef) == (5, 4, 0.2, 1.0)
    assert ppo.use_clipped_value_loss
    assert (ppo.gamma, ppo.lam, ppo.learning_rate, ppo.schedule, ppo.desired_kl) == (0.99, 0.95, 1e-3, "adaptive", 0.01)
    assert (ppo.max_grad_norm, ppo.estimator_max_grad_norm, ppo.estimator_learning_rate) == (1.0, 10.0, 1e-3)
    assert (run.actor.distribution_cfg.init_std, ppo.entropy_coef) == (0.6, 0.004)


def test_flat_has_himlocos_estimator() -> None:
    run: Any = G1FlatHIMRunnerCfg()
    assert run.actor.estimator_cfg["preset"] == "himloco"


def test_the_lean_learner_of_rough_is_flats_in_roughs_folder() -> None:
    _, lean = resolve_configs("Himloco-G1-Rough-v0", "rsl_rl_lean_cfg_entry_point", [])
    assert lean.experiment_name == "himloco_g1_rough"
    assert (lean.num_steps_per_env, lean.actor.hidden_dims) == (16, [256, 128, 128])
    assert class_to_dict(lean) == {**class_to_dict(G1FlatHIMRunnerCfg()), "experiment_name": "himloco_g1_rough"}


def test_play_mode_is_small_and_quiet(cfg: Any) -> None:
    played = type(cfg)()
    played.play_mode()
    assert played.scene.num_envs == 50
    assert not played.observations.policy.enable_corruption
    assert played.events.push is None
    terrain = played.scene.terrain
    assert (terrain.terrain_generator.num_rows, terrain.terrain_generator.num_cols) == (5, 5)
    assert terrain.max_init_terrain_level is None  # all levels
    fresh = type(cfg)()  # and the training's own terrain is not touched
    assert (fresh.scene.terrain.terrain_generator.num_rows, fresh.scene.terrain.terrain_generator.num_cols) == (10, 20)
