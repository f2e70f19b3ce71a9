# Copyright (c) 2026, The himloco_lab Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Words in a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

LINE = 20
"""Height of a row, in pixels."""
MARGIN = 8
"""Left of the words and above and below them, in pixels."""
SHADE = 0.35
"""What is left of the picture's brightness behind the words."""


def write_table(picture: np.ndarray, rows: Sequence[Sequence[str]]) -> np.ndarray:
    """Return the picture with a table over its upper edge.

    Args:
        picture: RGB, shape ``[H, W, 3]``, unsigned bytes.
        rows: As many cells in each; all columns are equally wide.
    """
    written = picture.copy()
    bottom = 2 * MARGIN + LINE * len(rows)
    written[:bottom] = (written[:bottom] * SHADE).astype(np.uint8)
    image = Image.fromarray(written)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(15)
    for line, row in enumerate(rows):
        for column, cell in enumerate(row):
            place = (MARGIN + column * (image.width - MARGIN) // len(row), MARGIN + line * LINE)
            draw.text(place, cell, fill="white", font=font)
    return np.asarray(image)
