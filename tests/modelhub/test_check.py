"""`GET /api/v1/model/check` over real HTTP: who may have what, and what nobody learns."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators import publisher as pub
from simulators.running_hub import BEARER, MODEL_NAME, OTHER_TOKEN, contributor, name_of, settings

from heatpool_contract.answers import CheckAnswer
from heatpool_contract.fresh import FRESH_LIFETIME_S_MAX, verify_fresh
from heatpool_contract.grants import GRANT_LIFETIME_S, open_grant
from heatpool_contract.rejects import SealRefused

if TYPE_CHECKING:
    import httpx
    from simulators.running_hub import RunningHub


def read(response: httpx.Response) -> CheckAnswer:
    """The answer as the contract has it."""
    assert response.status_code == 200, response.text
    return msgspec.json.decode(response.content, type=CheckAnswer)


async def test_contributor_gets_a_grant_that_opens_the_release(hub: RunningHub) -> None:
    """The content key is sealed to the key that the home registered, for a day."""
    sealed = pub.release()
    await hub.enter(pub.HOME, contributor(x25519=pub.box_public("home"), ed25519=b"e" * 32))
    await hub.publish(sealed)

    answer = read(await hub.check(model=MODEL_NAME, current_hash="old"))

    assert answer.eligible
    assert (answer.reason, answer.model_available, answer.update_available) == ("ok", True, True)
    assert (answer.model_hash, answer.size) == (sealed.model_hash, len(sealed.blob))
    assert (answer.model_version, answer.epoch, answer.seq) == ("v2026.11", 1, 7)
    assert answer.grant_kind == "installation"
    grant = b64decode(answer.key_grant or "")
    until_s = pub.NOW_S + GRANT_LIFETIME_S
    home = pub.secret("home")
    assert open_grant(grant, home, sealed.model_hash, pub.HOME, until_s - 1) == sealed.cek
    with pytest.raises(SealRefused, match="grant_expired"):
        open_grant(grant, home, sealed.model_hash, pub.HOME, until_s)
    with pytest.raises(SealRefused, match="grant_sealed"):
        open_grant(grant, pub.secret("fleet"), sealed.model_hash, pub.HOME, pub.NOW_S)


async def test_home_without_a_key_gets_the_fleet_grant_named_as_such(hub: RunningHub) -> None:
    """Deployed loggers, which call with their id alone, get what the fleet key opens."""
    sealed = pub.release()
    await hub.enter(pub.HOME, contributor())
    await hub.publish(sealed)

    answer = read(await hub.check())

    assert answer.grant_kind == "fleet"
    grant = b64decode(answer.key_grant or "")
    fleet = pub.secret("fleet")
    assert open_grant(grant, fleet, sealed.model_hash, pub.HOME, pub.NOW_S) == sealed.cek


async def test_home_that_has_the_release_needs_no_update(hub: RunningHub) -> None:
    """The hash that the logger says it has is compared with the current one."""
    sealed = pub.release()
    await hub.enter(pub.HOME, contributor())
    await hub.publish(sealed)

    assert not read(await hub.check(current_hash=sealed.model_hash)).update_available
    assert read(await hub.check(current_hash=sealed.model_hash[:-1])).update_available


async def test_unknown_inactive_erased_and_other_model_are_one_answer(hub: RunningHub) -> None:
    """Byte for byte: nobody learns whether an installation is known."""
    await hub.publish(pub.release())
    homes = {
        pub.HOME: contributor(days_ago=30),
        pub.OTHER_HOME: contributor(erased=True),
        "11111111-1111-4111-8111-111111111111": contributor(model="wpf_05"),
    }
    for home, entry in homes.items():
        await hub.enter(home, entry)  # type: ignore[arg-type]  # literals are canonical ids
    stranger = "22222222-2222-4222-8222-222222222222"

    bodies = set()
    shapes = set()
    for home in (*homes, stranger):
        response = await hub.check(home, model=MODEL_NAME)  # type: ignore[arg-type]  # as above
        headers = [(name, value) for name, value in response.headers.items() if name != "date"]
        bodies.add(response.content)
        shapes.add((response.status_code, tuple(headers)))

    assert len(bodies) == len(shapes) == 1
    answer = msgspec.json.decode(bodies.pop(), type=CheckAnswer)
    assert not answer.eligible
    assert answer.reason == "no_recent_contribution"
    assert answer.key_grant is None
    assert not answer.update_available
    assert (answer.contribution.samples, answer.contribution.last) == (0, None)


async def test_inactive_home_without_model_is_told_what_a_stranger_is_told(
    hub: RunningHub,
) -> None:
    """Without the parameter the model of the entry is not given away either."""
    await hub.enter(pub.HOME, contributor(days_ago=30))
    await hub.publish(pub.release())

    known = await hub.check(pub.HOME)
    stranger = await hub.check(pub.OTHER_HOME)

    assert known.content == stranger.content
    assert not read(known).model_available


@pytest.mark.parametrize(("days_ago", "eligible"), [(0, True), (29, True), (30, False)])
async def test_eligibility_ends_after_thirty_days(
    hub: RunningHub, days_ago: int, *, eligible: bool
) -> None:
    """A contribution counts on its day and the 29 that follow."""
    await hub.enter(pub.HOME, contributor(days_ago=days_ago))

    assert read(await hub.check()).eligible is eligible


async def test_contributor_without_release_learns_why(hub: RunningHub) -> None:
    """First the pool is too small, then there is no detector yet; both in two languages."""
    await hub.enter(pub.HOME, contributor())
    small = read(await hub.check())
    await hub.enter(pub.HOME, contributor(samples=9_000))
    for number in range(4):
        await hub.enter(f"00000000-0000-4000-8000-00000000000{number}", contributor())  # type: ignore[arg-type]  # literals are canonical ids
    enough = read(await hub.check())

    assert small.eligible
    assert (small.reason, small.model_available) == ("pool_too_small", False)
    assert not small.data_pool.data_sufficient
    assert enough.reason == "no_model_for_type"
    assert enough.data_pool.data_sufficient
    assert (enough.data_pool.total_installations, enough.data_pool.total_data_points) == (5, 14000)
    assert "Wärmepumpenmodell" in enough.reason_de


async def test_change_of_eligibility_is_an_event_for_who_asks(hub: RunningHub) -> None:
    """A logger that says what it was told gets the change, once, in either direction."""
    await hub.enter(pub.HOME, contributor())

    for told, event in (("false", "became_eligible"), ("true", None), ("", None)):
        assert read(await hub.check(was_eligible=told)).event == event
    hub.now_s += 30 * pub.DAY_S
    for told, event in (("true", "no_longer_eligible"), ("false", None)):
        known = await hub.check(was_eligible=told)
        assert read(known).event == event
        assert known.content == (await hub.check(pub.OTHER_HOME, was_eligible=told)).content
    wrong = await hub.check(was_eligible="perhaps")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "bad_request")


async def test_sum_of_a_model_is_shown_in_two_digits(hub: RunningHub) -> None:
    """A rare model's only home: nobody sees from the sum that it has sent another hour."""
    await hub.enter(pub.HOME, contributor(model="rare", samples=160_000))
    before = await hub.check(pub.OTHER_HOME, model="rare")
    pool_before = read(await hub.check(model="rare")).data_pool.total_data_points
    await hub.enter(pub.HOME, contributor(model="rare", samples=160_660))

    after = await hub.check(pub.OTHER_HOME, model="rare")
    status = (await hub.http.get("/api/v1/pool/status")).json()

    assert before.content == after.content
    assert pool_before == status["total_data_points"] == 160_000
    assert "660" not in status["message"] + status["message_de"]


