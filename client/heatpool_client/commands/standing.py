"""`status`: what is set up, agreed to, opened; with `--online` also what the pool says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import rich_click as click

from heatpool_client import consent, consent_record
from heatpool_client import keys as identity
from heatpool_client.commands.shell import lines_of, shared_options
from heatpool_client.faults import ClientError, Fault
from heatpool_client.home import read_private
from heatpool_client.version import CLIENT_VERSION
from heatpool_contract.answers import CheckAnswer
from heatpool_contract.fresh import is_stale
from heatpool_contract.rejects import SealRefused

if TYPE_CHECKING:
    from heatpool_client.commands.shell import Shell
    from heatpool_client.models import ModelStore
    from heatpool_contract.detector import Detector


class ModelSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The opened model in `status`."""

    version: str
    model_hash: str
    state: str
    """`learning` or `released`."""
    homes: int
    expires_s: int
    expired: bool
    stale: bool
    """The hub has not vouched for it for a week."""


class StatusReport(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of `status`."""

    home: str
    client_version: str
    server: str
    installation_id: str
    model: str
    consent: consent.Standing
    consent_record: consent_record.Seen
    """What the pool has recorded of it."""
    do_not_track: bool
    registered_s: int | None
    trust_version: int | None
    active: ModelSeen | None
    last_refusal: str | None
    check: CheckAnswer | None = None


@click.command("status")
@click.option("--online", is_flag=True, help="Ask the pool, too: eligibility, contribution.")
@shared_options
def status(shell: Shell, online: bool) -> None:  # noqa: FBT001 - click passes by name
    """What is set up, agreed to, opened."""
    with shell.pool() as pool:
        try:
            refusals = pool.store.refusals()
            active = _model_seen(pool.store, shell.clock.now_s())
        except SealRefused as error:
            raise ClientError(Fault.MODEL_REJECTED, error) from error
        report = StatusReport(
            home=str(shell.home.root),
            client_version=CLIENT_VERSION,
            server=pool.config.server,
            installation_id=pool.config.installation_id,
            model=pool.config.model,
            consent=consent.standing(shell.home),
            consent_record=consent_record.seen(shell.home, shell.environ),
            do_not_track=consent.is_do_not_track(shell.environ),
            registered_s=_registered_s(shell),
            trust_version=pool.trust().version if shell.home.trust_first.exists() else None,
            active=active,
            last_refusal=str(refusals.code) if refusals.code else None,
            check=pool.check() if online else None,
        )
    shell.report(report, lines_of(report, shell.language))


def _registered_s(shell: Shell) -> int | None:
    """None also for an installation without keys, of before there were any."""
    if read_private(shell.home.identity) is None:
        return None
    return identity.load(shell.home).registered_s


def _model_seen(store: ModelStore[Detector], now_s: float) -> ModelSeen | None:
    active = store.active()
    if active is None:
        return None
    return ModelSeen(
        version=active.entry.version,
        model_hash=active.entry.model_hash,
        state=active.detector.state,
        homes=active.detector.homes,
        expires_s=active.entry.expires_s,
        expired=now_s >= active.entry.expires_s,
        stale=is_stale(store.state().fresh_issued_s, int(now_s)),
    )
