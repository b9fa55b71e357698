"""`spool`, `send`, `receipt`, and `preview` of what waits."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from click.testing import Result
from simulators.command_output import document, part
from simulators.hub import Hub, refusal
from simulators.publisher import NOW_S

from heatpool_client import consent_record
from heatpool_contract import telemetry
from heatpool_contract.refusals import Refusal

if TYPE_CHECKING:
    from heatpool_client.config import Config
    from heatpool_client.pool import Pool

Heatpool = Callable[..., Result]
RECORD = msgspec.json.encode({"timestamp": NOW_S, "a": 1})


def test_preview_shows_the_bytes_that_are_sent_next(
    heatpool: Heatpool, pool: Pool, hub: Hub
) -> None:
    """Without sending or changing anything."""
    assert heatpool("preview").exit_code == 5
    pool.spool.append([(NOW_S * 1000, RECORD)])
    shown = heatpool("preview")
    assert hub.requests == []
    assert heatpool("send").exit_code == 0
    (sent,) = hub.submissions
    assert telemetry.decode(shown.stdout.encode()) == sent


def test_spool_shows_what_waits_and_what_was_refused(
    heatpool: Heatpool, pool: Pool, hub: Hub
) -> None:
    """With the server's words, in the owner's language; `--retry` gives it another chance."""
    consent_record.send(pool)
    pool.spool.append([(NOW_S * 1000, RECORD)])
    hub.scripted.append(refusal(Refusal.BODY_MISSHAPEN))
    assert heatpool("send").exit_code == 0
    shown = heatpool("spool", "--language", "de")
    assert "body_misshapen" in shown.stdout
    assert heatpool("spool", "--retry", "--empty").exit_code == 2
    assert document(heatpool("spool", "--retry", "--json"))["retried"] == 1
    assert document(heatpool("send", "--json"))["records"] == 1
    pool.spool.append([(NOW_S * 1000, RECORD)])
    emptied = heatpool("spool", "--empty", "--json")
    assert (document(emptied)["emptied"], part(emptied, "waiting")["records"]) == (1, 0)


def test_send_says_when_it_is_due_again_as_a_span_not_as_a_date(
    heatpool: Heatpool, pool: Pool
) -> None:
    """`wait 3600 s`; a moment, as that of the last try, stays a date."""
    consent_record.send(pool)
    pool.spool.append([(NOW_S * 1000, RECORD)])

    sent, waiting = heatpool("send"), heatpool("spool")

    assert sent.exit_code == 0
    assert re.search(r"^wait +3600 s$", sent.stdout, re.MULTILINE)
    assert "1970" not in sent.stdout + waiting.stdout


def test_send_ends_with_the_status_of_its_problem(heatpool: Heatpool, pool: Pool, hub: Hub) -> None:
    """6: later may do. 7: the pool refused this sender."""
    consent_record.send(pool)
    pool.spool.append([(NOW_S * 1000, RECORD)])
    hub.scripted.extend([refusal(Refusal.STOPPING), refusal(Refusal.TOKEN_WRONG)])
    assert [heatpool("send").exit_code for _ in range(2)] == [6, 7]


def test_send_needs_consent(heatpool: Heatpool, config: Config, hub: Hub) -> None:
    """Exit status 4, nothing sent."""
    assert config
    assert heatpool("send").exit_code == 4
    assert hub.requests == []


def test_a_receipt_is_followed(heatpool: Heatpool, pool: Pool, hub: Hub) -> None:
    """The last ones, or one by name; an unknown one is refused."""
    pool.spool.append([(NOW_S * 1000, RECORD)])
    heatpool("send")
    hub.receipts["1-1"] = b'{"state":"stored","records":1,"messages":1,"stored":1,"reasons":[]}'
    shown = heatpool("receipt", "--json")
    assert document(shown)["receipts"] == [
        {
            "receipt": "1-1",
            "found": {
                "state": "stored", "records": 1, "messages": 1, "queued": 0, "stored": 1,
                "dead_lettered": 0, "reasons": [],
            },
        }
    ]  # fmt: skip  # a document
    assert "stored, 1 records" in heatpool("receipt", "1-1").stdout
    assert heatpool("receipt", "nobody-s").exit_code == 7
    assert heatpool("receipt", "../keys").exit_code == 5
