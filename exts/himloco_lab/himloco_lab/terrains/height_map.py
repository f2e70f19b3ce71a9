# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""A terrain importer that knows how high the ground is."""

from __future__ import annotations

import torch
import trimesh
import warp as wp
from isaaclab.terrains import TerrainImporter
from isaaclab.utils.warp import convert_to_warp_mesh, raycast_mesh


class HeightMapTerrainImporter(TerrainImporter):
    """Isaac Lab's terrain importer with a lookup of the ground height.

    The terrain mesh is sampled once from above on a regular grid. Afterwards the height under any number of
    points costs one gather, where a ray caster costs a ray a point: 256 robots ask for seven heights each step.
    """

    HEIGHT_RESOLUTION = 0.05
    """Spacing of the samples [m]: at a stair edge the looked-up height can be off by half of it, horizontally."""

    @property
    def level(self) -> float | None:
        """World z of ground that is equally high everywhere [m]; None where it is not."""
        return self._level if self._is_level else None

    def import_mesh(self, name: str, mesh: trimesh.Trimesh) -> None:
        """Import the terrain mesh, z up [m], and sample its heights."""
        super().import_mesh(name, mesh)
        self._sample_heights(mesh)

    def height_at(self, points_w: torch.Tensor) -> torch.Tensor:
        """Return the world z of the ground under points [..., 2 or 3] in the world [m], shape ``[...]``.

        Points beyond the terrain take the height of its nearest edge.
        """
        if self._is_level:
            return torch.full(points_w.shape[:-1], self._level, device=points_w.device)
        cells = ((points_w[..., :2] - self._grid_origin) / self.HEIGHT_RESOLUTION).round_().long()
        columns = cells[..., 0].clamp_(0, self._heights.shape[0] - 1)
        rows = cells[..., 1].clamp_(0, self._heights.shape[1] - 1)
        return self._heights[columns, rows]

    def _sample_heights(self, mesh: trimesh.Trimesh) -> None:
        lower, upper = torch.tensor(mesh.bounds[:, :2], dtype=torch.float32, device=self.device)
        # The border around the tiles is level: its inner meter stands for all of it.
        generator = self.cfg.terrain_generator
        if generator is not None and generator.border_width > 1.0:
            lower, upper = lower + (generator.border_width - 1.0), upper - (generator.border_width - 1.0)
        top = float(mesh.bounds[1, 2]) + 1.0
        axes = [
            torch.arange(float(low), float(high), self.HEIGHT_RESOLUTION, device=self.device)
            for low, high in zip(lower, upper, strict=True)
        ]
        # A ray that meets an edge exactly can slip between two triangles, so start half a millimeter inside.
        grid_x, grid_y = torch.meshgrid(axes[0] + 5e-4, axes[1] + 5e-4, indexing="ij")
        starts = torch.stack([grid_x, grid_y, torch.full_like(grid_x, top)], dim=-1).view(-1, 3)
        directions = torch.tensor([0.0, 0.0, -1.0], device=self.device).expand_as(starts).contiguous()
        warp_mesh = convert_to_warp_mesh(mesh.vertices, mesh.faces, device=str(wp.get_device(self.device)))
        heights = raycast_mesh(starts, directions, warp_mesh)[0][:, 2].view(grid_x.shape)
        # A miss comes back as infinity; the lowest ground keeps terms finite there.
        lowest = float(heights[torch.isfinite(heights)].min())
        self._heights = torch.where(torch.isfinite(heights), heights, lowest)
        self._grid_origin = lower
        self._is_level = bool((self._heights.max() - self._heights.min()) < 1e-4)
        self._level = lowest
