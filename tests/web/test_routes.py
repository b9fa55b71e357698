"""The page's answers: what they hold, what they never hold, who gets them."""

from __future__ import annotations

import re
from base64 import b64encode
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators.hub import TOKEN, Reply
from simulators.publisher import NOW_S
from simulators.small_detector import small

from heatpool_client import consent, pausing
from heatpool_client.history import MODE, History
from heatpool_client.home import read_private
from heatpool_client.web import guard
from heatpool_client.web.cards import StatusCard
from heatpool_client.web.guard import CSRF_HEADER
from heatpool_client.web.kept import FAILED_S, FRESH_S
from heatpool_client.web.own import curve_card
from heatpool_client.web.routes import Answered, Asked, Site
from heatpool_client.web.shapes import (
    AlarmsCard,
    ComparisonCard,
    CopCard,
    CurveCard,
    ScoresCard,
)

if TYPE_CHECKING:
    from simulators.community_hub import CommunityHub
    from simulators.household import Household


HOST = "127.0.0.1:8737"
READ = (
    "status", "pool", "scores", "alarms", "cop", "comparison", "ranking", "preview", "consent",
    "curve?feature=cop",
)  # fmt: skip  # one list
PAGE = files("heatpool_client.web").joinpath("page")


def get(site: Site, address: str, cookie: str | None = None, **headers: str) -> Answered:
    """Read as a browser does."""
    path, _, query = address.partition("?")
    return site.answer(Asked("GET", path, query, {"host": HOST, **headers}, cookie))


def card(site: Site, address: str) -> dict[str, object]:
    """A card as JSON."""
    answered = get(site, f"/api/{address}")
    assert (answered.status, answered.media) == (200, "application/json")
    assert isinstance(answered.body, bytes)
    return msgspec.json.decode(answered.body, type=dict[str, object])


class Visitor:
    """A browser that has the page open."""

    def __init__(self, site: Site) -> None:
        """Open it."""
        self.site = site
        answered = get(site, "/")
        assert isinstance(answered.body, bytes)
        found = re.search(rb'csrf-token" content="(\w+)"', answered.body)
        self.csrf = found[1].decode() if found else ""
        self.cookie = answered.session

    def post(self, what: str, body: str = "{}", /, **changes: str | None) -> Answered:
        """Press a button; `changes` to the headers, None takes one away."""
        headers: dict[str, str | None] = {
            "host": HOST,
            "origin": f"http://{HOST}",
            "content-type": "application/json",
            CSRF_HEADER: self.csrf,
            **{name.replace("_", "-"): value for name, value in changes.items()},
        }
        sent = {name: value for name, value in headers.items() if value is not None}
        return self.site.answer(Asked("POST", f"/api/{what}", "", sent, self.cookie, body.encode()))


def code(answered: Answered) -> str:
    """The error's code."""
    assert isinstance(answered.body, bytes)
    failed = msgspec.json.decode(answered.body, type=dict[str, dict[str, object]])["error"]
    assert failed["text"]
    assert failed["text_de"]
    return str(failed["code"])


def decoded(household: Household, address: str, kind: type[msgspec.Struct]) -> msgspec.Struct:
    """A card as its Struct."""
    body = get(Site(household.pool, None), f"/api/{address}").body
    assert isinstance(body, bytes)
    return msgspec.json.decode(body, type=kind)


def test_nothing_is_asked_of_the_pool_without_consent(
    household: Household, hub: CommunityHub
) -> None:
    """Every card answers; those that need the pool say why they are empty."""
    site = Site(household.pool, None)
    for name in READ:
        card(site, name)

    assert hub.requests == []
    problem = card(site, "pool")["problem"]
    assert isinstance(problem, dict)
    assert problem["code"] == "consent_missing"
    assert get(site, "/api/export").status == 409


