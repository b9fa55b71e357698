"""One request to the pool, one answer: HTTP behind a seam that knows no httpx.

In: a permit, an address, a request. Out: an `Answer` of bounded size. Guarantee: nothing is sent
without a `Permit`; TLS is verified; no redirect is followed, so token and readings reach no other
host; an exchange ends at its deadline, also when a server drips; errors are `ClientError`s.

httpx is imported when the first connection opens: it takes longer than all the rest together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from heatpool_client.config import is_loopback
from heatpool_client.faults import ClientError, Fault, Words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType
    from typing import Self

    import httpx

    from heatpool_client.clock import Clock
    from heatpool_client.config import Config, Token
    from heatpool_client.consent import Permit

Sign = Callable[[str, str, bytes, bytes], dict[str, str]]
"""Method, path, query and body to the headers that sign them."""
ANSWER_BYTES_MAX: Final = 64 * 1024  # the largest answer, a check, is about 3 KiB
STATUS_REDIRECT: Final = range(300, 400)
STATUS_ERROR: Final = 400
_CONNECT_S_MAX: Final = 10.0  # a dead address should not use up the whole deadline


class Answer(msgspec.Struct, frozen=True):
    """What came back, body complete."""

    status: int
    headers: dict[str, str]
    """Lower-case names."""
    body: bytes


class Unreachable(ClientError):  # noqa: N818 - a state of the world, not a mistake
    """No answer, or one that says "later". The same request may succeed another time."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        """`reason` for people, `retry_after_s` if the server gave one."""
        super().__init__(Fault.UNREACHABLE, reason)
        self.retry_after_s = retry_after_s


class Refused(ClientError):  # noqa: N818 - a verdict, not a mistake
    """The pool does not take the request, now or later."""

    def __init__(self, status: int, problem: ProblemSeen) -> None:
        """`problem` is what the server said."""
        words = Words(problem.detail, problem.detail_de or problem.detail)
        super().__init__(Fault.REFUSED, status, problem.code, words)
        self.status = status
        self.problem = problem


class ProblemSeen(msgspec.Struct, frozen=True):
    """A problem document of the pool, or of a proxy before it.

    `code` is text, not `refusals.Refusal`: a newer server may know more of them.
    """

    code: str = "unknown"
    detail: str = ""
    detail_de: str = ""
    limit: int | None = None


class Sink(Protocol):
    """Takes a body piece by piece."""

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """The head has come."""

    def take(self, chunk: bytes) -> None:
        """A piece has come."""


class Connection:
    """Talks to one base URL with one token."""

    def __init__(
        self,
        base_url: str,
        config: Config,
        token: Token | None,
        permit: Permit,
        clock: Clock,
        sign: Sign | None = None,
    ) -> None:
        """Open nothing yet, but read certificates.

        Args:
            base_url: without a trailing slash.
            config: deadline and certificates.
            token: sent with every request.
            permit: proof of consent.
            clock: for deadlines.
            sign: makes the headers that sign a request.

        Raises:
            ClientError: `config_invalid`, the certificate file is not usable.
        """
        import ssl  # noqa: PLC0415 - as httpx

        import httpx  # noqa: PLC0415 - 100 ms that `import heatpool_client` should not take

        self.permit = permit
        self.base_url = base_url
        self._exchange_s_max = config.exchange_s_max
        self._clock = clock
        self._sign = sign
        headers = {"user-agent": f"heatpool-client ({config.version})"}
        headers["accept-encoding"] = "identity"  # answers are small; no decompression bombs
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        try:
            verify = (
                ssl.create_default_context(cafile=config.ca_file)
                if config.ca_file
                else httpx.create_ssl_context()  # certifi: small images have no store of their own
            )
            self._http = httpx.Client(
                headers=headers,
                verify=verify,
                follow_redirects=False,
                timeout=httpx.Timeout(
                    config.exchange_s_max, connect=min(_CONNECT_S_MAX, config.exchange_s_max)
                ),
                trust_env=not is_loopback(base_url),  # proxies of the house, never for ourselves
            )
        except (
            OSError,
            ValueError,
            ImportError,
            httpx.InvalidURL,
        ) as error:  # certificates; an odd HTTPS_PROXY
            raise ClientError(Fault.CONFIG_INVALID, f"ca_file or proxy: {error}") from error

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """One exchange, whatever its status is, but for redirects.

        Raises:
            Unreachable: network, TLS, deadline.
            ClientError: `redirected`, `answer_garbled` (too large).
        """
        request = self._http.build_request(
            method, self.base_url + path, params=params, headers=headers, content=content
        )
        self._add_signature(request, path)
        return self._exchange(request, None, ANSWER_BYTES_MAX, self._exchange_s_max)

    def fetch(
        self,
        path: str,
        params: Mapping[str, str],
        sink: Sink,
        *,
        headers: Mapping[str, str],
        bytes_max: int,
        s_max: float,
    ) -> Answer:
        """GET whose successful body goes to `sink` piece by piece; other bodies are in the answer.

        Raises:
            Unreachable: network, TLS, deadline.
            ClientError: `redirected`, `answer_garbled` (more than `bytes_max`).
        """
        request = self._http.build_request(
            "GET", self.base_url + path, params=dict(params), headers=headers
        )
        self._add_signature(request, path)
        return self._exchange(request, sink, bytes_max, s_max)

    def close(self) -> None:
        """Close the sockets."""
        self._http.close()

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the sockets."""
        self.close()

    def _add_signature(self, request: httpx.Request, path: str) -> None:
        if self._sign is not None:
            query, body = request.url.query, request.content
            request.headers.update(self._sign(request.method, path, query, body))

    def _exchange(
        self,
        request: httpx.Request,
        sink: Sink | None,
        bytes_max: int,
        s_max: float,
    ) -> Answer:
        import httpx  # noqa: PLC0415 - loaded by __init__

        end_s = self._clock.monotonic_s() + s_max
        try:
            response = self._http.send(request, stream=True)
            try:
                head = dict(response.headers)
                if response.status_code in STATUS_REDIRECT and "location" in head:
                    raise ClientError(Fault.REDIRECTED, self.base_url, head["location"])
                body = b""
                if sink is not None and response.status_code < STATUS_ERROR:
                    sink.begin(response.status_code, head)
                    for chunk in self._capped(response, bytes_max, end_s):
                        sink.take(chunk)
                else:
                    body = b"".join(self._capped(response, ANSWER_BYTES_MAX, end_s))
                return Answer(response.status_code, head, body)
            finally:
                response.close()
        except (httpx.TransportError, httpx.StreamError) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error

    def _capped(self, response: httpx.Response, bytes_max: int, end_s: float) -> Iterator[bytes]:
        size = 0
        for chunk in response.iter_raw():
            size += len(chunk)
            if size > bytes_max:
                raise ClientError(
                    Fault.ANSWER_GARBLED, self.base_url, f"more than {bytes_max} bytes"
                )
            if self._clock.monotonic_s() > end_s:
                raise Unreachable("the answer is not complete at its deadline")
            yield chunk


def refusal(answer: Answer) -> Refused:
    """The refusal in an answer of status 4xx or 5xx, as far as it can be read."""
    try:
        problem = msgspec.json.decode(answer.body, type=ProblemSeen)
    except ValueError:  # a proxy's page
        problem = ProblemSeen(detail=answer.body[:200].decode("utf-8", "replace"))
    return Refused(answer.status, problem)