async def test_strangers_do_not_see_one_home_of_a_model_come_or_go(hub: RunningHub) -> None:
    """Attack 67: no contributor, hence homes in steps of five; who contributes sees them all."""
    homes = [f"00000000-0000-4000-8000-00000000000{number}" for number in range(7)]
    nothing = await hub.check(pub.OTHER_HOME, model="rare")
    for home in homes[:4]:
        await hub.enter(home, contributor(model="rare", samples=9_000))  # type: ignore[arg-type]  # literals are canonical ids
    four = await hub.check(pub.OTHER_HOME, model="rare")
    own = read(await hub.check(homes[0], model="rare"))  # type: ignore[arg-type]  # as above
    for home in homes[4:]:
        await hub.enter(home, contributor(model="rare", samples=9_000))  # type: ignore[arg-type]  # as above
    seven = read(await hub.check(pub.OTHER_HOME, model="rare"))

    assert nothing.content == four.content
    assert (own.data_pool.total_installations, own.data_pool.total_data_points) == (4, 36_000)
    assert seven.data_pool.total_installations == 5
    assert seven.data_pool.data_sufficient


async def test_progress_is_told_where_more_days_are_asked_for(hub: RunningHub) -> None:
    """The contributor sees days, days required, last record and values."""
    await hub.enter(pub.HOME, contributor(days_mask=0b1011))

    contribution = read(await hub.check()).contribution

    assert (contribution.days, contribution.days_required, contribution.samples) == (3, 1, 1_440)
    assert contribution.last == contributor().last_ms / 1000