def test_a_week_is_shown_with_its_alarm(lived_in: Household) -> None:
    """The fault's episode, in words of both languages, with the usual range and the own curve."""
    scores = decoded(lived_in, "scores", ScoresCard)
    alarms = decoded(lived_in, "alarms", AlarmsCard)
    curve = decoded(lived_in, "curve?feature=cop", CurveCard)
    assert isinstance(scores, ScoresCard)
    assert isinstance(alarms, AlarmsCard)
    assert isinstance(curve, CurveCard)

    assert scores.latest is not None
    assert (scores.latest.is_alarm, scores.latest.mode_de, scores.stale_since_s) == (
        True, "Heizen", None,
    )  # fmt: skip  # one value
    assert 100 < len(scores.times_s) <= 700
    assert max(scores.smoothed) > scores.threshold[-1] > min(scores.smoothed)
    (alarm,) = alarms.alarms
    assert NOW_S - alarm.start_s < 20 * 3600
    assert (alarm.feature, alarm.is_alarm) == ("cop", True)
    assert alarm.sentences[0].startswith("COP 2.")
    assert "unter dem erwarteten Wert" in alarm.sentences_de[0]
    assert alarm.usual_low == curve.usual_low == pytest.approx(3.2)
    faulty = [own for at_s, own in zip(curve.times_s, curve.own, strict=True)
              if at_s > alarm.start_s]  # fmt: skip  # one list
    healthy = [own for at_s, own in zip(curve.times_s, curve.own, strict=True)
               if at_s < alarm.start_s - 7200]  # fmt: skip  # one list
    assert max(faulty) < max(healthy) * 0.8


def test_own_values_stand_beside_those_of_the_homes(lived_in: Household) -> None:
    """Own means over the same days; what the pool suppresses is named."""
    seen = decoded(lived_in, "comparison?window=7d", ComparisonCard)
    cop = decoded(lived_in, "cop?days=30", CopCard)
    assert isinstance(seen, ComparisonCard)
    assert isinstance(cop, CopCard)

    by_name = {one.metric: one for one in seen.metrics}
    assert by_name["temp_flow"].own == pytest.approx(35.0, abs=0.5)
    assert by_name["temp_flow"].homes is not None
    assert by_name["temp_dhw"].homes is None
    assert seen.suppressed == ["temp_dhw"]
    assert [one.outdoor_celsius for one in cop.bins] == [0.0, 3.0, 6.0, 9.0]
    assert all(one.expected is not None for one in cop.bins)


def test_the_status_says_what_waits_what_was_left_out_and_where_the_model_is_from(
    lived_in: Household,
) -> None:
    """Backlog, reasons in words, provenance and the verification's result."""
    seen = decoded(lived_in, "status", StatusCard)
    assert isinstance(seen, StatusCard)

    assert (seen.sharing, seen.consent, seen.records_waiting) == ("on", "granted", 49)
    assert seen.last_upload_s == NOW_S
    assert [(one.code, one.count, one.kind) for one in seen.left_out] == [
        ("value_not_numeric", 144, "here")
    ]
    assert seen.left_out[0].text_de.startswith("Texte")
    assert seen.detector is not None
    assert (seen.detector.is_verified, seen.detector.trust_version) == (True, 1)
    preview = card(Site(lived_in.pool, None), "preview")
    assert preview["records"] == 49
    assert isinstance(preview["body"], dict)
    assert preview["body"]["installation_id"] == lived_in.config.installation_id


@pytest.mark.parametrize("address", ["/", *(f"/api/{one}" for one in READ), "/assets/owner.js"])
def test_no_answer_holds_a_secret_or_lets_others_read(lived_in: Household, address: str) -> None:
    """Neither token nor keys nor grants; no CORS; nothing inline or from elsewhere."""
    site = Site(lived_in.pool, None)
    answered = get(site, address, origin="http://evil.example")
    assert answered.status == 200
    assert isinstance(answered.body, bytes)
    keys = msgspec.json.decode(read_private(lived_in.home.identity) or b"", type=dict[str, object])
    secrets = [
        TOKEN,
        *(str(value) for name, value in keys.items() if "seed" in name or "x25" in name),
    ]

    assert len(secrets) >= 3
    assert not [one for one in [*secrets, "key_grant"] if one.encode() in answered.body]
    assert not [name for name in answered.headers if name.startswith("access-control")]
    assert "default-src 'none'" in answered.headers["content-security-policy"]
    assert "unsafe" not in answered.headers["content-security-policy"]


