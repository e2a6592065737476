"""Which lines of a page the asked words stand on: there, or beside, is what has to be copied.

"Enter the value of Fiction": the value shares a line with a word of the instruction. The lexicon
knows where the words stand (`lexical.find`); which of them counts is chosen as it chooses words to
point at, and what lines say about each other is learned.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agent.model.lexical import SIZE, TENFOLD, Sought, chosen
from agent.model.transcript import Transcript


class Clues(nn.Module):
    """What speaks for a character: asked words at its place, on its line, above it, below it."""

    def __init__(self, hidden: int, known: int) -> None:
        super().__init__()
        self.query = nn.Linear(hidden, SIZE)
        self.key = nn.Linear(known, SIZE)
        self.nothing = nn.Parameter(torch.zeros(1))
        self.gain = nn.Parameter(torch.tensor([0.0, 0.2, 0.0, 0.0]))

    def forward(self, state: Tensor, asked: Sought, page: Transcript) -> Tensor:
        """What is added to the logits of beginning at each character of a page.

        Args:
            state: (hidden,), where text is due.
            asked: the words of one instruction.
            page: of T > 0 characters.

        Returns:
            (T,) fp32.
        """
        place = torch.tensor(page.patches, device=state.device)
        query = self.query(state).unsqueeze(0)
        here = chosen(query, self.key(asked.known), self.nothing, asked)[0, 0, place]
        line = torch.tensor(line_numbers(page.text), device=state.device)
        lines = here.new_zeros(int(line[-1]) + 3)  # one more above and below
        lines = lines.scatter_reduce(0, line + 1, here, "amax", include_self=True)
        seen = torch.stack([here, lines[line + 1], lines[line], lines[line + 2]])
        return (TENFOLD * self.gain) @ seen


def line_numbers(text: str) -> list[int]:
    """The line of each character, empty ones not counted; breaks belong to the line before."""
    numbers, line = [], 0
    for index, char in enumerate(text):
        numbers.append(line)
        line += char == "\n" and text[index + 1 : index + 2] != "\n"
    return numbers
