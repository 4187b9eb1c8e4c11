"""What the document shows is what Clew says."""

from pathlib import Path

import pytest

from clew.flow import default_flow
from clew.journey import judge, rebuild
from clew.journey.judge import loss_sentence
from clew.model.event import Outcome, StageEvent
from clew.model.journey import DeviationKind, Loss, LostReason, VerdictKind
from tests.journey.timeline import HOUR, MINUTE

PAGE = (Path(__file__).parents[2] / "docs" / "read-a-verdict.md").read_text(encoding="utf-8")
FLOW = default_flow()
SUBMITTED = StageEvent("4711", "SUBMITTED", 0, "shop-api")
FAILED = StageEvent("4711", "PRICE_CALCULATED", 5 * MINUTE, "mes-api", outcome=Outcome.FAILED, error="no 3D data")
CLOSED = StageEvent("4711", "CLOSED", 146 * HOUR, "crm-api")
LOST = Loss(LostReason.IN_QUEUE, "mes.orders", 0, "shop-api", "", "")


@pytest.mark.parametrize(
    ("kind", "told", "losses", "now_ns"),
    [
        ("lost", [SUBMITTED], [LOST], 42 * MINUTE),
        ("failed", [SUBMITTED, FAILED], [], 10 * MINUTE),
        ("stuck", [SUBMITTED], [], 130 * MINUTE),
        ("in_jeopardy", [SUBMITTED], [], 25 * MINUTE),
        ("on_hold", [SUBMITTED, StageEvent("4711", "", 0, hold=True)], [], 60 * MINUTE),
        ("on_time", [SUBMITTED], [], 10 * MINUTE),
        ("closed", [SUBMITTED, CLOSED], [], CLOSED.at_ns + 10 * MINUTE),
    ],
)
def test_the_sentence_beside_a_verdict_is_the_one_clew_says(kind, told, losses, now_ns):
    verdict = judge(rebuild("4711", told, FLOW, losses), FLOW, now_ns)
    assert verdict.kind == kind
    row = next(line for line in PAGE.splitlines() if line.startswith("| `") and f"`{kind}`" in line)
    assert f"| {verdict.reason} |" in row


@pytest.mark.parametrize("reason", LostReason)
def test_the_end_of_every_sentence_on_a_loss_is_the_one_clew_says(reason):
    detail = "by mes: no 3D data" if reason is LostReason.REJECTED else ""
    queue = "" if reason is LostReason.IN_QUEUE else "mes.in"
    loss = Loss(reason, "mes.orders", 0, "shop-api", "", "", queue, detail)
    begin = "published to mes.orders 42 min ago by shop-api"
    sentence = loss_sentence(loss, 42 * MINUTE)
    assert sentence.startswith(begin)
    assert f"| `{reason}` | {sentence.removeprefix(begin)} |" in PAGE


@pytest.mark.parametrize("word", [*VerdictKind, *DeviationKind])
def test_every_verdict_and_deviation_is_in_the_document(word):
    assert f"`{word}`" in PAGE
