"""Several requests in one engine: the same answers as alone, and memory that comes back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model.engine import LONGEST_SHARED, BudgetError, Engine
from agent.model.job import Generation, Picture
from agent.model.kimi_vl import KimiVL
from agent.model.prompt import MEDIA
from agent.policies.engine_chat import sampler
from tests.agent.test_constraint import BRIEF
from tests.agent.test_engine import TOKENIZER, picture, prompt_for
from tests.agent.tiny import tiny_config, tiny_model

PLAIN = tiny_model(11, pointing=False)
POINTING = tiny_model(12, words=True)


class Request:
    """One request; `run` may be called on any thread."""

    def __init__(self, ids: list[int], pictures: list[Picture], tokens: int, **wish: object):
        self.ids, self.pictures, self.tokens, self.wish = ids, pictures, tokens, wish

    def run(self, engine: Engine, **more: object) -> Generation:
        wish = {**self.wish, **more}
        if seed := wish.pop("seed", None):
            wish["choose"] = sampler(1.0, int(str(seed)))
        return engine.generate(self.ids, self.pictures, self.tokens, **wish)  # type: ignore[arg-type]


def words(seed: int, count: int) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 200, (count,), generator=generator).tolist()


def shown(number: int, text: str, tokens: int, **wish: object) -> Request:
    seen = picture(number)
    return Request(prompt_for(seen, text), [seen], tokens, **wish)


def together(engine: Engine, requests: list[Request]) -> list[Generation]:
    """All at once, each on its own thread."""
    met = threading.Barrier(len(requests))

    def run(request: Request) -> Generation:
        met.wait(20)
        return request.run(engine)

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(run, requests))


def alone(model: KimiVL, requests: list[Request]) -> list[tuple[int, ...]]:
    return [request.run(Engine(model, TOKENIZER)).ids for request in requests]


MIXED = [
    Request(words(1, 9), [], 40),
    Request(words(2, 300), [], 7),
    Request(words(3, 1), [], 25, seed=5),
    Request(words(4, 30), [], 12, seed=6),
    shown(1, "Click on OK", 20),
    shown(2, "Click on OK", 3),
    shown(1, "Click on Cancel", 15),
]


def test_requests_together_get_what_they_get_alone() -> None:
    engine = Engine(PLAIN, TOKENIZER)
    expected = alone(PLAIN, MIXED)
    rows: list[int] = []
    hook = PLAIN.language_model.lm_head.register_forward_hook(
        lambda _, given, __: rows.append(len(given[0]))
    )
    made = together(engine, MIXED)
    hook.remove()
    assert [m.ids for m in made] == expected
    assert max(rows) > 1, "some passes were shared"
    assert engine.requests == 0
    assert engine.store.in_use == 0


def test_pointing_and_grammar_work_together_as_alone() -> None:
    requests = [
        shown(number, f"Click on {number}", 60, grammar=BRIEF, seed=number)
        for number in range(1, 7)
    ]
    expected = alone(POINTING, requests)
    made = together(Engine(POINTING, TOKENIZER), requests)
    assert [m.ids for m in made] == expected


@settings(max_examples=15)
@given(
    plan=st.lists(
        st.tuples(st.integers(1, 90), st.integers(1, 30), st.integers(0, 6)), min_size=2, max_size=6
    ),
    budget=st.integers(150, 400),
)
def test_joining_and_leaving_between_steps_changes_no_token(
    plan: list[tuple[int, int, int]], budget: int
) -> None:
    """Each request begins when the first one has written a number of tokens; memory is short."""
    requests = [Request(words(length, length), [], tokens) for length, tokens, _ in plan]
    store = Engine(PLAIN, TOKENIZER).store
    engine = Engine(PLAIN, TOKENIZER, budget=budget * store.token_bytes)
    made: list[Generation | None] = [None] * len(plan)
    threads: list[threading.Thread] = []
    written = 0

    def begin(index: int) -> None:
        made[index] = requests[index].run(engine)

    def note(_: int) -> bool:
        nonlocal written
        for index, (_, _, when) in enumerate(plan[1:], 1):
            if when == written or (when > 5 and written == 0):
                threads.append(threading.Thread(target=begin, args=(index,)))
                threads[-1].start()
        written += 1
        return True

    made[0] = requests[0].run(engine, emit=note)
    for thread in threads:
        thread.join(30)
    for answer, expected in zip(made, alone(PLAIN, requests), strict=True):
        assert answer is None or answer.ids == expected
    assert engine.store.in_use == 0
    assert engine.store.held <= engine.store.budget


def test_more_requests_than_fit_wait_for_each_other() -> None:
    """Two that together exceed the budget: both are answered, and memory stays inside it."""
    requests = [Request(words(seed, 200), [], 60) for seed in (1, 2, 3)]
    expected = alone(PLAIN, requests)
    store = Engine(PLAIN, TOKENIZER).store
    engine = Engine(PLAIN, TOKENIZER, budget=430 * store.token_bytes)
    held: list[int] = []
    watching = [
        Request(r.ids, [], r.tokens, check=lambda: held.append(engine.store.held)) for r in requests
    ]
    made = together(engine, watching)
    assert [m.ids for m in made] == expected
    assert max(held) <= engine.store.budget


def test_a_request_that_cannot_fit_is_refused_and_the_others_go_on() -> None:
    store = Engine(PLAIN, TOKENIZER).store
    engine = Engine(PLAIN, TOKENIZER, budget=100 * store.token_bytes)
    fits, large = Request(words(1, 20), [], 10), Request(words(2, 100), [], 10)
    refused: list[str] = []

    def note(_: int) -> bool:
        with pytest.raises(BudgetError, match="give the engine more memory") as error:
            large.run(engine)
        refused.append(str(error.value))
        return True

    assert fits.run(engine, emit=note).ids == alone(PLAIN, [fits])[0]
    assert "100 prompt tokens" in refused[0]
    assert engine.store.in_use == 0


def test_an_answer_ends_where_memory_ends() -> None:
    store = Engine(PLAIN, TOKENIZER).store
    engine = Engine(PLAIN, TOKENIZER, budget=50 * store.token_bytes)
    made = Request(words(1, 40), [], 100).run(engine)
    assert len(made.ids) == 10
    assert not made.stopped
    assert engine.store.held <= engine.store.budget


@pytest.mark.parametrize("how", ["emit", "check"])
def test_a_client_that_leaves_frees_its_memory(how: str) -> None:
    engine = Engine(PLAIN, TOKENIZER)
    staying, leaving = MIXED[0], MIXED[4]
    expected = alone(PLAIN, [staying])[0]
    calls = 0

    def leave(*_: object) -> bool:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise ConnectionError("the client went away")
        return True

    def run_leaving() -> None:
        with pytest.raises(ConnectionError):
            leaving.run(engine, **{how: leave})

    with ThreadPoolExecutor(2) as pool:
        stayed = pool.submit(staying.run, engine)
        pool.submit(run_leaving).result(20)
        assert stayed.result(20).ids == expected
    assert engine.requests == 0
    assert engine.store.in_use == 0
    assert leaving.run(engine).ids == alone(PLAIN, [leaving])[0], "what stays is sound"


def test_a_request_that_waits_can_be_abandoned() -> None:
    """It never runs; the request that it waited for does not notice."""
    store = Engine(PLAIN, TOKENIZER).store
    engine = Engine(PLAIN, TOKENIZER, budget=130 * store.token_bytes)
    waiting, outcome = Request(words(9, 100), [], 10), []
    started = threading.Event()

    def gone() -> None:
        raise ConnectionError("the client went away")

    def wait() -> None:
        started.set()
        with pytest.raises(ConnectionError):
            waiting.run(engine, check=gone)
        outcome.append("left")

    thread = threading.Thread(target=wait)

    def note(_: int) -> bool:
        if not started.is_set():
            thread.start()
            assert started.wait(20)
        return True

    runs = Request(words(8, 100), [], 20)
    assert runs.run(engine, emit=note).ids == alone(PLAIN, [runs])[0]
    thread.join(20)
    assert outcome == ["left"]
    assert engine.requests == 0
    assert engine.store.in_use == 0


def test_an_interrupted_step_harms_nobody() -> None:
    """Ctrl-C while one thread computes for all: its own request ends, the others are answered."""
    model = tiny_model(11, pointing=False)
    engine = Engine(model, TOKENIZER)
    strikes = iter([False] * 6 + [True])

    def strike(*_: object) -> None:
        if threading.current_thread() is threading.main_thread() and next(strikes, False):
            raise KeyboardInterrupt

    hook = model.language_model.model.layers[1].register_forward_hook(strike)
    with ThreadPoolExecutor(1) as pool:
        other: list[object] = []

        def join(_: int) -> bool:
            if not other:
                other.append(pool.submit(MIXED[4].run, engine))
            return True

        with pytest.raises(KeyboardInterrupt):
            MIXED[0].run(engine, emit=join)
        assert other[0].result(20).ids == alone(PLAIN, [MIXED[4]])[0]  # type: ignore[attr-defined]
    hook.remove()
    assert engine.store.in_use == 0
    assert MIXED[0].run(engine).ids == alone(PLAIN, [MIXED[0]])[0]


def test_a_failing_pass_ends_its_requests_and_no_others() -> None:
    model = tiny_model(11, pointing=False)
    engine = Engine(model, TOKENIZER)

    def fail(*_: object) -> None:
        raise RuntimeError("not enough memory")

    hook = model.language_model.model.layers[1].register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="not enough memory"):
        MIXED[4].run(engine)
    hook.remove()
    assert engine.store.in_use == 0
    assert MIXED[4].run(engine).ids == alone(PLAIN, [MIXED[4]])[0]


def test_a_long_prompt_is_read_in_portions_with_the_same_result() -> None:
    """While another request runs, so that it need not wait long for its next token."""
    config = tiny_config(pointing=False)
    model = KimiVL(replace(config, text=replace(config.text, max_position_embeddings=2000)))
    model.initialize(3)
    long = Request(words(7, 1200), [], 4)
    expected = long.run(Engine(model, TOKENIZER)).ids
    engine, passes = Engine(model, TOKENIZER), []
    hook = model.language_model.model.register_forward_hook(
        lambda _, given, __: passes.append(given[0].shape[1])
    )
    with ThreadPoolExecutor(1) as pool:
        other: list[object] = []

        def join(_: int) -> bool:
            if not other:
                other.append(pool.submit(long.run, engine))
            return True

        Request(words(8, 5), [], 30).run(engine, emit=join)
        assert other[0].result(20).ids == expected  # type: ignore[attr-defined]
    hook.remove()
    assert max(passes) == LONGEST_SHARED + 1


def test_what_is_kept_is_given_up_oldest_first() -> None:
    store = Engine(PLAIN, TOKENIZER).store
    engine = Engine(PLAIN, TOKENIZER, budget=400 * store.token_bytes)
    first, second, third = (Request(words(seed, 150), [], 1) for seed in (21, 22, 23))
    for request in (first, second, first, third):
        request.run(engine)
    assert first.run(engine).cached_tokens > 140
    assert second.run(engine).cached_tokens < 10
    assert engine.store.held <= engine.store.budget


def test_two_conversations_keep_their_own_histories() -> None:
    engine = Engine(PLAIN, TOKENIZER)
    begin, a, b = words(1, 20), words(2, 100), words(3, 100)
    asked = (begin + a, begin + b, begin + a + a, begin + b + b)
    cached = [Request(ids, [], 1).run(engine).cached_tokens for ids in asked]
    assert cached == [0, 20, 120, 120]


def test_a_wrong_number_of_placeholders_is_refused_at_once() -> None:
    engine, seen = Engine(PLAIN, TOKENIZER), picture()
    with pytest.raises(ValueError, match=r"1 media placeholders for \d+ visual tokens"):
        engine.generate([TOKENIZER.special(MEDIA)], [seen])


def test_an_error_stays_with_its_request() -> None:
    engine = Engine(PLAIN, TOKENIZER)
    with ThreadPoolExecutor(1) as pool:
        stayed = pool.submit(MIXED[0].run, engine)
        with pytest.raises(ValueError, match="expected tokens that the grammar allows"):
            Request(words(1, 5), [], 9, grammar=BRIEF, choose=lambda _: 65).run(engine)
        assert stayed.result(20).ids == alone(PLAIN, [MIXED[0]])[0]