@pytest.mark.parametrize("name", ["index.html", "login.html"])
def test_a_page_has_nothing_inline(name: str) -> None:
    """No script, style or handler in the HTML: the policy would stop it."""
    text = PAGE.joinpath(name).read_text("utf-8")

    assert not re.findall(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son\w+=", text)
    assert not re.findall(r"""(?:src|href)="(?:https?:)?//""", text)


def test_the_pages_scripts_ask_for_texts_that_are_there(household: Household) -> None:
    """Every key that is named whole has a text."""
    site = Site(household.pool, None)
    body = get(site, "/assets/texts.de.json").body
    assert isinstance(body, bytes)
    words = msgspec.json.decode(body, type=dict[str, str])
    asked = set(re.findall(r'\bt\("([a-z0-9_.]+)"', PAGE.joinpath("owner.js").read_text("utf-8")))

    assert len(asked) > 40
    assert asked - words.keys() == set()


@pytest.mark.parametrize(
    ("changes", "status", "expected"),
    [
        ({CSRF_HEADER: None}, 403, "csrf"),
        ({CSRF_HEADER: "0" * 64}, 403, "csrf"),
        ({"origin": "http://evil.example"}, 403, "cross_site"),
        ({"sec-fetch-site": "cross-site"}, 403, "cross_site"),
        ({"content-type": "text/plain"}, 415, "body"),
        ({"content-type": "application/x-www-form-urlencoded"}, 415, "body"),
        ({"host": "evil.example", "origin": "http://evil.example"}, 421, "host"),
    ],
)
def test_a_forged_change_changes_nothing(
    household: Household, changes: dict[str, str | None], status: int, expected: str
) -> None:
    """Each lock alone keeps it out."""
    household.agree()
    visitor = Visitor(Site(household.pool, None))
    answered = visitor.post("withdraw", **changes)

    assert (answered.status, code(answered)) == (status, expected)
    assert consent.standing(household.home) == "granted"


def test_a_change_needs_the_session_that_the_page_opened(household: Household) -> None:
    """The token of the page alone is not enough."""
    household.agree()
    visitor = Visitor(Site(household.pool, None))
    visitor.cookie = "0" * 64
    answered = visitor.post("withdraw")

    assert (answered.status, code(answered)) == (401, "session")
    assert consent.standing(household.home) == "granted"


def test_the_owner_opts_in_pauses_withdraws(household: Household, hub: CommunityHub) -> None:
    """What the buttons do is what the command line does."""
    visitor = Visitor(Site(household.pool, None))
    version = f'{{"version":"{consent.CONSENT_VERSION}","language":"de"}}'
    assert visitor.post("consent", version).status == 200
    last = consent.current(household.home)
    assert last is not None
    assert (last.means, last.language) == ("asked", "de")
    assert [path.rsplit("/", 1)[-1] for path in hub.paths()] == ["keys", "consent"]

    household.pool.spool.append([(NOW_S * 1000, b'{"timestamp":1.0,"a":1}')])
    assert visitor.post("pause", '{"hours":24}').status == 200
    answered = visitor.post("send")
    assert isinstance(answered.body, bytes)
    assert msgspec.json.decode(answered.body, type=dict[str, object])["problem"] == pausing.PAUSED
    assert (hub.submissions, card(visitor.site, "status")["sharing"]) == ([], "paused")
    visitor.post("pause", '{"hours":0}')
    visitor.post("send")
    assert len(hub.submissions) == 1

    visitor.post("withdraw")
    assert consent.standing(household.home) == "withdrawn"
    assert visitor.post("send").status == 409


def test_erasing_needs_the_word(household: Household, hub: CommunityHub) -> None:
    """Anything else erases nothing; the word sends the signed request."""
    household.agree()
    visitor = Visitor(Site(household.pool, None))
    for wrong in ('{"confirm":"yes"}', '{"confirm":""}', "{}", "[", '{"confirm":"ERASE","x":1}'):
        assert visitor.post("erase", wrong).status == 400
    assert (hub.erased, consent.standing(household.home)) == ([], "granted")

    assert visitor.post("erase", '{"confirm":"erase","history":true}').status == 200
    assert hub.erased == [household.config.installation_id]
    assert code(visitor.post("consent", f'{{"version":"{consent.CONSENT_VERSION}"}}')) == (
        "installation_erased"
    )


def test_an_old_answer_stays_while_the_pool_is_away(
    household: Household, hub: CommunityHub
) -> None:
    """It is called old; the pool is not asked more often than every half minute."""
    household.agree()
    site = Site(household.pool, None)
    fresh = card(site, "ranking")
    asked = len(hub.requests)
    assert card(site, "ranking") == fresh
    assert len(hub.requests) == asked
    household.fake_time.now_s += FRESH_S
    hub.scripted.extend([Reply(503)] * 2)
    for _ in range(3):
        stale = card(site, "ranking")
    assert (stale["answer"], stale["fetched_s"]) == (fresh["answer"], fresh["fetched_s"])
    assert isinstance(stale["problem"], dict)
    assert stale["problem"]["code"] == "unreachable"
    assert len(hub.requests) == asked + 1
    household.fake_time.now_s += FAILED_S
    card(site, "ranking")
    assert len(hub.requests) == asked + 2


def test_the_export_is_what_the_pool_gives(household: Household) -> None:
    """As a file, piece by piece."""
    household.agree()
    answered = get(Site(household.pool, None), "/api/export")

    assert answered.headers["content-disposition"].startswith("attachment")
    assert b"".join(answered.body) == b"timestamp,cop_current\n1795219200,3.5\n"  # type: ignore[arg-type]  # an iterator


def test_with_a_password_nothing_is_shown_without_it(household: Household) -> None:
    """The page asks; a program may use basic authentication to read, not to change."""
    household.home.create()
    guard.write_password(household.home, "correct horse")
    site = Site(household.pool, guard.read_secret(household.home))
    first = get(site, "/")
    assert (b'data-page="login"' in bytes(first.body), first.session) == (True, None)  # type: ignore[arg-type]  # bytes
    assert code(get(site, "/api/status")) == "session"
    basic = "Basic " + b64encode(b"me:correct horse").decode()
    assert get(site, "/api/status", authorization=basic).status == 200

    visitor = Visitor(site)
    assert visitor.post("withdraw", authorization=basic).status == 401
    assert code(visitor.post("login", '{"password":"wrong"}')) == "password"
    opened = visitor.post("login", '{"password":"correct horse"}')
    assert opened.session
    assert b'data-page="owner"' in bytes(get(site, "/", opened.session).body)  # type: ignore[arg-type]  # bytes
    assert get(site, "/api/status", opened.session).status == 200
    for _ in range(4):
        visitor.post("login", '{"password":"wrong"}')
    assert visitor.post("login", '{"password":"correct horse"}').status == 429


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("GET", "/api/nothing", 404),
        ("GET", "/nothing", 404),
        ("GET", "/assets/../routes.py", 404),
        ("GET", "/assets/index.html", 404),
        ("GET", "/api/scores?days=8", 400),
        ("GET", "/api/comparison?window=1y", 400),
        ("GET", "/api/curve?feature=a'b", 400),
        ("GET", "/api/curve", 400),
        ("GET", "/api/curve?feature=cop&mode=a%20b", 400),
        ("DELETE", "/api/status", 405),
        ("OPTIONS", "/api/status", 405),
    ],
)
def test_what_is_not_offered_is_refused(
    household: Household, method: str, address: str, status: int
) -> None:
    """With a code and a sentence, and the security headers."""
    path, _, query = address.partition("?")
    answered = Site(household.pool, None).answer(Asked(method, path, query, {"host": HOST}, None))

    assert answered.status == status
    assert code(answered)
    assert answered.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(("accept", "word"), [("de", "Meine"), ("en", "My heat"), ("fr", "My")])