async def test_freshness_statement_verifies_and_is_signed_once_for_all(hub: RunningHub) -> None:
    """It names the current release for two days, and is renewed after ten minutes."""
    sealed = pub.release()
    await hub.publish(sealed)

    first = read(await hub.check(model=MODEL_NAME)).fresh
    hub.now_s += 599
    same = read(await hub.check(pub.OTHER_HOME, model=MODEL_NAME)).fresh
    hub.now_s += 1
    renewed = read(await hub.check(model=MODEL_NAME)).fresh

    assert first == same != renewed
    fresh = verify_fresh(b64decode(first or ""), pub.MODEL, None, pub.TRUST, pub.NOW_S)
    assert (fresh.model_hash, fresh.seq, fresh.issued_s) == (sealed.model_hash, 7, pub.NOW_S)
    assert fresh.expires_s == pub.NOW_S + FRESH_LIFETIME_S_MAX


async def test_expired_release_is_not_offered(hub: RunningHub) -> None:
    """A client would refuse it."""
    await hub.enter(pub.HOME, contributor())
    await hub.publish(pub.release(expires_s=pub.NOW_S + 60))

    before = read(await hub.check())
    hub.now_s += 60
    after = read(await hub.check())

    assert before.model_available
    assert not after.model_available


async def test_token_is_optional_but_must_be_right(hub: RunningHub) -> None:
    """Deployed loggers send none; a wrong one is an error that its owner wants to see."""
    url = f"/api/v1/model/check?installation_id={pub.HOME}"

    for value, status in (
        (BEARER["Authorization"], 200),
        (f"bearer   {OTHER_TOKEN}", 200),
        ("Bearer wrong", 403),
        ("Bearer", 401),
        ("Basic abc", 401),
    ):
        response = await hub.http.get(url, headers={"Authorization": value})
        assert response.status_code == status, value


async def test_answers_are_not_stored_by_caches(hub: RunningHub) -> None:
    """A grant in a shared cache would be somebody else's."""
    response = await hub.check()

    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_log_line_has_neither_installation_nor_query_nor_address(hub: RunningHub) -> None:
    """Route, code, time and the masked address are all that is written."""
    await hub.enter(pub.HOME, contributor())

    await hub.check(model=MODEL_NAME)

    line = next(event for event in hub.events if event["event"] == "request")
    assert line["route"] == "/api/v1/model/check"
    assert (line["code"], line["status"], line["address"]) == ("ok", 200, "127.0.0.0/16")
    everything = repr(hub.events)
    for private in (pub.HOME, name_of(pub.HOME), MODEL_NAME, "127.0.0.1"):
        assert private not in everything
    assert hub.metric("heatpool_modelhub_requests_total", route="/api/v1/model/check", code="ok")


def test_settings_show_no_secret() -> None:
    """Neither in reprs nor in the keys made from them."""
    chosen = settings()

    assert "logger-token" not in repr(chosen)
    assert "test pool" not in repr(chosen)
