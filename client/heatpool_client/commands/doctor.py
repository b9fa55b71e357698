"""`doctor`: what is wrong with this installation, and what to do about it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import rich_click as click

from heatpool_client import config as configuration
from heatpool_client import consent, consent_record, courier, erasure, keys, notifying
from heatpool_client.commands.advice import ADVICE
from heatpool_client.commands.shell import leave, moment, shared_options
from heatpool_client.faults import ClientError, Exit, Fault, Words
from heatpool_client.sources import opening
from heatpool_client.version import BUILT_S
from heatpool_contract.rejects import SealRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from heatpool_client.commands.shell import Shell
    from heatpool_client.pool import Pool

State = Literal["ok", "warning", "error"]
LATE_S: Final = 86_400.0  # readings that wait for longer should have been sent
FREE_BYTES_MIN: Final = 256 * 1024  # a batch of a day and the log of a write
FREE_BYTES_LOW: Final = 64 * 1024**2  # a spool of 90 days and a detector with its predecessor


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    check: str
    state: State
    text: Words
    todo: Words | None = None


class DoctorReport(msgspec.Struct, frozen=True):
    """Outcome of `doctor`."""

    findings: list[Finding]
    errors: int
    warnings: int


@click.command("doctor")
@click.option("--offline", is_flag=True, help="Do not ask the pool.")
@shared_options
def doctor(shell: Shell, offline: bool) -> None:  # noqa: FBT001 - click passes by name
    """Look at configuration, keys, consent, clock, network, detector and spool."""
    findings = list(_findings(shell, offline=offline))
    states = [one.state for one in findings]
    report = DoctorReport(findings, states.count("error"), states.count("warning"))
    german = shell.language == "de"
    lines: list[tuple[str, object]] = []
    for one in findings:
        lines.append((f"{one.state:8} {one.check}", one.text.de if german else one.text.en))
        if one.todo is not None:
            lines.append(("", f"-> {one.todo.de if german else one.todo.en}"))
    shell.report(report, lines)
    leave(Exit.SETUP if report.errors else Exit.OK)


def _findings(shell: Shell, *, offline: bool) -> Iterator[Finding]:
    now_s = shell.clock.now_s()
    try:
        config = shell.config()
    except ClientError as error:
        yield _failed("config", error)
        return
    yield _fine("config", config.server, config.server)
    yield from _guarded("token", lambda: _token(shell))
    yield from _guarded("keys", lambda: _keys(shell))
    yield from _guarded("consent", lambda: _consent(shell))
    yield _clock(shell, now_s)
    yield _disk(shell)
    with shell.pool(config) as pool:
        yield from _guarded("spool", lambda: _spool(shell, pool, now_s))
        yield from _guarded("consent_record", lambda: _consent_record(shell))
        yield from _guarded("erasure", lambda: _erasure(shell))
        yield from _guarded("alerts", lambda: _alerts(shell))
        if shell.home.source.exists():
            yield from _guarded("source", lambda: _source(shell))
        yield from _guarded("model", lambda: _model(pool, now_s))
        if not offline:
            yield from _guarded("pool", lambda: _pool(pool))


def _guarded(check: str, look: Callable[[], Finding]) -> Iterator[Finding]:
    try:
        yield look()
    except ClientError as error:
        yield _failed(check, error)
    except SealRefused as error:
        yield _failed(check, ClientError(Fault.MODEL_REJECTED, error))


def _failed(check: str, error: ClientError) -> Finding:
    """The texts of most errors say what to do already; for the others there is a table."""
    state: State = "warning" if error.exit in (Exit.NO_CONSENT, Exit.NOTHING) else "error"
    text = Words(error.text("en"), error.text("de"))
    return Finding(check=check, state=state, text=text, todo=ADVICE.get(error.code))


def _fine(check: str, en: str, de: str) -> Finding:
    return Finding(check=check, state="ok", text=Words(en, de))


def _token(shell: Shell) -> Finding:
    configuration.read_token(shell.home, shell.environ)
    return _fine("token", "there", "vorhanden")


def _keys(shell: Shell) -> Finding:
    own = keys.load(shell.home)
    if own.registered_s is None:
        return Finding(
            check="keys", state="warning", text=Words("not registered", "nicht registriert"),
            todo=Words("Run `heatpool register`.", "Bitte `heatpool register` ausführen."),
        )  # fmt: skip  # one finding
    return _fine("keys", "registered", "registriert")


def _consent(shell: Shell) -> Finding:
    consent.require(shell.home, shell.environ)
    return _fine("consent", "given", "erteilt")


def _consent_record(shell: Shell) -> Finding:
    """What the pool has of the owner's decisions."""
    seen = consent_record.seen(shell.home, shell.environ)
    reason = f" ({seen.problem})" if seen.problem and seen.standing != "no_key" else ""
    text = Words(seen.text.en + reason, seen.text.de + reason)
    if seen.standing == "refused":
        todo = Words(
            "Nothing here: the pool's operator can say why; the record at home stands.",
            "Hier nichts: Der Betreiber kann sagen warum; der Nachweis zu Hause gilt.",
        )
    elif seen.standing == "waiting" and seen.problem is not None:
        todo = Words("`heatpool send` tries again.", "`heatpool send` versucht es erneut.")
    else:
        return Finding(check="consent_record", state="ok", text=text)
    return Finding(check="consent_record", state="warning", text=text, todo=todo)


