"""A ``requests`` session on a bounded connection, for filling in forms as a browser would.

``requests`` is imported at once, so import this where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from zcheck.facts import Client
from zcheck.probes.http_connection import Line, Reply, host_of

# The connection counts the body's bytes itself, and keeps or closes itself.
_OF_THE_BODY = frozenset({"Content-Length", "Transfer-Encoding", "Connection"})


class _BoundedAdapter(BaseAdapter):
    """Sends what a session has prepared over one :class:`~zcheck.probes.http_connection.Line`."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self.line = line

    def send(  # type: ignore[override]  # the other options are those of a transport that is not used here
        self, request: requests.PreparedRequest, **options: Any
    ) -> requests.Response:
        body = request.body.encode("utf-8") if isinstance(request.body, str) else request.body
        headers = {name: value for name, value in request.headers.items() if name.title() not in _OF_THE_BODY}
        reply = self.line.ask(
            request.method or "GET",
            request.path_url,
            timeout_s=float(options["timeout"]),
            body=body if isinstance(body, bytes) else None,
            headers=headers,
        )
        return _response(request, reply)

    def close(self) -> None:
        self.line.close()


def _response(request: requests.PreparedRequest, reply: Reply) -> requests.Response:
    response = requests.Response()
    response.status_code = reply.status
    response.headers = CaseInsensitiveDict(reply.headers)
    response.encoding = None
    response.url = request.url or ""
    response.request = request
    response._content = reply.body  # what requests itself does with a body that it has read
    return response


class BoundedSession(requests.Session):
    """Requests to one client and no other, each with a total time limit and a size limit.

    Every URL is taken as a path on the client: a form whose ``action`` names the site's public host goes to this very
    client and not, through the balancer, to a neighbour.  Redirects are never followed, cookies are not kept, and
    neither proxies nor a netrc file are taken from the environment.  Raises
    :exc:`~zcheck.probes.http_connection.HttpTrouble`.
    """

    def __init__(
        self,
        client: Client,
        addresses: Sequence[str],
        *,
        timeout_s: float,
        user: str | None = None,
        password: str | None = None,
        verify: bool = True,
        cookie: str | None = None,
    ) -> None:
        super().__init__()
        self.client = client
        self.timeout_s = timeout_s
        self.base = f"{'https' if client.tls else 'http'}://{host_of(client.address, client.tls)}"
        self.trust_env = False
        line = Line(client, addresses, user=user, password=password, verify=verify, cookie=cookie)
        self.adapters.clear()
        self._adapter = _BoundedAdapter(line)
        self.mount("", self._adapter)
        self.line = line

    def go_over(self, line: Line) -> Line:
        """Send what follows over this line; the one that was used before."""
        before, self.line, self._adapter.line = self.line, line, line
        return before

    def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
        """As a session's; ``timeout`` is the limit for the whole request, in seconds."""
        options.setdefault("timeout", self.timeout_s)
        options["allow_redirects"] = False
        return super().request(method, self.base + path_of(urljoin(self.base, url)), *args, **options)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None: every caller decides for itself what a redirect means."""
        return None


def path_of(url: str) -> str:
    """The path and query of a URL: what is left of it once the client is given."""
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def submitted(form: Any, page_url: str) -> Mapping[str, Any]:
    """What a browser would send for a form of mechanicalsoup: ``method``, ``url``, ``data``, ``files``."""
    import mechanicalsoup

    kwargs: dict[str, Any] = mechanicalsoup.Browser.get_request_kwargs(form.form, page_url)  # type: ignore[no-untyped-call]
    return kwargs
