"""What 4-bit MLPs cost the embedded model: hits on generated test screens, and how far it moves.

    python benchmarks/int4_quality.py [--model FOLDER] [--screens 60] [--group 64]

Quantises the model into a temporary folder, asks both the same questions about the same screens
(words and fonts that training never shows) and prints a table.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch

from actions.space import points
from agent.learning.samples import Question
from agent.learning.screens.generator import ScreenGenerator
from agent.model import prompt
from agent.model.quantise import quantise
from agent.policies.base import Decision, Observation
from agent.policies.local import EMBEDDED, EmbeddedPolicy, local_policy
from vision.frame import Frame
from vision.geometry import Box
from vision.image import prepare


def main() -> None:
    """Ask both, compare."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        quantise(options.model, Path(folder) / "int4", options.group)
        policies = [local_policy(options.model), local_policy(Path(folder) / "int4")]
        sizes = [_size(options.model), _size(Path(folder) / "int4")]
    hits, same, moved, total = [0, 0], 0, 0.0, 0
    generator = ScreenGenerator(1234, split="test", questions=3)
    for index in range(options.screens):
        sample = generator.sample(index)
        height, width = sample.pixels.shape[:2]
        frame = Frame(sample.pixels, Box(0, 0, width, height))
        for question in sample.questions:
            seen = Observation(question.instruction, frame)
            if question.done:
                continue
            decided = [policy.decide(seen) for policy in policies]
            for which, decision in enumerate(decided):
                hits[which] += _right(decision, question)
            same += decided[0].text == decided[1].text
            moved += _divergence(*(_first(p, frame, question.instruction) for p in policies))
            total += 1
    print(f"| embedded model, {total} questions | fp32 | int4, groups of {options.group} |")
    print("|---|---|---|")
    print(f"| right | {hits[0] / total:.1%} | {hits[1] / total:.1%} |")
    print(f"| size on disk | {sizes[0]:.1f} MB | {sizes[1]:.1f} MB |")
    print(f"\nThe same text in {same / total:.1%}; KL divergence of the first token that is open")
    print(f"after 'Action: ' {moved / total:.2e} nat on average.")


def _right(decision: Decision, question: Question) -> bool:
    """The same kind of action, its first point in the target."""
    if decision.step is None or type(decision.step.actions[0]) is not type(question.action):
        return False
    found = points(decision.step.actions[0])
    if question.box is None or not found:
        return True
    spot, box = decision.map.to_screen(found[0]), question.box
    return box.left <= spot.x < box.right and box.top <= spot.y < box.bottom


@torch.inference_mode()
def _first(policy: object, frame: Frame, instruction: str) -> torch.Tensor:
    """Log probabilities of what follows "Action: "."""
    assert isinstance(policy, EmbeddedPolicy)
    model, tokenizer = policy.engine.model, policy.engine.tokenizer
    prepared = prepare(frame)
    rows, columns = prepared.grid_hw
    ids = prompt.screen_ids(tokenizer, rows * columns // 4)
    ids += prompt.instruction_ids(tokenizer, instruction) + tokenizer.encode("Action: ")
    logits = model(torch.tensor([ids]), torch.from_numpy(prepared.patches), [prepared.grid_hw])
    return logits[0, -1].log_softmax(-1)


def _divergence(p: torch.Tensor, q: torch.Tensor) -> float:
    return float((p.exp() * (p - q)).sum())


def _size(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.glob("*.safetensors")) / 1e6


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=EMBEDDED)
    parser.add_argument("--screens", type=int, default=60)
    parser.add_argument("--group", type=int, default=64)
    return parser.parse_args()


if __name__ == "__main__":
    main()
