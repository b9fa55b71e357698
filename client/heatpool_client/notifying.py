"""Events to the owner's phone, mail or chat: the settings, the memory, the sending.

In: events. Out: messages by Apprise (https://github.com/caronc/apprise), `alerts.json`. Guarantee:
`alerts` decides, this only does; addresses hold secrets and are never shown; a service that does
not answer costs a log line, not the logger. Needs `heatpool-client[notify]`.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import msgspec

from heatpool_client import alerts
from heatpool_client.alerts import AlertState, Event, Policy
from heatpool_client.faults import ClientError, Fault
from heatpool_client.home import read_private, write_private
from heatpool_client.mqtt import MqttSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from heatpool_client.home import Home

_log = logging.getLogger("heatpool")


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`alerts.toml`."""

    urls: tuple[str, ...] = ()
    """Apprise addresses: `tgram://`, `discord://`, `mailtos://`, `ntfys://`, `signals://`, ..."""
    policy: Policy = Policy()
    mqtt: MqttSettings | None = None

    def __repr__(self) -> str:
        """Without the addresses."""
        return f"AlertSettings({len(self.urls)} addresses, {self.mqtt!r})"


def read_settings(home: Home) -> AlertSettings:
    """The owner's settings; the defaults if there is no file.

    Raises:
        ClientError: `config_invalid`, `file_exposed` (it holds secrets), `state_unusable`.
    """
    raw = read_private(home.alerts)
    try:
        return AlertSettings() if raw is None else msgspec.toml.decode(raw, type=AlertSettings)
    except ValueError as error:
        raise ClientError(Fault.CONFIG_INVALID, f"{home.alerts.name}: {error}") from error


class Notifier:
    """Tells the owner."""

    def __init__(
        self, home: Home, settings: AlertSettings, send: Callable[[Event], bool] | None = None
    ) -> None:
        """Read what was told before.

        Args:
            home: keeps `alerts.json`.
            settings: the owner's.
            send: instead of Apprise; whether all addresses took it.

        Raises:
            ClientError: `extra_missing`, `config_invalid` (an address that Apprise does not know).
        """
        self._path = home.root / "alerts.json"
        self._policy = settings.policy
        self._send = send or (_apprise(settings.urls) if settings.urls else _nobody)
        try:
            self.state = msgspec.json.decode(read_private(self._path) or b"{}", type=AlertState)
        except ValueError:  # told twice is better than never
            self.state = AlertState()

    def tell(self, event: Event) -> bool:
        """Take an event; whether it was sent now."""
        self.state, due = alerts.decide(self.state, event, self._policy, minute_of_day(event.at_s))
        self._deliver(due)
        return bool(due)

    def tick(self, now_s: float) -> int:
        """Send what was held over quiet hours; how many."""
        before = self.state
        self.state, due = alerts.release(self.state, self._policy, minute_of_day(now_s))
        if self.state is not before:
            self._deliver(due)
        return len(due)

    def _deliver(self, due: tuple[Event, ...]) -> None:
        for event in due:
            if not self._send(event):
                _log.warning("not everybody could be told of %s", event.kind)
        try:
            write_private(self._path, msgspec.json.encode(self.state))
        except ClientError as error:
            _log.warning("%s: %s", error.code, error)


def minute_of_day(at_s: float) -> int:
    """Local time of this machine."""
    local = time.localtime(at_s)
    return local.tm_hour * 60 + local.tm_min


def _nobody(event: Event) -> bool:
    _log.warning("%s: %s %s", event.severity, event.title, event.text)
    return True


def _apprise(urls: tuple[str, ...]) -> Callable[[Event], bool]:
    try:
        from apprise import Apprise, NotifyType  # noqa: PLC0415 - an extra, and slow
    except ImportError as error:
        raise ClientError(Fault.EXTRA_MISSING, "notify") from error
    everybody = Apprise()
    for number, url in enumerate(urls, start=1):
        if not everybody.add(url):
            raise ClientError(Fault.CONFIG_INVALID, f"alerts.toml: address {number} is not known")
    kinds = {
        "info": NotifyType.INFO, "warning": NotifyType.WARNING, "alarm": NotifyType.FAILURE,
    }  # fmt: skip  # one table

    def send(event: Event) -> bool:
        return bool(
            everybody.notify(title=event.title, body=event.text, notify_type=kinds[event.severity])
        )

    return send
