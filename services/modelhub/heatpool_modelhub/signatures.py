"""Who asks: the key that signed a request, and whether it may speak for an installation.

In: a request's headers and parts, the installation's entry. Out: the key that signed, or None.
Guarantee: a signed request is good once and for 300 s; a bad signature is refused before anything
is looked up, and a good one by the wrong key gets what an unknown installation gets, so that
signatures tell nobody who takes part. Memory for nonces is bounded and fails closed.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Literal

from heatpool_contract.grants import is_self_certifying, self_id
from heatpool_contract.refusals import Refusal
from heatpool_contract.rejects import Reject, SealRefused
from heatpool_contract.requests import WINDOW_S, Asked, Signer, is_request_signed, verify_request
from heatpool_modelhub.answering import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heatpool_chassis.metrics import ModelhubMetrics
    from heatpool_contract.identity import InstallationId
    from heatpool_contract.registry import Installation

Identity = Literal["observe", "prefer", "require"]
NONCES_MAX: Final = 500_000  # 60 MB at most; 800 signed requests a second for ten minutes
RETRY_AFTER_S: Final = 60
_REMEMBERED_S: Final = 2 * WINDOW_S  # signed 300 s ahead of us, and replayed 300 s later
_DIGEST_BYTES: Final = 16
_REFUSALS: Final = {
    Reject.REQUEST_TIME: Refusal.SIGNATURE_TIME,
    Reject.KEY_WEAK: Refusal.SIGNATURE_INVALID,
    Reject.REQUEST_MALFORMED: Refusal.SIGNATURE_INVALID,
    Reject.REQUEST_SIGNATURE: Refusal.SIGNATURE_INVALID,
}


class Replays:
    """Nonces that were used. One hub's memory: a request may be replayed at another one once."""

    def __init__(self, entries_max: int = NONCES_MAX) -> None:
        self._entries_max = entries_max
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def take(self, signer: Signer, now_s: float) -> Refusal | None:
        """Remember a request; why it is not taken, None if it is."""
        while self._seen and next(iter(self._seen.values())) <= now_s:
            self._seen.popitem(last=False)
        name = blake2b(signer.ed25519 + signer.nonce.encode(), digest_size=_DIGEST_BYTES).digest()
        if name in self._seen:
            return Refusal.SIGNATURE_REPLAYED
        if len(self._seen) >= self._entries_max:
            return Refusal.OVERLOADED
        self._seen[name] = now_s + _REMEMBERED_S
        return None


class Signatures:
    """The identity rules of this hub: `IDENTITY=observe|prefer|require`."""

    def __init__(self, identity: Identity, metrics: ModelhubMetrics) -> None:
        self.identity = identity
        self.replays = Replays()
        self._metrics = metrics
        self._unsigned = metrics.signatures.labels("unsigned")

    def signer(self, headers: Mapping[str, str], asked: Asked, now_s: float) -> bytes | None:
        """The Ed25519 key that signed; None: nobody did.

        Raises:
            RefusedError: `signature_*`, `overloaded`; in `observe` only counted.
        """
        if not is_request_signed(headers):
            self._unsigned.inc()
            if self.identity == "require":
                raise RefusedError(Refusal.SIGNATURE_MISSING)
            return None
        detail = None
        try:
            signer = verify_request(headers, asked, now_s)
        except SealRefused as refused:
            refusal: Refusal | None = _REFUSALS[refused.code]
            detail = refused.detail or None
        else:
            refusal = self.replays.take(signer, now_s)
        self._metrics.signatures.labels(refusal or "good").inc()
        if refusal is None:
            return signer.ed25519
        if self.identity == "observe":
            return None
        retry_after_s = RETRY_AFTER_S if refusal is Refusal.OVERLOADED else None
        raise RefusedError(refusal, detail, retry_after_s=retry_after_s)

    def may_speak(
        self, signer: bytes | None, installation: InstallationId, entry: Installation | None
    ) -> bool:
        """Whether a request counts as the installation's own. If not, it is a stranger's.

        In `prefer` a home without a key goes on as ever (trust on first use), but who has one must
        use it; a version-8 id has one from birth.
        """
        if self.identity == "observe":
            return True
        if is_self_certifying(installation) or (entry is not None and entry.ed25519 is not None):
            return self.owns(signer, installation, entry)
        return self.identity == "prefer"

    def owns(
        self, signer: bytes | None, installation: InstallationId, entry: Installation | None
    ) -> bool:
        """Whether the key that signed is the installation's."""
        if signer is None:
            return False
        if is_self_certifying(installation):
            return self_id(signer) == installation
        return entry is not None and entry.ed25519 == signer
