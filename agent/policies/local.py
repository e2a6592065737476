"""Models that run in this process: the embedded one, and Kimi-VL from a checkpoint folder."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cached_property
from hashlib import file_digest, sha256
from pathlib import Path

import torch

from actions.code_grammar import CODE_CLOSERS, CODE_KINDS
from actions.dialects import ParseError, parse
from actions.grammar import lark_grammar
from actions.space import (
    CallUser,
    Click,
    Drag,
    Finished,
    Hotkey,
    Move,
    Scroll,
    Type,
    Wait,
    points,
)
from agent.model import checkpoint, preprocessor, prompt
from agent.model.checkpoint import CheckpointError
from agent.model.config import ConfigError, KimiVLConfig
from agent.model.constraint import ConstraintError, Grammar
from agent.model.engine import TOGETHER, Engine
from agent.model.job import Generation, Picture
from agent.model.tokenizer import Tokenizer, TokenizerError
from agent.policies.base import Decision, Observation, Policy, PolicyError
from agent.policies.engine_chat import ChatPolicy, EngineChat, explained, timing_of, usage_of
from agent.policies.hindsight import effective, vain
from agent.policies.profiles import profile_named
from vision.geometry import Point
from vision.image import KIMI_VL, Prepared, prepare

EMBEDDED = Path(__file__).parent.parent / "model" / "embedded"
"""The model that ships with Eyehand."""

LONGEST_INSTRUCTION = 2000
"""Characters; the embedded model was trained on instructions far shorter than this."""


KINDS = (Click, Move, Drag, Scroll, Type, Hotkey, Wait, Finished, CallUser)
"""What the embedded model may do."""


class EmbeddedPolicy(Policy):
    """The embedded model: screenshot, instruction and the latest effective answers -> one action.

    What it writes is held to the grammar of `KINDS`, so it parses on any weights.

    Args:
        engine: a network with a pointing head.
        directory: where its weights lie.
    """

    parallel = TOGETHER

    def __init__(self, engine: Engine, directory: Path) -> None:
        self.engine = engine
        self._directory = directory
        lark = lark_grammar(prompt.DIALECT, KINDS, brief=True, special=True)
        self._grammar = Grammar(lark, engine.tokenizer, prompt.END)

    def decide(self, observation: Observation) -> Decision:
        """Look, point, write."""
        began = time.perf_counter()
        with explained():
            prepared = prepare(observation.frame, KIMI_VL)
            made = self._generate(observation, prepared)
        text = self.engine.tokenizer.decode(made.ids)
        timing = timing_of(made, began)
        decision = Decision(
            text, prepared.map, confidence=made.confidence, usage=usage_of(made), timing=timing
        )
        try:
            return replace(decision, step=parse(text, "uitars"))
        except ParseError as error:
            return replace(decision, error=str(error))

    def describe(self) -> dict[str, str]:
        """Name and weight hash."""
        return dict(self._about)

    @cached_property
    def _about(self) -> dict[str, str]:
        return {"policy": "embedded", **weights(self._directory)}  # reads all of the file

    def _generate(self, observation: Observation, prepared: Prepared) -> Generation:
        tokenizer = self.engine.tokenizer
        rows, columns = prepared.grid_hw
        instruction = " ".join(observation.instruction.split())
        if len(instruction) > LONGEST_INSTRUCTION:
            raise PolicyError(
                f"the embedded model takes instructions of up to {LONGEST_INSTRUCTION} characters, "
                f"actually: {len(instruction)}; shorten it or use a larger model"
            )
        ids = prompt.screen_ids(tokenizer, rows * columns // 4)
        ids += prompt.instruction_ids(tokenizer, instruction, effective(observation))
        picture = Picture(prepared, observation.frame.digest)
        limit = observation.max_tokens or 256
        avoided, forbidden = self._vain(observation)
        return self.engine.generate(
            ids, [picture], limit, grammar=self._grammar, check=observation.check,
            avoided=avoided, forbidden=forbidden,
        )  # fmt: skip

    def _vain(self, observation: Observation) -> tuple[list[Point], list[int]]:
        """Points to avoid and kinds of action to leave alone.

        A larger model would read in the feedback that it should try something else. Clicks and
        drags are tried elsewhere; other actions are not tried again on the same picture.
        """
        avoided: list[Point] = []
        forbidden: list[int] = []
        for action in vain(observation):
            if isinstance(action, Click | Drag):
                avoided.append(points(action)[0])
            else:
                _, kind, *_ = prompt.answer_ids(self.engine.tokenizer, action)
                forbidden.append(kind)
        return avoided, forbidden


def load_engine(directory: Path, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Engine:
    """The network and tokenizer of a checkpoint folder.

    Raises:
        PolicyError: the folder holds no usable checkpoint; the message says why.
    """
    if not directory.is_dir():
        raise PolicyError(
            f"no model in {directory}: train one with `eyehand train pointing`, or name a "
            "Kimi-VL checkpoint folder with --model"
        )
    try:
        tokenizer = Tokenizer.load(directory)
        config = KimiVLConfig.load(directory)
        check_vocabulary(tokenizer, config)
        return Engine(checkpoint.load(directory, device, dtype), tokenizer)
    except (CheckpointError, ConfigError, TokenizerError) as error:
        raise PolicyError(str(error)) from error


def check_vocabulary(tokenizer: Tokenizer, config: KimiVLConfig) -> None:
    """Refuse a tokenizer that belongs to another network.

    Raises:
        ConfigError: it has more tokens than the network, or another media placeholder.
    """
    if tokenizer.vocab_size > config.text.vocab_size:
        raise ConfigError(
            f"the tokenizer has {tokenizer.vocab_size} tokens, the network only "
            f"{config.text.vocab_size}; they do not belong together"
        )
    placeholder = tokenizer.special(prompt.MEDIA)
    if placeholder != config.media_placeholder_token_id:
        raise ConfigError(
            f"expected {prompt.MEDIA} to be token {config.media_placeholder_token_id}, as "
            f"config.json says; the tokenizer has it at {placeholder}"
        )


def local_policy(directory: Path | None = None, device: str = "cpu") -> EmbeddedPolicy | ChatPolicy:
    """The policy for a checkpoint folder; None means the embedded model.

    Args:
        directory: the folder.
        device: where its network runs: "cpu", "cuda" or "mps".

    Raises:
        PolicyError: the folder holds no usable checkpoint, or this machine has no such device; the
            message says why.
    """
    if device not in devices():
        raise PolicyError(f"expected a device of {devices()}, actually: {device!r}")
    directory = directory or EMBEDDED
    engine = load_engine(directory, device, _dtype(directory))
    try:
        if engine.model.pointer is not None:
            return EmbeddedPolicy(engine, directory)
        image = preprocessor.load(directory)
        grammar = Grammar(
            lark_grammar("opencua", CODE_KINDS), engine.tokenizer, prompt.END, CODE_CLOSERS
        )
    except (ConstraintError, TokenizerError, preprocessor.PreprocessorError) as error:
        raise PolicyError(str(error)) from error
    chat = EngineChat(engine, image)
    return ChatPolicy(chat, profile_named("kimi"), weights(directory), grammar)


def devices() -> tuple[str, ...]:
    """The devices of this machine that can run a network."""
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return ("cpu", *(name for name, there in found.items() if there))


def weights(directory: Path) -> dict[str, str]:
    """The model's name and a SHA-256 (hex) over its weight files, for the episode's manifest."""
    digest = sha256()
    for file in sorted(directory.glob("*.safetensors")):
        with file.open("rb") as opened:
            digest.update(file_digest(opened, "sha256").digest())
    return {"model": directory.name, "weights": digest.hexdigest()}


def _dtype(directory: Path) -> torch.dtype:
    """The embedded model is small enough for fp32; Kimi-VL's 16 B parameters are not."""
    size = sum(file.stat().st_size for file in directory.glob("*.safetensors"))
    return torch.float32 if size < 2**30 else torch.bfloat16
