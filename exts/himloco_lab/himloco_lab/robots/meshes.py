# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Meshes for the eye: loaded, thinned out, and merged into one per color of a body.

A robot's CAD meshes hold hundreds of thousands of triangles, far more than a viewer needs of hundreds of robots.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from .description import Primitive
from .rigid_body import Visual

GRID = 0.006
"""Vertices within a cube of this edge become one [m]: about a pixel of a robot that fills a screen."""


@dataclass(frozen=True)
class TriangleMesh:
    """Vertices [V, 3] in the body frame [m], faces [F, 3], one color (RGB in 0 to 1)."""

    vertices: np.ndarray
    faces: np.ndarray
    color: tuple[float, float, float]


def merge_visuals(visuals: Sequence[Visual]) -> list[TriangleMesh]:
    """Return one thinned mesh per color."""
    by_color: dict[tuple[float, float, float], list[tuple[np.ndarray, np.ndarray]]] = {}
    for visual in visuals:
        if isinstance(visual.shape, Primitive):
            if max(visual.shape.size) > GRID:  # smaller ones mark a frame and are not meant to be seen
                by_color.setdefault(visual.color, []).append(_moved(_shape_mesh(visual.shape), visual))
        else:
            by_color.setdefault(visual.color, []).append(thin_out(*_moved(_load(visual.shape), visual)))
    merged = []
    for color, parts in by_color.items():
        vertices, faces = trimesh.util.append_faces(*zip(*parts, strict=True))
        merged.append(TriangleMesh(vertices, faces, color))
    return merged


def thin_out(vertices: np.ndarray, faces: np.ndarray, grid: float = GRID) -> tuple[np.ndarray, np.ndarray]:
    """Cluster vertices [V, 3] by grid cell and drop faces [F, 3] that collapse or repeat.

    Vertex clustering (Rossignac and Borrel 1993), with the cell's mean as its vertex.
    """
    cells = np.floor(vertices / grid).astype(np.int64)
    _, cluster, count = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    cluster = cluster.reshape(-1)
    centers = np.stack([np.bincount(cluster, vertices[:, axis]) for axis in range(3)], axis=1) / count[:, None]
    faces = cluster[faces]
    alive = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    faces = faces[alive]
    _, first = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)
    return centers, faces[np.sort(first)]


@functools.lru_cache(maxsize=8)  # four legs show the same files
def _load(path: Path) -> Any:
    """Return a mesh file's triangles."""
    if not path.is_file():
        raise FileNotFoundError(f"No mesh at '{path}', which the URDF shows: reinstall the package it is from.")
    return trimesh.load(path, force="mesh", process=False)  # thinning merges equal vertices anyway


def _shape_mesh(primitive: Primitive) -> Any:
    """Return a primitive's triangles."""
    if primitive.kind == "box":
        return trimesh.creation.box(primitive.size)
    if primitive.kind == "sphere":
        return trimesh.creation.icosphere(subdivisions=2, radius=primitive.size[0])
    make = trimesh.creation.capsule if primitive.kind == "capsule" else trimesh.creation.cylinder
    return make(radius=primitive.size[0], height=primitive.size[1])


def _moved(mesh: Any, visual: Visual) -> tuple[np.ndarray, np.ndarray]:
    """Return a visual's vertices [V, 3] in the body frame and its faces [F, 3]."""
    vertices = np.asarray(mesh.vertices) * np.asarray(visual.scale)
    return vertices @ visual.pose[:3, :3].T + visual.pose[:3, 3], np.asarray(mesh.faces)
