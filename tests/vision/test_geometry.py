import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.geometry import THOUSAND, UNIT, Box, CoordinateMap, GeometryError, Point, Size

SIDE = st.integers(1, 7680)
ORIGIN = st.integers(-20_000, 20_000)
EXTENTS = st.sampled_from([THOUSAND, UNIT, Size(1932, 1092), Size(4760, 2688)])


@st.composite
def maps(draw: st.DrawFn) -> CoordinateMap:
    left, top, width, height = draw(ORIGIN), draw(ORIGIN), draw(SIDE), draw(SIDE)
    image = Size(draw(st.integers(1, 2000)), draw(st.integers(1, 2000)))
    return CoordinateMap(Box(left, top, left + width, top + height), image, draw(EXTENTS))


@given(maps(), st.data())
def test_every_screen_pixel_survives_the_round_trip(
    where: CoordinateMap, data: st.DataObject
) -> None:
    pixel = Point(
        data.draw(st.integers(int(where.screen.left), int(where.screen.right) - 1)),
        data.draw(st.integers(int(where.screen.top), int(where.screen.bottom) - 1)),
    )
    assert where.to_screen(where.to_model(pixel)) == pixel


@pytest.mark.parametrize("extent", [THOUSAND, UNIT, Size(1932, 1092)])
@pytest.mark.parametrize("side", [1, 2, 3, 7, 768, 1080, 1366, 1920, 2160, 4320, 7680])
def test_no_pixel_of_a_whole_line_is_lost(side: int, extent: Size) -> None:
    for origin in (-7680, -1, 0, 1920):
        where = CoordinateMap(Box(origin, origin, origin + side, origin + side), Size(9, 9), extent)
        for x in range(origin, origin + side):
            assert where.to_screen(where.to_model(Point(x, x))) == (x, x)


@pytest.mark.parametrize("steps", [1000, 1932, 2380])
@pytest.mark.parametrize("side", [1, 2, 999, 1000, 1001, 1080, 1920, 2000, 2001, 3840, 4320, 7680])
def test_whole_model_coordinates_miss_by_half_a_step_at_most(side: int, steps: int) -> None:
    """Of every pixel of a side up to 8K: what the notation itself costs, and not a pixel more."""
    bound = math.ceil(side / (2 * steps))
    for origin in (-7680, -1, 0, 1920):
        box = Box(origin, origin, origin + side, origin + side)
        where = CoordinateMap(box, Size(9, 9), Size(steps, steps))
        for x in range(origin, origin + side):
            said = round(where.to_model(Point(x, x)).x)
            assert abs(where.to_screen(Point(said, said)).x - x) <= bound


@given(maps(), st.floats(0, 1), st.floats(0, 1))
def test_to_screen_gives_whole_pixels_inside_the_screen(
    where: CoordinateMap, across: float, down: float
) -> None:
    x = min(across * where.extent.width, where.extent.width)
    y = min(down * where.extent.height, where.extent.height)
    pixel = where.to_screen(Point(x, y))
    assert where.screen.contains(pixel)
    assert pixel == (math.floor(pixel.x), math.floor(pixel.y))


@given(maps(), st.data())
def test_model_and_image_are_inverse(where: CoordinateMap, data: st.DataObject) -> None:
    point = Point(
        data.draw(st.floats(0, where.image.width)), data.draw(st.floats(0, where.image.height))
    )
    back = where.model_to_image(where.image_to_model(point))
    assert math.isclose(back.x, point.x, rel_tol=1e-12, abs_tol=1e-300)
    assert math.isclose(back.y, point.y, rel_tol=1e-12, abs_tol=1e-300)


def test_zero_is_a_coordinate() -> None:
    where = CoordinateMap(Box(-1920, -300, 0, 780), Size(1196, 672))
    assert where.to_screen(Point(0, 0)) == (-1920, -300)
    assert where.to_screen(Point(1000, 1000)) == (-1, 779)
    assert where.to_model(Point(-1920, -300)) == Point(0.5 / 1920 * 1000, 0.5 / 1080 * 1000)


def test_ui_tars_documented_example() -> None:
    where = CoordinateMap(Box(0, 0, 1920, 1080), Size(1196, 672))
    assert where.to_screen(Point(235, 512)) == (451, 552)  # 552.96 lies in pixel 552


@pytest.mark.parametrize(
    "point",
    [
        Point(-0.001, 5),
        Point(5, -1),
        Point(1000.5, 5),
        Point(5, 1001),
        Point(math.nan, 5),
        Point(5, math.nan),
        Point(math.inf, 5),
        Point(5, -math.inf),
    ],
)
def test_points_outside_the_model_space_are_refused(point: Point) -> None:
    with pytest.raises(GeometryError, match="outside"):
        CoordinateMap(Box(0, 0, 1920, 1080), Size(1196, 672)).to_screen(point)


@pytest.mark.parametrize(
    "point", [Point(-1921, 0), Point(0, 0), Point(-1, 1080), Point(-1, -1), Point(math.nan, 0)]
)
def test_points_outside_the_screen_are_refused(point: Point) -> None:
    with pytest.raises(GeometryError, match="outside the screen"):
        CoordinateMap(Box(-1920, 0, 0, 1080), Size(1196, 672)).to_model(point)


@pytest.mark.parametrize("side", [0.0, -1.0, math.nan, math.inf])
def test_empty_and_endless_frames_are_refused(side: float) -> None:
    with pytest.raises(GeometryError, match="positive and finite"):
        CoordinateMap(Box(0, 0, side, 10), Size(10, 10))
    with pytest.raises(GeometryError, match="positive and finite"):
        CoordinateMap(Box(0, 0, 10, 10), Size(10, side))
    with pytest.raises(GeometryError, match="positive and finite"):
        CoordinateMap(Box(0, 0, 10, 10), Size(10, 10), Size(side, 1))


def test_box_centre_and_edges() -> None:
    box = Box(-10, 0, 10, 4)
    assert box.center == (0, 2)
    assert (box.width, box.height) == (20, 4)
    assert box.contains(Point(-10, 0))
    assert not box.contains(Point(10, 0))
    assert not box.contains(Point(0, 4))
