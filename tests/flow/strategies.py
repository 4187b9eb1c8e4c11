"""Flows that pass every check, built at random."""

from hypothesis import strategies as st

from clew.flow.check import fits_stage
from clew.model.flow import ANY_PATH, Acceptance, Flow, Limit, Stage, StageRule, Terminal

_letters = st.sampled_from("aZ0_éж")
names_of_stages = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(fits_stage)
names = st.tuples(_letters, st.text(st.sampled_from("aZ0_éж ./-"), max_size=6), _letters).map("".join)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
conditions = st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=1, max_size=20)
lengths = st.integers(2, 3650 * 86_400 * 10**9)


moments = st.integers(0, (1 << 62) // 10**9 - 1).map(lambda second: second * 10**9)
acceptances = st.builds(Acceptance, author=texts, reason=texts, expires_ns=st.none() | moments).filter(
    lambda said: said != Acceptance()
)


@st.composite
def limits(draw):
    allowed_ns = draw(lengths)
    usual = st.just(allowed_ns * 8 // 10)
    return Limit(allowed_ns, draw(usual | st.integers(0, allowed_ns - 1)))


def rules(stage, paths):
    return st.builds(
        StageRule,
        stage=st.just(stage),
        service=conditions,
        span=conditions | conditions.map(lambda text: text + "*") | st.just(""),
        where=st.dictionaries(conditions, texts, max_size=2),
        status=st.sampled_from(["", "ok", "error"]),
        order_attribute=conditions,
        order_url=st.just(""),
        outcome=st.sampled_from(["ok", "failed"]),
        path=st.sampled_from(["", *paths]),
    ) | st.builds(
        StageRule,
        stage=st.just(stage),
        span=conditions,
        order_attribute=st.just(""),
        order_url=st.sampled_from([r"/orders/([^/]+)", r"(?i:/o)/(\d{4,8})(?:/.*)?$", r"^/(?P<id>[\w-]+)"]),
    )


@st.composite
def flows(draw):
    """A flow whose stages follow one another, with jumps ahead, loops back, and several ends."""
    order = draw(st.lists(names | names_of_stages, min_size=2, max_size=6, unique=True))
    paths = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    open_stages, end = order[:-1], order[-1]
    stages = []
    for index, name in enumerate(open_stages):
        others = [each for each in order if each not in (name, order[index + 1])]
        jumps = draw(st.lists(st.sampled_from(others), unique=True, max_size=2)) if others else []
        stages.append(
            Stage(
                name,
                service=draw(texts),
                owner=draw(texts),
                limits=draw(st.dictionaries(st.sampled_from([ANY_PATH, *paths]), limits(), max_size=3)),
                next=(order[index + 1], *jumps),
                rules=tuple(draw(st.lists(rules(name, paths), max_size=2))),
                meaning=draw(texts),
            )
        )
    stages.append(Stage(end, terminal=draw(st.sampled_from(Terminal)), meaning=draw(texts)))
    accepted = st.sampled_from(
        [f"skipped:{end}", f"repeated:{end}", "unknown_stage:elsewhere", f"out_of_sequence:>{end}"]
    )
    accepted_ones = draw(st.frozensets(accepted, max_size=3))
    return Flow(
        name=draw(names),
        version=draw(st.integers(1, 999_999_999)),
        stages=tuple(stages),
        paths={
            path: (order[0], *draw(st.lists(st.sampled_from(order[1:]), unique=True, max_size=1))) for path in paths
        },
        singular=draw(conditions),
        plural=draw(conditions),
        transit_limits=draw(st.dictionaries(conditions | st.just("*"), lengths, max_size=3)),
        accepted=accepted_ones,
        hold_limit_ns=draw(st.none() | lengths),
        due_margin_ns=draw(st.just(0) | lengths),
        acceptances={each: draw(acceptances) for each in sorted(accepted_ones) if draw(st.booleans())},
    )