def _clock(shell: Shell, now_s: float) -> Finding:
    skew_s = courier.read_notes(shell.home).clock_skew_s
    off = skew_s is not None and abs(skew_s) > courier.SKEW_S_MAX
    if now_s >= BUILT_S and not off:
        return _fine("clock", moment(now_s), moment(now_s))
    text = f"{moment(now_s)}, off by {skew_s or 0:.0f} s"
    return Finding(
        check="clock",
        state="error" if now_s < BUILT_S else "warning",
        text=Words(text, f"{moment(now_s)}, Abweichung {skew_s or 0:.0f} s"),
        todo=Words(
            "Let the machine set its clock (systemd-timesyncd, chrony).",
            "Bitte die Uhr stellen lassen (systemd-timesyncd, chrony).",
        ),
    )


def _disk(shell: Shell) -> Finding:
    """Whether the state folder takes readings."""
    try:
        place = os.statvfs(shell.home.root)
    except OSError as error:
        return _failed("disk", ClientError(Fault.STATE_UNUSABLE, shell.home.root, error.strerror))
    free = place.f_bavail * place.f_frsize
    if place.f_flag & os.ST_RDONLY or not os.access(shell.home.root, os.W_OK):
        return Finding(
            check="disk", state="error",
            text=Words("cannot be written to", "nicht beschreibbar"),
            todo=Words(
                "Readings wait in memory only. Look at `dmesg`: Linux makes a disk read-only after "
                "errors; else mend the owner of the folder.",
                "Messwerte warten nur im Speicher. Bitte `dmesg` ansehen: Nach Fehlern sperrt Linux"
                " das Schreiben; sonst den Eigentümer des Ordners berichtigen.",
            ),
        )  # fmt: skip  # one finding
    text = f"{free // 1024**2} MiB"
    if free >= FREE_BYTES_LOW:
        return _fine("disk", f"{text} free", f"{text} frei")
    return Finding(
        check="disk", state="error" if free < FREE_BYTES_MIN else "warning",
        text=Words(f"{text} free", f"{text} frei"),
        todo=Words(
            "Make room, or set `spool_bytes_max` in config.toml; readings are lost when it is full "
            "for days.",
            "Bitte Platz schaffen oder `spool_bytes_max` in config.toml setzen; ist der Speicher "
            "tagelang voll, gehen Messwerte verloren.",
        ),
    )  # fmt: skip  # one finding


def _spool(shell: Shell, pool: Pool, now_s: float) -> Finding:
    if not shell.home.spool.exists():
        return _fine("spool", "nothing waits", "nichts wartet")
    waiting, notes = pool.spool.waiting(), courier.read_notes(shell.home)
    counts = ", ".join(f"{name} {count}" for name, count in sorted(waiting.counts.items()))
    en = f"{waiting.records} readings wait, {waiting.bytes} bytes; {counts}"
    de = f"{waiting.records} Messwerte warten, {waiting.bytes} Bytes; {counts}"
    late = waiting.oldest_s is not None and now_s - waiting.oldest_s > LATE_S
    if waiting.set_aside:
        todo = Words(
            "The pool refused some: `heatpool spool` shows why, `heatpool spool --retry` sends "
            "them again.",
            "Der Datenpool hat welche abgelehnt: `heatpool spool` zeigt warum, `heatpool spool "
            "--retry` sendet sie erneut.",
        )
    elif notes.problem is not None:
        todo = Words(notes.problem_text, notes.problem_text_de)
    elif late:
        todo = Words("Run `heatpool send`.", "Bitte `heatpool send` ausführen.")
    else:
        return _fine("spool", en, de)
    return Finding(check="spool", state="warning", text=Words(en, de), todo=todo)


def _erasure(shell: Shell) -> Finding:
    wish = erasure.last(shell.home)
    if wish is None:
        return _fine("erasure", "none asked for", "keine angefragt")
    if wish.is_done:
        return _fine("erasure", "done", "erledigt")
    if wish.confirmed_s is not None:
        return _fine(
            "erasure",
            "on its way at the pool: `heatpool erasure`",
            "läuft beim Datenpool: `heatpool erasure`",
        )
    return Finding(
        check="erasure", state="warning",
        text=Words("not confirmed yet", "noch nicht bestätigt"),
        todo=Words("`heatpool send` tries again.", "`heatpool send` versucht es erneut."),
    )  # fmt: skip  # one finding


def _alerts(shell: Shell) -> Finding:
    settings = notifying.read_settings(shell.home)
    where = [f"{len(settings.urls)} x Apprise"] if settings.urls else []
    where += ["MQTT"] if settings.mqtt is not None else []
    text = ", ".join(where)
    return _fine("alerts", text or "the log only", text or "nur ins Protokoll")


def _source(shell: Shell) -> Finding:
    settings = opening.read_settings(shell.home)
    values = opening.read_map(settings)
    return _fine("source", f"{settings.map}, {values} values", f"{settings.map}, {values} Werte")


def _model(pool: Pool, now_s: float) -> Finding:
    active = pool.active()
    if active is None:
        pool.scorer()  # says that there is none
        raise AssertionError
    until = moment(active.entry.expires_s)
    if now_s < active.entry.expires_s and not active.is_previous:
        return _fine("model", f"{active.entry.version} until {until}",
                     f"{active.entry.version} bis {until}")  # fmt: skip  # one finding
    return Finding(
        check="model", state="warning",
        text=Words(f"expired {until}, or damaged", f"abgelaufen {until} oder beschädigt"),
        todo=Words("Run `heatpool update`.", "Bitte `heatpool update` ausführen."),
    )  # fmt: skip  # one finding


def _pool(pool: Pool) -> Finding:
    answer = pool.check()
    text = Words(answer.reason_text, answer.reason_de)
    if answer.eligible:
        return Finding(check="pool", state="ok", text=text)
    days = answer.contribution
    return Finding(
        check="pool",
        state="warning",
        text=text,
        todo=Words(
            f"Go on sharing: {days.days} of {days.days_required} days.",
            f"Bitte weiter teilen: {days.days} von {days.days_required} Tagen.",
        ),
    )
