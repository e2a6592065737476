"""The wordings of questions: what people call things and how they ask for them."""

from __future__ import annotations

NOUNS: dict[str, tuple[str, ...]] = {
    "button": ("button",),
    "link": ("link",),
    "checkbox": ("checkbox", "check box"),
    "radio": ("radio", "radio button"),
    "text": ("textbox", "text field", "input field", "text box", "text"),
    "textarea": ("textarea", "text area"),
    "select": ("dropdown", "select box", "combo box"),
    "slider": ("slider",),
    "spinner": ("spinner", "number field"),
    "tab": ("tab",),
    "close": ("close button",),
    "image": ("image", "picture"),
    "progress": ("progress bar",),
    "item": ("item", "list item"),
    "cell": ("cell",),
    "menu": ("menu",),
    "menuitem": ("menu item",),
    "title": ("title",),
    "heading": ("heading",),
    "word": ("word", "text"),
    "icon": ("icon",),
    "letter": ("letter",),
    "digit": ("digit", "number"),
    "shape": ("shape",),
    "swatch": ("box",),
    "section": ("section",),
    "message": ("message", "email"),
    "folder": ("folder",),
    "file": ("file",),
    "expander": ("plus",),
    "day": ("day",),
    "dot": ("grid coordinate",),
}
"""What people call each kind of element."""

WIDGETS = ("radio", "checkbox", "text", "textarea", "button")
"""Kinds of which any one may be asked for."""

COUNTABLE = (
    *("button", "link", "checkbox", "radio", "text", "textarea", "select", "slider", "spinner"),
    *("tab", "item", "menu", "menuitem", "icon", "section", "message", "folder", "file"),
)
"""Kinds that are asked for by type, by ordinal and by what they are next to."""

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
NUMERALS = ("1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th")

LABELED = (
    'Click on the "{label}" {noun}.',
    'Click the {noun} labeled "{label}".',
    "Click {noun} {label}.",
    'click the "{label}" {noun}',
    "press {label}",
    "click {label}",
    'Click on "{label}".',
    'Click the {noun} "{label}".',
    "{label}",
    'the {noun} "{label}"',
    "choose {label}",
    "Press the {label} {noun}.",
    "Click the {label} {noun}.",
    'tap "{label}"',
    "hit the {label} {noun}",
    'Please click "{label}".',
)
"""For buttons, links, tabs and menus."""

BARE = ('Click on "{label}".', "click {label}", "{label}")
"""For anything with a label."""

SPECIFIC: dict[str, tuple[str, ...]] = {
    "link": ('Click on the link "{label}".', 'Click the link "{label}"', "follow the link {label}"),
    "tab": ("Click on {label}.", "open the {label} tab", 'Switch to the "{label}" tab.'),
    "checkbox": ("check {label}", 'Select "{label}".', 'tick the box "{label}"', "Select {label}."),
    "radio": ('select the option "{label}"', "Select {label}.", 'choose "{label}"'),
    "button": ('Click on the "{label}" button.', 'Click the button labeled "{label}".'),
    "item": ("select {label} in the list", 'Select "{label}".', "Select {label} from the list."),
    "menuitem": ('Click on the menu item "{label}".', "choose {label} from the menu"),
    "menu": ("open the {label} menu",),
    "word": ('click on the word "{label}"', 'Click on the text "{label}".', 'Find "{label}".'),
    "text": ('Click on the textbox that says "{label}".', 'the field containing "{label}"'),
    "textarea": ('Click on the textarea that says "{label}".',),
    "select": ('the dropdown showing "{label}"', 'Open the select box "{label}".'),
    "cell": ('Click on the cell "{label}".', 'Click on "{label}" in the table.'),
    "title": ('Click on the title "{label}".',),
    "heading": ('Click on the heading "{label}".',),
    "spinner": ('the number field showing "{label}"',),
    "letter": ('Click on the "{label}".', 'click the letter "{label}"'),
    "digit": ('Click on the "{label}".', "Click on a {label}", "click the number {label}"),
    "shape": ('click the shape with "{label}" on it', 'Click on the shape labeled "{label}".'),
    "section": ('Expand the section "{label}".', "open {label}", "Expand {label}."),
    "message": ("Find the email by {label}.", "open the message from {label}"),
    "folder": ('Click on the folder or file named "{label}".', "open the folder {label}"),
    "file": ('Click on the folder or file named "{label}".', "open the file {label}"),
    "day": ("click day {label}", "Select the {label} in the calendar.", 'Click on the "{label}".'),
    "dot": ("Click on the grid coordinate {label}.", "the point {label}"),
}
"""For elements of one kind with a label."""

TYPED = (
    'Click on a "{noun}" widget.',
    "Click the {noun}.",
    "click the {noun}",
    "Click on a {noun}.",
)
FOCUS = ("Focus into the {noun}.", "put the cursor into the {noun}", "Click the {noun}.")
NTH = ("the {nth} {noun}", "Click on the {nth} {noun}.", "click the {nth} {noun}")
NTH_FIELD = (
    "Focus into the {nth} input textbox.",
    "the {nth} {noun}",
    "Focus into the {nth} {noun}.",
)
CAPTIONED = (
    'the field next to "{caption}"',
    "Click on the {caption} field.",
    'Focus into the "{caption}" field.',
    'the {noun} labeled "{caption}"',
    'Click the {noun} for "{caption}".',
    'the {noun} next to "{caption}"',
)
"""For fields with a caption."""

IN_ROW = (
    'Click the {what} for "{caption}".',
    'the {what} next to "{caption}"',
    "click the {what} of {caption}",
    "For {caption}, click on the {what}.",
    'press the {what} in the row "{caption}"',
)
"""For controls that every row has; `what` names the control."""

CLOSE = (
    'Close the dialog box by clicking the "x".',
    'Click the button in the dialog box labeled "x".',
    "close the window",
    "close the dialog",
    'Click on the "x".',
)
IN_DIALOG = ('Click the button in the dialog box labeled "{label}".', "press {label} in the dialog")
LOOKS = ("Click on a {look}", "click the {look}", "Click on the {look}.", "the {look}")
SWATCH = ("Click on the {color} colored box.", "click the {color} box", "choose the color {color}")
PICTURED = ("click the {name} icon", "the {name} icon", "Click on the {name} icon.")
BESIDE = (
    "the {noun} {where} {other}",
    "Click the {noun} {where} {other}.",
    "click the {noun} {where} {other}",
)
DIRECTIONS: dict[str, tuple[str, ...]] = {
    "below": ("below", "under", "beneath"),
    "above": ("above", "over"),
    "right": ("to the right of", "right of", "next to"),
    "left": ("to the left of", "left of"),
}
"""How a place is told from another element."""
