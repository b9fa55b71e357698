"""What the hub answers, without HTTP.

In: parameters, now; the views of registry and releases. Out: answers, release files, registrations.
Guarantee: a grant is made for eligible installations alone; unknown and inactive ones take the same
way and get the same bytes; nobody is called unknown before the registry was read.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from heatpool_contract.answers import (
    CheckAnswer,
    ModelPool,
    ModelsAnswer,
    PoolStatus,
    ReleaseSummary,
    StatusAnswer,
)
from heatpool_contract.grants import GRANT_LIFETIME_S, is_self_certifying, make_grant
from heatpool_contract.identity import pseudonym
from heatpool_contract.refusals import Refusal
from heatpool_contract.rejects import SealRefused
from heatpool_contract.release import ServedRelease
from heatpool_modelhub.answering import RefusedError
from heatpool_modelhub.eligibility import Eligible, assess, suffices, without_release
from heatpool_modelhub.objects import ObjectUnavailableError
from heatpool_modelhub.replies import Offer, check_answer, for_strangers, pool_status

if TYPE_CHECKING:
    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_contract.identity import InstallationId, Pseudonym
    from heatpool_contract.registry import Installation
    from heatpool_contract.release import ReleasePointer
    from heatpool_modelhub.eligibility import Policy, Standing
    from heatpool_modelhub.freshness import Freshness
    from heatpool_modelhub.parameters import Parameters
    from heatpool_modelhub.registry import Registry
    from heatpool_modelhub.releases import Offered, Releases
    from heatpool_modelhub.settings import Keys
    from heatpool_modelhub.signatures import Signatures

RETRY_AFTER_S: Final = 5


class Download(msgspec.Struct, frozen=True):
    """A file to be served."""

    name: str
    """Of the model, as loggers spell it."""
    model: str
    release: ServedRelease
    data: bytes


class Hub:
    """One running hub."""

    def __init__(  # noqa: PLR0913, PLR0917 - its parts, wired once
        self,
        policy: Policy,
        keys: Keys,
        registry: Registry,
        releases: Releases,
        freshness: Freshness,
        signatures: Signatures,
        life: Lifecycle,
    ) -> None:
        self.registry = registry
        self.releases = releases
        self.life = life
        self.signatures = signatures
        self.policy = policy
        self._keys = keys
        self._freshness = freshness

    def pseudonym(self, installation: InstallationId) -> Pseudonym:
        """The name under which the pool knows an installation."""
        return pseudonym(installation, self._keys.pseudonym)

    def check(self, asked: Parameters, signer: bytes | None, now_s: float) -> CheckAnswer:
        """Who asks may have which release, and its key. `signer` is the key that signed.

        Raises:
            RefusedError: `bus_unavailable`, the views were not read yet.
        """
        self._require_loaded()
        home, entry, standing = self._standing(asked, signer, now_s)
        model = asked.model or standing.model
        offered = self.releases.offered(model, home, _ms(now_s)) if model else None
        offer = None
        if model is not None and offered is not None:
            fresh = self._freshness.statement(model, offered.release, int(now_s))
            offer = Offer(release=offered.release, fresh=fresh)
            if isinstance(standing, Eligible) and entry is not None:
                grant, kind = self._grant(asked.installation, entry, offered, int(now_s))
                offer = msgspec.structs.replace(offer, grant=grant, grant_kind=kind)
        pool = self.registry.pool(model)
        if standing.model != model:
            pool = for_strangers(pool)
        return check_answer(standing, self.policy, pool, offer, asked)

    async def download(self, asked: Parameters, signer: bytes | None, now_s: float) -> Download:
        """The file of a release, for who may have it.

        Raises:
            RefusedError: `no_recent_contribution`, `no_model_for_type`, `pool_too_small`,
                `hash_not_served`, `bus_unavailable`.
        """
        self._require_loaded()
        home, _, standing = self._standing(asked, signer, now_s)
        if not isinstance(standing, Eligible):
            raise RefusedError(standing.refusal)
        offered = self.releases.offered(standing.model, home, _ms(now_s))
        if offered is None:
            pool = self.registry.pool(standing.model)
            raise RefusedError(without_release(pool, self.policy))
        release: ServedRelease | None = offered.release
        if asked.hash is not None:
            release = self.releases.pinned(standing.model, asked.hash, _ms(now_s))
        if release is None:
            raise RefusedError(Refusal.HASH_NOT_SERVED)
        try:
            data = await self.releases.file(standing.model, release)
        except ObjectUnavailableError as error:
            raise RefusedError(Refusal.BUS_UNAVAILABLE, retry_after_s=RETRY_AFTER_S) from error
        return Download(offered.pointer.name, standing.model, release, data)

    def pool_status(self, now_s: float) -> PoolStatus:
        """How far the pool is.

        Raises:
            RefusedError: `bus_unavailable`.
        """
        self._require_loaded()
        names = [pointer.name for pointer in self.releases.visible()]
        return pool_status(self.registry.pool(None), names, self.policy, now_s)

    def models(self) -> ModelsAnswer:
        """All visible releases."""
        return ModelsAnswer([_summary(pointer) for pointer in self.releases.visible()])

    def status(self, now_s: float) -> StatusAnswer:
        """Figures of the pool and of this hub."""
        versions = {one.model: one.current.version for one in self.releases.visible()}
        pools = self.registry.pools()
        everything = self.registry.pool(None)
        return StatusAnswer(
            registered=len(self.registry),
            installations=everything.installations,
            samples=everything.samples,
            models=[
                ModelPool(
                    model=model,
                    installations=pool.installations,
                    samples=pool.samples,
                    data_sufficient=suffices(pool, self.policy),
                    version=versions.get(model),
                )
                for model, pool in sorted(pools.items())
            ],
            releases_pending=self.releases.pending,
            cache_bytes=self.releases.cache_bytes,
            checks=dict(self.life.checks),
            timestamp=now_s,
        )

    def model_of(self, asked: Parameters, signer: bytes | None, now_s: float) -> str:
        """What an installation contributes to, for who may speak for it.

        Raises:
            RefusedError: `no_recent_contribution`, `bus_unavailable`.
        """
        self._require_loaded()
        _, _, standing = self._standing(asked, signer, now_s)
        if standing.model is None:
            raise RefusedError(Refusal.NO_RECENT_CONTRIBUTION)
        return standing.model

    def has_contributed(self, installation: InstallationId) -> bool:
        """Whether an installation has ever sent a value that is still stored."""
        entry = self.registry.find(self.pseudonym(installation))
        return entry is not None and entry.samples > 0

    def require_own(self, installation: InstallationId, signer: bytes | None) -> None:
        """Let pass who may see and erase what is stored of an installation.

        A home that we know and that has no key (a legacy logger) is spoken for by its id, signed
        or not, as at submission: its key was never bound.

        Raises:
            RefusedError: `signature_missing`, `signature_foreign`; the same for homes that we do
                not know or have erased, so that nobody learns which we do.
        """
        self._require_loaded()
        entry = self.registry.find(self.pseudonym(installation))
        is_legacy = entry is not None and entry.ed25519 is None and not entry.erased
        if is_legacy and not is_self_certifying(installation):
            return
        if signer is None:
            raise RefusedError(Refusal.SIGNATURE_MISSING)
        if not self.signatures.owns(signer, installation, entry):
            raise RefusedError(Refusal.SIGNATURE_FOREIGN)

    def _standing(
        self, asked: Parameters, signer: bytes | None, now_s: float
    ) -> tuple[Pseudonym, Installation | None, Standing]:
        home = self.pseudonym(asked.installation)
        entry = self.registry.find(home)
        if not self.signatures.may_speak(signer, asked.installation, entry):
            entry = None
        return home, entry, assess(entry, asked.model, self.policy, _ms(now_s))

    def _grant(
        self, installation: InstallationId, entry: Installation, offered: Offered, now_s: int
    ) -> tuple[str | None, Literal["installation", "fleet"] | None]:
        kind: Literal["installation", "fleet"] = "fleet" if entry.x25519 is None else "installation"
        public_key = entry.x25519 or self._keys.fleet_public
        if public_key is None:
            return None, None
        release_hash = offered.release.model_hash
        until_s = now_s + GRANT_LIFETIME_S
        try:
            grant = make_grant(public_key, offered.content_key, release_hash, installation, until_s)
        except SealRefused:  # a weak key that came into the registry some other way
            return None, None
        return b64encode(grant).decode(), kind

    def _require_loaded(self) -> None:
        if not (self.registry.is_loaded and self.releases.loaded.is_set()):
            raise RefusedError(Refusal.BUS_UNAVAILABLE, retry_after_s=RETRY_AFTER_S)


def _summary(pointer: ReleasePointer) -> ReleaseSummary:
    current = pointer.current
    return ReleaseSummary(
        model=pointer.model,
        name=pointer.name,
        version=current.version,
        epoch=current.epoch,
        seq=current.seq,
        model_hash=current.model_hash,
        size=current.size,
        state=current.state,
        created_ms=current.created_ms,
        expires_ms=current.expires_ms,
        installations=current.installations,
        samples=current.samples,
        previous_hash=pointer.previous.model_hash if pointer.previous else None,
        canary_share=pointer.canary_share,
    )


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
