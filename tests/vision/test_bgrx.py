from __future__ import annotations

import numpy as np
import pytest

from vision.bgrx import to_rgb


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 2), (3, 1), (7, 5), (333, 517), (1080, 1920)]
)
def test_it_is_what_picking_the_channels_gives(height: int, width: int) -> None:
    bgrx = np.random.default_rng(6).integers(0, 256, (height, width, 4), np.uint8)
    rgb = to_rgb(bytearray(bgrx.tobytes()), height, width)
    np.testing.assert_array_equal(rgb, bgrx[..., [2, 1, 0]])
    assert rgb.flags.c_contiguous and rgb.flags.writeable
