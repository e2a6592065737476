"""Tasks of dragging: boxes, lists, shapes, selections of text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from actions.space import Drag
from agent.learning.oracles.page import Element, Move, View, around, click, drag, middle, reached
from vision.geometry import Box, Point

_SUBMIT = "#subbtn, #submit"
_SHAPES = "#area_svg rect:not(#shape-container), #area_svg circle, #area_svg polygon"
_TAGS = {"rectangles": "rect", "circles": "circle", "triangles": "polygon"}
_SIDES = {"left": Point(-1, 0), "right": Point(1, 0), "up": Point(0, -1), "down": Point(0, 1)}
_FAR = 20
"""Pixels of a drag that only has to be seen."""

_LATE = 10
"""Pixels beyond the middle of a tile."""


def small_into_large(view: View) -> Move:
    """The small box into the large one."""
    if view.read("smallBoxContained()"):
        return click(view.one(_SUBMIT))
    small, large = view.one("#draggableSmall"), view.one("#draggableLarge")
    return drag(reached(small), large.rect.center, _room(large.rect, small.rect))


def in_grid(view: View) -> Move:
    """One tile of a grid to another place."""
    name, where = view.match(r"Drag (\S+) (.*)\.$").groups()
    tiles = view.all("#sortable li")
    index = [tile.text for tile in tiles].index(name)
    step = re.fullmatch(r"(\w+) by one", where)
    if step:
        side = _SIDES[step[1]]
        target = index + int(side.x) + 3 * int(side.y)
    else:
        row = 0 if "top" in where else 2 if "bottom" in where else 1
        column = 0 if "left" in where else 2 if "right" in where else 1
        target = 3 * row + column
    here, there = tiles[index].rect.center, tiles[target].rect.center
    # Tiles make room late for one that comes from the right or from below.
    beyond = Point(
        *(end - _LATE * (end < start - 1) for start, end in zip(here, there, strict=True))
    )
    return drag(reached(tiles[index]), beyond, around(beyond, 6, 6))


def sorted_numbers(view: View) -> Move:
    """Numbers into increasing order."""
    rows = view.all("#sortable li")
    numbers = [int(row.text) for row in rows]
    ordered = sorted(numbers)
    if numbers == ordered:
        return click(view.one(_SUBMIT))
    place = next(i for i, (a, b) in enumerate(zip(numbers, ordered, strict=True)) if a != b)
    moved = rows[len(numbers) - 1 - numbers[::-1].index(ordered[place])]
    target = rows[place].rect
    end = Point(moved.rect.center.x, target.top + target.height / 4)
    return drag(reached(moved), end, around(end, target.width / 3, 2))


def shape_aside(view: View) -> Move:
    """A shape in some direction."""
    side = view.match(r"Drag the \w+ (\w+) then")[1]
    shape = view.one("svg .black-shape, svg .black-circle")
    x, y = view.read(
        "(e => [shapes.gridCoords(e).x - e.getBBox().x, shapes.gridCoords(e).y - e.getBBox().y])"
        "(document.querySelector('svg .black-shape, svg .black-circle'))"
    )
    way = _SIDES[side]
    if x * way.x + y * way.y > 0:
        return click(view.one(_SUBMIT))
    box = reached(shape)
    here = middle(box)
    return drag(box, Point(here.x + _FAR * way.x, here.y + _FAR * way.y))


def shapes_into_box(view: View) -> Move:
    """All shapes of a kind into the only box, the others out of it."""
    tag = _TAGS[view.match(r"Drag all (\w+)")[1]]
    inside = view.read(f"[...document.querySelectorAll({_SHAPES!r})].map(e => insideContainer(e))")
    wanted = [kind == tag for kind in _tags(view)]
    holder, shapes = view.one("#shape-container").rect, view.all(_SHAPES)
    states = list(zip(shapes, wanted, inside, strict=True))
    if lost := [shape for shape, want, now in states if want and not now and shape.box]:
        return _into(holder, lost, sum(inside))
    if spoiled := [reached(shape) for shape, want, now in states if now and not want and shape.box]:
        return replace(drag(spoiled[0], _outside(holder)), also=tuple(spoiled[1:]))
    return click(view.one(_SUBMIT))


def shapes_into_boxes(view: View) -> Move:
    """Shapes of a kind or colour into the left box, the others into the right one."""
    kind = view.match(r"Drag all (\w+)")[1]
    holders = [holder.rect for holder in view.all("#shape-container")]
    inside = view.read(
        f"[...document.querySelectorAll({_SHAPES!r})].map(e => ["
        "insideContainer(e, LEFT_BOX_X, LEFT_BOX_Y), insideContainer(e, RIGHT_BOX_X, RIGHT_BOX_Y)])"
    )
    shapes, tags = view.all(_SHAPES), _tags(view)
    for side, holder in enumerate(holders):
        lost = [
            shape
            for shape, tag, now in zip(shapes, tags, inside, strict=True)
            if (side == 0) == (kind == shape.data["fill"] or _TAGS.get(kind) == tag)
            and not now[side]
            and shape.box
        ]
        if lost:
            return _into(holder, lost, sum(now[side] for now in inside))
    return click(view.one(_SUBMIT))


def _into(holder: Box, shapes: Sequence[Element], there: int) -> Move:
    """Drag any of the shapes into a box, to one of six places by how many are there already.

    In one place they would hide each other, and nobody could tell what is under the pile.
    """
    boxes = [reached(shape) for shape in shapes]
    place = Point(
        holder.left + holder.width * (there % 3 + 1) / 4,
        holder.top + holder.height * (there % 2 + 1) / 3,
    )
    return replace(drag(boxes[0], place), also=tuple(boxes[1:]))


def _room(holder: Box, shape: Box) -> Box:
    """Where the middle of a shape may be so that all of it is in the box."""
    x, y = (holder.width - shape.width) / 2 - 1, (holder.height - shape.height) / 2 - 1
    return around(holder.center, max(x, 1), max(y, 1))


def _tags(view: View) -> list[str]:
    return [
        str(t)
        for t in view.read(f"[...document.querySelectorAll({_SHAPES!r})].map(e => e.tagName)")
    ]


def _outside(holder: Box) -> Point:
    """A place beside the box, where there is most room."""
    middle_y = holder.center.y
    return Point(holder.center.x, holder.top - 14 if middle_y > 120 else holder.bottom + 14)


def highlighted(view: View) -> Move:
    """Select a paragraph with the mouse."""
    which = re.search(r"the (\d)\w\w paragraph", view.instruction)
    selector = f"#randomText p:nth-of-type({which[1]})" if which else "#randomText"
    text = re.sub(r"\s", "", view.one(selector).text)
    if re.sub(r"\s", "", view.read("getSelection().toString()")) == text:
        return click(view.one(_SUBMIT))
    return _select(view, selector)


def _select(view: View, selector: str) -> Move:
    """Drag from before the first to behind the last character."""
    ends = view.read(
        f"(node => {{ const range = document.createRange(), text = node.data.trimEnd();"
        " const box = i => { range.setStart(node, i); range.setEnd(node, i + 1);"
        " const {left, top, right, bottom} = range.getClientRects()[0];"
        " return [left, top, right, bottom]; };"
        " return [box(0), box(text.length - 1)]; })"
        f"(document.querySelector({selector!r}).firstChild)"
    )
    start, end = Box(*ends[0]), Box(*ends[1])
    from_here = Point(round(start.left), int(start.center.y))
    box = Box(from_here.x - 1, from_here.y - 2, from_here.x + 1, from_here.y + 3)
    return Move(Drag(from_here, Point(round(end.right) + 1, int(end.center.y))), box)


def resized(view: View) -> Move:
    """Make a text area larger or smaller in one direction, by its corner."""
    side, way = view.match(r"the (width|height) is (larger|smaller)").groups()
    # What its size was at first is nowhere on the page; the page drew it first from its seed.
    first = view.run(
        "seed => { Math.seedrandom(seed); const height = core.randi(10, 15) * 5;"
        " return {height, width: core.randi(10, 20) * 5}; }",
        view.seed,
    )
    size = view.read("({width: $('#tt').width(), height: $('#tt').height()})")
    grown = size[side] - first[side]
    if grown > 0 if way == "larger" else grown < 0:
        return click(view.one(_SUBMIT))
    handle = view.one(".ui-resizable-se")
    far = 15 if way == "larger" else -15
    here = handle.rect.center
    end = Point(here.x + far * (side == "width"), here.y + far * (side == "height"))
    return drag(Box(*map(round, handle.rect)), end)


def line(view: View) -> Move:
    """A straight line through a dot."""
    upright = "vertical" in view.instruction
    dot = view.one("#circ").rect.center
    drawn = view.read("document.querySelector('path') ? arrayPoints : []")
    if drawn and _straight(drawn, view, upright):
        return click(view.one("#controls button"))
    dx, dy = (0, 25) if upright else (25, 0)
    start = Point(round(dot.x) - dx, round(dot.y) - dy)
    box = Box(start.x - 2, start.y - 2, start.x + 3, start.y + 3)
    return Move(Drag(start, Point(round(dot.x) + dx, round(dot.y) + dy)), box)


def _straight(drawn: list[list[float]], view: View, upright: bool) -> bool:
    across, along = (0, 1) if upright else (1, 0)
    dot = view.read(
        "(c => [+c.getAttribute('cx'), +c.getAttribute('cy')])(document.querySelector('#circ'))"
    )
    places = [spot[across] for spot in drawn]
    length = [spot[along] for spot in drawn]
    near = min((s[0] - dot[0]) ** 2 + (s[1] - dot[1]) ** 2 for s in drawn) < 16
    return max(places) - min(places) < 4 and max(length) - min(length) > 30 and near


ORACLES: dict[str, Callable[[View], Move]] = {
    "drag-box": small_into_large,
    "drag-circle": shape_aside,
    "drag-items-grid": in_grid,
    "drag-shapes": shapes_into_box,
    "drag-shapes-2": shapes_into_boxes,
    "drag-single-shape": shape_aside,
    "drag-sort-numbers": sorted_numbers,
    "draw-line": line,
    "highlight-text": highlighted,
    "highlight-text-2": highlighted,
    "resize-textarea": resized,
}
