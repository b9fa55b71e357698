"""A logger of its own: a source, the pool, the detector, the owner. What `heatpool run` does.

In: an open source, the settings. Out: recorded readings, scores, alerts, Home Assistant's state.
Guarantee: one reading after the other; a source, a broker or a pool that fails is waited for and
said once; nothing of it stops the others.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from heatpool_client import courier, homeassistant
from heatpool_client.alerts import Event
from heatpool_client.besides import findings
from heatpool_client.explaining import explained
from heatpool_client.faults import ClientError
from heatpool_client.homeassistant import OFFLINE, ONLINE, Message, Shown, Topics
from heatpool_client.mqtt import Broker
from heatpool_client.notifying import Notifier
from heatpool_client.sources.mapping import reading
from heatpool_client.updating import read_watched
from heatpool_client.watching import Detector
from heatpool_contract.verdict import Score

if TYPE_CHECKING:
    from heatpool_client.notifying import AlertSettings
    from heatpool_client.pool import Pool
    from heatpool_client.sources.opening import Source
    from heatpool_client.telemetry import Telemetry
    from heatpool_contract.verdict import NotScored

_log = logging.getLogger("heatpool")
_ELIGIBILITY: Final = {
    ("became_eligible", "en"): (
        "You have become eligible",
        "From now on the pool gives its detectors to this home.",
    ),
    ("became_eligible", "de"): (
        "Jetzt berechtigt",
        "Der Datenpool gibt dieser Anlage ab sofort seine Modelle.",
    ),
    ("no_longer_eligible", "en"): (
        "No longer eligible",
        "Nothing of this home has come for a while; the detector goes on. See `heatpool doctor`.",
    ),
    ("no_longer_eligible", "de"): (
        "Nicht mehr berechtigt",
        "Von dieser Anlage kam länger nichts; das Modell läuft weiter. Siehe `heatpool doctor`.",
    ),
}
"""Kind and language -> title and text."""


class Cycles(msgspec.Struct, kw_only=True):
    """What was done so far."""

    readings: int = 0
    recorded: int = 0
    scored: int = 0
    alarms: int = 0
    source_failures: int = 0


class Logger:
    """Everything that one reading passes."""

    def __init__(self, pool: Pool, telemetry: Telemetry, settings: AlertSettings) -> None:
        """Open detector, notifier and broker, as far as they are there.

        Raises:
            ClientError: `extra_missing`, `config_invalid`.
        """
        self.cycles = Cycles()
        self._pool = pool
        self._telemetry = telemetry
        self._notifier = Notifier(pool.home, settings)
        self._told_s = read_watched(pool.home).event_s
        self._detector: Detector | None = None
        self._shown = Shown()
        self._day: list[str] = []
        self._others: list[str] = []
        self._failing = False
        self._topics: Topics | None = None
        self._broker: Broker | None = None
        if settings.mqtt is not None:
            self._topics = Topics(pool.config, settings.mqtt.prefix, settings.mqtt.base)
            will = Message(self._topics.availability, OFFLINE.encode())
            self._broker = Broker(settings.mqtt, will)
            self._announce(self._broker, self._topics)

    def cycle(self, source: Source) -> None:
        """One reading: record it, score it, tell of it."""
        now_s = self._pool.clock.now_s()
        self.cycles.readings += 1
        try:
            values = reading(source.read())
            self._failing = False
        except ClientError as error:
            self.cycles.source_failures += 1
            if not self._failing:
                _log.warning("%s: %s", error.code, error)
            self._failing = True
            values = {}
        if values:
            self.cycles.recorded += self._telemetry.record({"timestamp": now_s, **values})
            self._score(values, now_s)
        self._news(now_s)
        self._notifier.tick(now_s)
        self._show()

    def close(self) -> None:
        """Save the scorer, say goodbye to the broker."""
        if self._detector is not None:
            try:
                self._detector.save()
            except ClientError as error:
                _log.warning("%s: %s", error.code, error)
        if self._broker is not None and self._topics is not None:
            goodbye = Message(self._topics.availability, OFFLINE.encode())
            self._broker.retain([goodbye], wait=True)
            self._broker.close()

    def _announce(self, broker: Broker, topics: Topics) -> None:
        broker.republish_on(topics.birth, ONLINE.encode())
        config = self._pool.config
        broker.retain(homeassistant.discovery(topics, config, config.language))
        broker.retain([Message(topics.availability, ONLINE.encode())])
        try:
            broker.open()
        except ClientError as error:  # it goes on trying
            _log.warning("%s: %s", error.code, error)

    def _score(self, values: dict[str, float], now_s: float) -> None:
        try:
            if self._detector is None:
                self._detector = Detector(self._pool)
            verdict: Score | NotScored = self._detector.score(values, now_s)
        except ClientError:  # none opened yet
            return
        self._beside(self._detector, now_s)
        if not isinstance(verdict, Score):
            return
        self.cycles.scored += 1
        words = explained(verdict, self._pool.config.language)
        self._shown = msgspec.structs.replace(
            self._shown,
            anomaly_score=round(verdict.leading.smoothed, 4),
            alarm=verdict.alarm or bool(self._others),
            reason="; ".join([*words, *self._others]),
        )
        if verdict.alarm:
            self.cycles.alarms += 1
            german = self._pool.config.language == "de"
            title = "Wärmepumpe auffällig" if german else "Unusual heat pump"
            self._tell("anomaly", "alarm", title, "\n".join(words), now_s)

    def _beside(self, detector: Detector, now_s: float) -> None:
        """What days, hard rules and wear found with this reading."""
        language = self._pool.config.language
        found = findings(detector.beside, now_s, language)
        if detector.beside.cycle is not None:  # holds until the next hour ends
            self._day = [one.text for one in found if one.kind == "cycle" and one.alarm]
        self._others = self._day + [one.text for one in found if one.kind == "rule" and one.alarm]
        if self._others:
            reason = "; ".join(self._others)
            self._shown = msgspec.structs.replace(self._shown, alarm=True, reason=reason)
        for one in found:
            if one.kind == "wear" or one.alarm:
                severity = "alarm" if one.alarm else "warning"
                self.cycles.alarms += one.alarm
                self._tell(one.kind, severity, one.title(language), one.text, now_s, one.name)

    def _news(self, now_s: float) -> None:
        """What the updater of `Telemetry` has found meanwhile."""
        watched, notes = read_watched(self._pool.home), courier.read_notes(self._pool.home)
        config = self._pool.config
        if watched.event is not None and watched.event_s != self._told_s:
            title, text = _ELIGIBILITY[watched.event, config.language]
            severity = "info" if watched.event == "became_eligible" else "warning"
            self._tell(watched.event, severity, title, text, now_s)
        self._told_s = watched.event_s
        active = self._detector.active.entry if self._detector is not None else None
        if self._detector is not None and active and watched.version not in (None, active.version):
            try:
                self._detector.refresh()
            except ClientError as error:
                _log.warning("%s: %s", error.code, error)
        last_s = notes.last_stored_s
        self._shown = msgspec.structs.replace(
            self._shown,
            model_version=self._detector.active.entry.version if self._detector else None,
            last_upload=datetime.fromtimestamp(last_s, UTC).isoformat() if last_s else None,
            pool_status=_status(watched.last_s, eligible=watched.eligible),
            pool_installations=watched.total_installations or None,
        )

    def _tell(
        self, kind: str, severity: str, title: str, text: str, now_s: float, subject: str = ""
    ) -> None:
        event = {"kind": kind, "severity": severity, "title": title, "text": text, "at_s": now_s}
        self._notifier.tell(msgspec.convert(event | {"subject": subject}, Event))

    def _show(self) -> None:
        if self._broker is not None and self._topics is not None:
            self._broker.retain([homeassistant.state(self._topics, self._shown)])


def _status(answered_s: float | None, *, eligible: bool) -> str:
    if answered_s is None:
        return "unknown"
    return "eligible" if eligible else "not_eligible"
