"""Other instructions that could have been given on the page that is shown.

One picture with several instructions, each with its own right answer, teaches to read the
instruction; a picture that comes with the same one every time can be learned by heart.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from random import Random

from playwright.sync_api import Page

from agent.environments.miniwob import Pages
from agent.learning.oracles.choices import POST_ACTIONS
from agent.learning.oracles.page import Lost, View

SAME_EVERYWHERE = frozenset(
    [
        "choose-date",
        "choose-date-easy",
        "choose-date-medium",
        "choose-date-nodelay",
        "click-shades",
        "copy-paste-2",
        "daily-calendar",
        "drag-circle",
        "drag-shapes",
        "drag-shapes-2",
        "drag-single-shape",
        "find-word",
        "form-sequence",
        "form-sequence-3",
        "generate-number",
        "highlight-text-2",
        "multi-layouts",
        "number-checkboxes",
        "read-table",
        "scroll-text-2",
        "search-engine",
        "use-colorwheel",
        "use-slider",
        "use-slider-2",
    ]
)
"""Tasks whose instructions name nothing that only one page has."""


def other_instruction(
    world: Pages, instruction: str, seed: int, heard: Collection[str], random: Random
) -> str | None:
    """Another instruction for the page as it is now.

    Args:
        world: shows an episode of a task.
        instruction: as its `reset` gave it.
        seed: of the episode.
        heard: instructions of other pages of the task.
        random: where chance comes from.

    Returns:
        None where none is known. Not every one of them can be followed: ask the oracle.

    Raises:
        BrowserError: the browser has died.
    """
    said: str | None = None
    if world.task in SAME_EVERYWHERE:
        said = random.choice(sorted(heard)) if heard else None
    elif vary := _VARIATIONS.get(world.task):

        def ask(page: Page) -> str | None:
            try:
                return vary(View(page, instruction, seed), random)
            except Lost:
                return None

        said = world.inspect(ask)
    return None if said == instruction else said


def _texts(view: View, selector: str) -> list[str]:
    return [element.text for element in view.all(selector)]


def _some(texts: Sequence[str], random: Random, fewest: int = 0, most: int = 5) -> list[str]:
    """Some of the texts in any order.

    Raises:
        Lost: there are too few.
    """
    if len(texts) < fewest:
        raise Lost(f"expected {fewest} names on the page")
    return random.sample(texts, random.randint(fewest, min(most, len(texts))))


def _one(texts: Sequence[str], random: Random) -> str:
    """A text that is there once.

    Raises:
        Lost: there is none.
    """
    return _some([text for text in texts if texts.count(text) == 1], random, 1, 1)[0]


def _checkboxes(view: View, random: Random) -> str:
    names = _some(_texts(view, "#boxes label"), random)
    return f"Select {', '.join(names) or 'nothing'} and click Submit."


def _similar_checkboxes(view: View, random: Random) -> str:
    shown = _texts(view, "#boxes label")
    groups = [group for group in view.read("SYNONYMS") if set(group) & set(shown)]
    hidden = [[word for word in group if word not in shown] for group in groups]
    words = _some([random.choice(group) for group in hidden if group], random, 1)
    return f"Select words similar to {', '.join(words)} and click Submit."


def _scroll_list(view: View, random: Random) -> str:
    name = _one(_texts(view, "#options option"), random)
    return view.instruction.replace(view.match(r"Select (.*) from")[1], name)


def _link(view: View, random: Random) -> str:
    before, _, after = view.instruction.split('"')
    return f'{before}"{_one(_texts(view, ".alink"), random)}"{after}'


def _post(view: View, random: Random) -> str:
    user, action = _one(_texts(view, ".media .username"), random), random.choice([*POST_ACTIONS])
    return f'For the user {user}, click on the "{action}" button.'


def _posts(view: View, random: Random) -> str:
    users = _texts(view, ".media .username")
    (user,) = _some(sorted(set(users)), random, 1, 1)
    kind = random.choice(("Reply", "Retweet", "Like", "Share"))
    count = random.randint(1, users.count(user))
    plural = "s" if count > 1 else ""
    many = "all posts" if " on all posts" in view.instruction else f"{count} post{plural}"
    return f'Click the "{kind}" button on {many} by {user} and then click Submit.'


def _dishes(view: View, random: Random) -> str:
    names = [dish.data["data-item"].strip() for dish in view.all(".food-item")]
    return f"Order one of each item: {', '.join(_some(names, random, 1, 3))}"


_VARIATIONS: dict[str, Callable[[View, Random], str]] = {
    "click-checkboxes": _checkboxes,
    "click-checkboxes-soft": _similar_checkboxes,
    "click-checkboxes-transfer": _checkboxes,
    "click-collapsible-2": _link,
    "click-collapsible-2-nodelay": _link,
    "click-scroll-list": _scroll_list,
    "click-tab-2": _link,
    "click-tab-2-easy": _link,
    "click-tab-2-hard": _link,
    "order-food": _dishes,
    "social-media": _post,
    "social-media-all": _posts,
    "social-media-some": _posts,
}