def test_the_page_speaks_the_browsers_language(
    household: Household, accept: str, word: str
) -> None:
    """Unless the address says another one."""
    site = Site(household.pool, None)
    answered = get(site, "/", **{"accept-language": accept})
    chosen = get(site, "/?lang=de", **{"accept-language": accept})

    assert word.encode() in bytes(answered.body)  # type: ignore[arg-type]  # bytes
    assert b'<html lang="de">' in bytes(chosen.body)  # type: ignore[arg-type]  # bytes


def test_every_answer_is_documented(household: Household) -> None:
    """The page of the documentation names what is served, and nothing else."""
    text = (Path(__file__).parents[2] / "docs" / "client" / "web.md").read_text("utf-8")
    documented = set(re.findall(r"^\| `GET /api/(\w+)`", text, re.MULTILINE))

    assert documented == {one.partition("?")[0] for one in READ} | {"export"}
    assert {get(Site(household.pool, None), f"/api/{name}").status for name in documented} == {
        200, 400, 409,
    }  # fmt: skip  # curve without a feature, export without consent


def test_a_curve_is_of_the_mode_that_the_alarm_is_of(household: Household) -> None:
    """Two modes judge the COP: the named one counts, else the one that ran most."""
    bare = small()
    heating = bare.modes[1]
    warm = msgspec.structs.replace(heating.targets[0], usual=(1.0, 2.0, 3.0))
    water = msgspec.structs.replace(heating, name="water", targets=(warm, *heating.targets[1:]))
    detector = msgspec.structs.replace(bare, modes=(bare.modes[0], water, heating))
    history = History(household.home.history, household.fake_time.clock())
    for at_s, mode, cop in ((1, 1, 2.0), (61, 2, 4.0), (121, 2, 4.2)):
        history.measured(NOW_S - at_s, {"cop": cop, MODE: float(mode)})
    history.flush()

    def seen(mode: str | None) -> CurveCard:
        return curve_card(history, detector, ("cop", mode), (NOW_S, 1))

    assert (seen("water").own, seen("water").usual_high) == ([2.0], 3.0)
    assert (seen(None).own, seen(None).usual_high) == ([4.1], 4.8)
    assert seen("heating") == seen(None)
