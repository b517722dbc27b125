"""The write-here-read-there test through real Zope clients: what it proves, what it refuses to do, what it leaves."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from cluster.proxies import Proxy, proxy
from patience import patient

from zcheck.checks.consistency.client_accepts_writes import client_accepts_writes
from zcheck.checks.consistency.edits_are_seen_everywhere import edits_are_seen_everywhere
from zcheck.checks.identity.client_is_connected_to_zeo import client_is_connected_to_zeo
from zcheck.checks.identity.database_locations_agree import database_locations_agree
from zcheck.commands.demo import HOST, ClientSpec, Cluster, ZeoSpec, specs
from zcheck.consistency.http import client as zmi
from zcheck.consistency.http import folder as level
from zcheck.consistency.http import names as our_names
from zcheck.consistency.http.client import HttpTarget
from zcheck.consistency.http.leftovers import leftovers, remove_leftovers
from zcheck.facts import Client, ControlPanel, Facts, HostPort, IniSection, Inventory, NotGathered, ZopeConf
from zcheck.facts.history import History, HttpHistories
from zcheck.facts.pairs import pairs
from zcheck.parsers.zope_conf import parse
from zcheck.probes.http import probe_control_panel, probe_http
from zcheck.probes.http_connection import Line
from zcheck.report.structs import Judgement
from zcheck.runner import run as judge_by

RUN_ID = "4f2a"
FOLDER = f"zcheck-{RUN_ID}"
TIMEOUT_S = 3.0
ALL_SEEN = True


# --- how a test asks ------------------------------------------------------------------------------


def client_of(cluster: Cluster, name: str, **changes: Any) -> Client:
    address = HostPort(HOST, cluster.clients[name].port)
    return Client(name, address, IniSection(f"client:{name}", 1), HOST, **changes)


def targets(cluster: Cluster, **connect: HostPort) -> list[HttpTarget]:
    """A target for every client; ``connect`` puts something between it and the test."""
    return [
        HttpTarget(
            client_of(cluster, name, connect=connect.get(name)),
            may_write=cluster.clients[name].spec.role != "read-only",
        )
        for name in cluster.clients
    ]


def run(cluster: Cluster, asked: Sequence[HttpTarget] | None = None, **changes: Any) -> History:
    end = time.monotonic() + 30
    options: dict[str, Any] = {
        "user": cluster.user,
        "password": cluster.password,
        "run_id": RUN_ID,
        "before_write": lambda client: None,
        "expect_transaction": {},
        "timeout_s": TIMEOUT_S,
        "deadline": lambda: end - time.monotonic(),
    }
    return level.run(targets(cluster) if asked is None else asked, **{**options, **changes})


def seen(history: History, cluster: Cluster) -> dict[tuple[str, str], bool | None]:
    writers = [name for name, client in cluster.clients.items() if client.spec.role != "read-only"]
    return {(p.writer, p.reader): p.seen for p in pairs(history, writers, list(cluster.clients))}


def every_pair(cluster: Cluster) -> dict[tuple[str, str], bool]:
    return {(one, other): ALL_SEEN for one in cluster.clients for other in cluster.clients if one != other}


def judged(cluster: Cluster, history: History, check: Any) -> Judgement:
    """One check on this history and on what the clients' Control Panels and files say now."""
    clients = [client_of(cluster, name) for name in cluster.clients]
    facts = Facts().with_fact("", Inventory("clients.ini", "test", tuple(clients)))
    facts = facts.with_fact("", HttpHistories((history,)))
    for client in clients:
        facts = facts.with_fact(client.name, panel_of(cluster, client.name), ControlPanel)
        facts = facts.with_fact(client.name, probe_http(client, TIMEOUT_S))
        text = cluster.clients[client.name].zope_conf
        facts = facts.with_fact(client.name, parse(text.read_text(), str(text), {}, lambda url: ""), ZopeConf)
    return judge_by([check], facts, today="2026-01-01")


def panel_of(cluster: Cluster, name: str) -> ControlPanel | NotGathered:
    return probe_control_panel(client_of(cluster, name), cluster.user, cluster.password, TIMEOUT_S)


def line(cluster: Cluster, name: str) -> Line:
    return Line(client_of(cluster, name), [HOST], user=cluster.user, password=cluster.password)


def post(cluster: Cluster, name: str, path: str, body: str, timeout_s: float = 10.0) -> int:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return line(cluster, name).ask("POST", path, timeout_s=timeout_s, body=body.encode(), headers=headers).status


def add_folder(cluster: Cluster, name: str, folder: str, title: str = "") -> None:
    assert 302 == post(cluster, name, "/manage_addProduct/OFSP/manage_addFolder", f"id={folder}&title={title}")


def remove_folder(cluster: Cluster, name: str, folder: str) -> None:
    assert 200 == post(cluster, name, "/manage_delObjects", f"ids:list={folder}")


def wait_until_known(cluster: Cluster, user: str, password: str) -> None:
    """Until every client has heard of a new user."""
    end = time.monotonic() + 10
    for name in cluster.clients:
        asking = Line(client_of(cluster, name), [HOST], user=user, password=password)
        while asking.ask("GET", "/manage_workspace", timeout_s=10).status == 401 and time.monotonic() < end:
            time.sleep(0.02)


def commits_within_a_second(cluster: Cluster, name: str) -> bool:
    started = time.monotonic()
    add_folder(cluster, name, "after-all")
    took = time.monotonic() - started
    remove_folder(cluster, name, "after-all")
    return took < 1.0


def shows(cluster: Cluster, name: str, folder: str = FOLDER) -> bool:
    return line(cluster, name).ask("GET", f"/{folder}/title_or_id", timeout_s=10).status == 200


def who_shows(cluster: Cluster, folder: str = FOLDER) -> list[str]:
    return [name for name in cluster.clients if shows(cluster, name, folder)]


def newest_transaction(cluster: Cluster, name: str) -> str:
    door = zmi.Door(
        HttpTarget(client_of(cluster, name)), user=cluster.user, password=cluster.password, timeout_s=10, hosts={}
    )
    try:
        return door.transactions(10)[0].text
    finally:
        door.close()


class Recorder(Proxy):
    """A proxy that keeps what the client's side sent."""

    def __init__(self, target: HostPort) -> None:
        self.heard = bytearray()
        super().__init__(target)

    def _carry(self, source: socket.socket, sink: socket.socket, lose: threading.Event, *, count: bool) -> None:
        if not count:
            super()._carry(source, sink, lose, count=count)
            return
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.heard += data
                sink.sendall(data)

    @property
    def posts(self) -> list[bytes]:
        return [request for request in bytes(self.heard).splitlines() if request.startswith(b"POST ")]


@contextlib.contextmanager
def recorder(cluster: Cluster, name: str) -> Iterator[Recorder]:
    made = Recorder(HostPort(HOST, cluster.clients[name].port))
    try:
        yield made
    finally:
        made.close()


# --- a healthy cluster ----------------------------------------------------------------------------


def test_every_pair_is_proven_and_nothing_is_left(cluster: Cluster) -> None:
    before = root_listing(cluster)
    history = run(cluster)
    assert every_pair(cluster) == seen(history, cluster)
    assert ("", (), 9) == (history.stopped, history.left, history.transactions)
    assert [True, True, True] == [state.joined for state in history.clients]
    assert [] == who_shows(cluster)
    assert before == root_listing(cluster)
    assert "pass" == judged(cluster, history, edits_are_seen_everywhere).results[0].outcome
    assert "pass" == judged(cluster, history, client_accepts_writes).results[0].outcome


def root_listing(cluster: Cluster) -> list[str]:
    text = line(cluster, "app1").ask("GET", "/manage_main", timeout_s=10).text
    return [part.partition('"')[0] for part in text.split('name="ids:list"')[1:] for part in [part.split('value="')[1]]]


def test_every_thread_of_every_client_reads(cluster: Cluster) -> None:
    history = run(cluster)
    for name in cluster.clients:
        for number in (1, 2):
            reads = [op for op in history.operations if (op.session, op.action, op.round) == (name, "read", number)]
            assert {*cluster.clients} == {*reads[-1].reads}
        state = history.state(name)
        assert state is not None and state.threads == 4
        assert state.threads_met is not None and 2 <= state.threads_met <= 4


def test_each_document_is_added_and_then_edited(cluster: Cluster) -> None:
    history = run(cluster)
    writes = [(op.session, op.action) for op in history.operations if op.writes]
    assert [(name, "add") for name in cluster.clients] == writes[:3]
    assert [(name, "write") for name in cluster.clients] == writes[3:]
    nonces = [nonce for op in history.operations for nonce in op.writes.values()]
    assert 6 == len(set(nonces)) and {32} == {len(nonce) for nonce in nonces}


def test_the_lag_is_the_edits_own_and_not_that_of_the_other_writes(cluster: Cluster) -> None:
    def before_write(client: str) -> None:
        # What other writes take must not count: here each takes a while.
        time.sleep(0.5)

    found = pairs(run(cluster, before_write=before_write), list(cluster.clients), list(cluster.clients))
    lags = [pair.lag_ms for pair in found]
    assert 6 == len(lags)
    assert all(lag is not None and 0 < lag < 500 for lag in lags), lags


def test_one_listing_shows_the_same_as_many_documents(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(level, "ONE_BY_ONE", 0)
    assert every_pair(cluster) == seen(run(cluster), cluster)


def test_forms_that_name_the_public_host_go_to_the_client_itself(cluster: Cluster) -> None:
    asked = [HttpTarget(client_of(cluster, name, host_header="www.example.com")) for name in cluster.clients]
    history = run(cluster, asked)
    assert every_pair(cluster) == seen(history, cluster)
    assert () == history.left


def test_every_write_is_announced(cluster: Cluster) -> None:
    announced: list[str] = []

    def before_write(client: str) -> None:
        announced.append(client)

    run(cluster, before_write=before_write)
    # The folder and the page that tells its process, a document each, an edit each, and the removal.
    assert ["app1", "app1", "app1", "app2", "app3", "app1", "app2", "app3", "app1"] == announced


# --- two databases --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def split(share_cluster: Callable[..., Cluster]) -> Cluster:
    """app1 runs on a copy of the database, and its zope.conf on disk names the server of the others."""
    zeo = (ZeoSpec(), ZeoSpec(name="copy"))
    return share_cluster((ClientSpec(name="app1", zeo="copy", told_zeo="main"), *specs(3)[1:]), zeo=zeo)


def test_a_client_on_a_copy_is_found_by_http_alone(split: Cluster) -> None:
    asked = targets(split)
    before = newest_transaction(split, "app1")
    history = run(split, [asked[1], asked[2], asked[0]])
    state = history.state("app1")
    assert state is not None and (False, False) == (state.joined, state.hung)
    assert "runs on another database" in state.detail
    assert (False, False) == (seen(history, split)["app2", "app1"], seen(history, split)["app3", "app1"])
    assert (True, True) == (seen(history, split)["app2", "app3"], seen(history, split)["app3", "app2"])
    assert before == newest_transaction(split, "app1"), "something was written into the copy"
    (finding,) = judged(split, history, edits_are_seen_everywhere).findings
    assert ("CRITICAL", ("app1", "app2", "app3")) == (finding.severity, finding.clients)
    assert finding.message.startswith("app1 does not show what is saved through app2, app3 (app1: /zcheck-4f2a,")
    assert "their Control Panels say: " in finding.hint
    assert () == history.left and [] == who_shows(split)


def test_the_folder_is_made_where_the_expected_transaction_is(split: Cluster) -> None:
    commit_orphan(split.main_zeo.port, "zcheck run=4f2a seq=1")
    expected = dict.fromkeys(split.clients, "zcheck run=4f2a")
    before = newest_transaction(split, "app1")
    history = run(split, expect_transaction=expected)
    added = next(op for op in history.operations if op.action == "add")
    assert "app2" == added.session
    state = history.state("app1")
    assert state is not None and "does not list the transaction 'zcheck run=4f2a'" in state.detail
    assert before == newest_transaction(split, "app1"), "something was written into the copy"


def test_without_the_expected_transaction_nothing_is_written_where_it_must_be_shown(split: Cluster) -> None:
    expected = {"app1": "zcheck run=never"}
    before = newest_transaction(split, "app1")
    history = run(split, targets(split)[:1], expect_transaction=expected, must_show=True)
    assert (0, True) == (history.transactions, history.stopped.startswith("the test folder could not be made"))
    assert before == newest_transaction(split, "app1")
    findings = judged(split, history, client_accepts_writes).findings
    assert [("UNKNOWN", ("app2", "app3")), ("UNKNOWN", ("app1",))] == [(f.severity, f.clients) for f in findings]


def test_the_expected_transaction_is_a_preference_where_there_is_no_other(split: Cluster) -> None:
    history = run(split, targets(split)[:1], expect_transaction={"app1": "zcheck run=never"})
    assert ("", 5) == (history.stopped, history.transactions)


def test_the_label_of_a_client_that_was_not_restarted_is_told(split: Cluster) -> None:
    (finding,) = judged(split, History("http", "main", "x"), database_locations_agree).findings
    copy = split.zeo["copy"].port
    assert ("WARNING", ("app1",)) == (finding.severity, finding.clients)
    assert finding.message.startswith(f"app1 runs with database main at [('localhost', {copy})]; its zope.conf names ")


def test_three_spellings_of_one_server_are_no_finding(cluster: Cluster) -> None:
    judgement = judged(cluster, History("http", "main", "x"), database_locations_agree)
    assert ((), "pass") == (judgement.findings, judgement.results[0].outcome)


def commit_orphan(port: int, description: str) -> None:
    """What the ZEO level leaves in a server's list of transactions: one, of an object that is linked from nowhere."""
    import transaction
    import ZODB
    from persistent.mapping import PersistentMapping
    from ZEO.ClientStorage import ClientStorage

    database = ZODB.DB(ClientStorage((HOST, port), wait_timeout=10))
    try:
        manager = transaction.TransactionManager()
        connection = database.open(manager)
        connection.add(PersistentMapping())
        manager.get().note(description)
        manager.commit()
        connection.close()
    finally:
        database.close()


# --- a half-open connection to the ZEO server -----------------------------------------------------


@pytest.fixture
def half_open(request: pytest.FixtureRequest, make_cluster: Callable[..., Cluster]) -> Iterator[Cluster]:
    """The named client reaches its ZEO server through a proxy, and the server's bytes no longer arrive."""
    victim, _, cold = request.param.partition(" ")
    planned: Cluster = make_cluster(3, start=False)
    with proxy(HostPort(HOST, planned.main_zeo.port)) as between:
        planned.clients[victim].spec = ClientSpec(name=victim, server=str(between.address))
        planned.start()
        if not cold:
            # It has been in use: what a page of the Control Panel takes is in its cache.
            assert isinstance(panel_of(planned, victim), ControlPanel)
        between.swallow_answers.set()
        try:
            yield planned
        finally:
            planned.stop()


@pytest.mark.parametrize("half_open", ["app1"], indirect=True)
def test_a_half_open_client_says_that_it_is_connected(half_open: Cluster) -> None:
    panel = panel_of(half_open, "app1")
    assert isinstance(panel, ControlPanel) and [True] == [page.connected for page in panel.databases]


@pytest.mark.parametrize(
    "half_open",
    ["app1", "app3", "app1 cold", "app3 cold"],
    indirect=True,
    ids=["first", "last", "first, never used", "last, never used"],
)
def test_nothing_is_written_through_a_half_open_client(half_open: Cluster, request: pytest.FixtureRequest) -> None:
    victim, _, cold = request.node.callspec.params["half_open"].partition(" ")
    others = [name for name in half_open.clients if name != victim]
    with recorder(half_open, victim) as heard:
        history = run(half_open, targets(half_open, **{victim: heard.address}))
        assert [] == heard.posts
        assert b"manage_UndoForm" in heard.heard
        assert 1 == bytes(heard.heard).count(b"manage_UndoForm"), "each such request costs one of its threads"
    state = history.state(victim)
    assert state is not None and state.hung and not state.joined
    assert (True, True) == (
        seen(history, half_open)[others[0], others[1]],
        seen(history, half_open)[others[1], others[0]],
    )
    assert commits_within_a_second(half_open, others[0])
    assert ((), "") == (history.left, history.stopped)
    assert [] == [name for name in others if shows(half_open, name)]
    (finding,) = judged(half_open, history, client_is_connected_to_zeo).findings
    assert ("CRITICAL", (victim,)) == (finding.severity, finding.clients)
    said = "answers, and hangs as soon as it has to ask its" if cold else "says it is connected to its"
    assert finding.message.startswith(f"{victim} {said} ZEO server")


@pytest.mark.parametrize("half_open", ["app1"], indirect=True)
def test_a_client_that_may_not_be_asked_is_not_asked(half_open: Cluster) -> None:
    asked = targets(half_open)
    asked[0] = HttpTarget(asked[0].client, may_ask=False)
    with recorder(half_open, "app1") as heard:
        asked[0] = HttpTarget(client_of(half_open, "app1", connect=heard.address), may_ask=False)
        history = run(half_open, asked)
        assert ([], 0) == (heard.posts, bytes(heard.heard).count(b"manage_UndoForm"))
    state = history.state("app1")
    assert state is not None and (False, False) == (state.joined, state.hung)


def test_without_its_zeo_server_no_client_is_written_through(make_cluster: Callable[..., Cluster]) -> None:
    down: Cluster = make_cluster(2)
    down.stop_zeo()
    started = time.monotonic()
    history = run(down, timeout_s=1.0)
    assert time.monotonic() - started < patient(10)
    assert (0, []) == (history.transactions, [op for op in history.operations if op.writes])
    assert [None, None] == [state.joined for state in history.clients]


# --- writes that are refused ----------------------------------------------------------------------


def test_a_wrong_password_is_told_and_is_not_the_clients_fault(cluster: Cluster) -> None:
    history = run(cluster, password="not-the-password")
    assert {"wrong-password"} == {state.refused for state in history.clients}
    assert 0 == history.transactions
    judgement = judged(cluster, history, client_accepts_writes)
    assert [("UNKNOWN", ("app1", "app2", "app3"))] == [(f.severity, f.clients) for f in judgement.findings]
    assert "the user is not known there, or the password is wrong" in judgement.findings[0].message
    unproven = judged(cluster, history, edits_are_seen_everywhere)
    assert ((), "client-accepts-writes") == (unproven.findings, unproven.results[0].because)
    assert "not-the-password" not in judgement.findings[0].message


def test_a_user_without_rights_is_told_from_a_wrong_password(cluster: Cluster) -> None:
    add = "submit=Add&name=reader&password=reader-word&confirm=reader-word&roles:list="
    assert 200 == post(cluster, "app1", "/acl_users/manage_users", add)
    try:
        wait_until_known(cluster, "reader", "reader-word")
        history = run(cluster, user="reader", password="reader-word")
        assert {"no-permission"} == {state.refused for state in history.clients}
        panel = probe_control_panel(client_of(cluster, "app1"), "reader", "reader-word", TIMEOUT_S)
        assert isinstance(panel, NotGathered) and "lacks the permission" in panel.reason
    finally:
        post(cluster, "app1", "/acl_users/manage_users", "submit=Delete&names:list=reader")


@pytest.fixture(scope="module")
def one_read_only(share_cluster: Callable[..., Cluster]) -> Cluster:
    return share_cluster(specs(3, last={"read_only": True}))


def test_a_client_that_is_read_only_by_mistake_is_named(one_read_only: Cluster) -> None:
    history = run(one_read_only)
    state = history.state("app3")
    assert state is not None and (True, "error") == (state.joined, state.refused)
    assert "read-only" in state.detail
    assert {(w, r): None if w == "app3" else True for w, r in every_pair(one_read_only)} == seen(history, one_read_only)
    (finding,) = judged(one_read_only, history, client_accepts_writes).findings
    assert ("CRITICAL", ("app3",)) == (finding.severity, finding.clients)
    result = judged(one_read_only, history, edits_are_seen_everywhere).results[0]
    assert ("pass", "client-accepts-writes") == (result.outcome, result.skipped_for[0].because)


def test_a_read_only_client_that_comes_first_is_not_the_end(one_read_only: Cluster) -> None:
    asked = targets(one_read_only)
    history = run(one_read_only, [asked[2], asked[0], asked[1]])
    assert ("", ()) == (history.stopped, history.left)
    assert True is seen(history, one_read_only)["app1", "app3"]


def test_a_read_only_role_reads(make_cluster: Callable[..., Cluster]) -> None:
    made: Cluster = make_cluster(specs(2, last={"read_only": True, "role": "read-only"}))
    with recorder(made, "app2") as heard:
        history = run(made, targets(made, app2=heard.address))
        assert [] == heard.posts
    assert {("app1", "app2"): True} == seen(history, made)


class Layer(http.server.BaseHTTPRequestHandler):
    """A layer in front of a real client that spoils what is posted, as a token check or a broken proxy does."""

    protocol_version = "HTTP/1.1"
    port = 0
    spoil: Callable[[Layer, bytes], None]

    def do_GET(self) -> None:
        self._pass_on(b"")

    def do_POST(self) -> None:
        type(self).spoil(self, self.rfile.read(int(self.headers["Content-Length"])))

    def _pass_on(self, body: bytes, *, answer: bool = True) -> None:
        behind = http.client.HTTPConnection(HOST, self.port, timeout=10)
        behind.request(self.command, self.path, body=body, headers=dict(self.headers))
        got = behind.getresponse()
        content = got.read()
        behind.close()
        if answer:
            self.answer(got.status, content, got.getheader("Location"))

    def answer(self, status: int, content: bytes = b"", location: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    # The ways to spoil a POST.

    def lose(self, body: bytes) -> None:
        self.answer(302, location="/manage_main")

    def ask_to_log_in(self, body: bytes) -> None:
        self.answer(302, location="http://www.example.com/login?came_from=/manage_main")

    def ask_to_confirm(self, body: bytes) -> None:
        self.answer(302, location="/@@confirm-action?original_url=x")

    def forbid(self, body: bytes) -> None:
        self.answer(403)

    def fail_read_only(self, body: bytes) -> None:
        self.answer(500, b"ReadOnlyError")

    def do_it_and_never_answer(self, body: bytes) -> None:
        if b"addFolder" in self.path.encode() or b"manage_delObjects" not in body:
            self._pass_on(body, answer=False)
            time.sleep(TIMEOUT_S + 1)
        else:
            self._pass_on(body)


@contextlib.contextmanager
def behind(
    cluster: Cluster, name: str, spoil: Callable[[Layer, bytes], None], **more: Callable[[Layer], None]
) -> Iterator[HostPort]:
    handler = type("Spoiling", (Layer,), {"port": cluster.clients[name].port, "spoil": spoil, **more})
    with http.server.ThreadingHTTPServer((HOST, 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
        thread.start()
        try:
            yield HostPort(HOST, server.server_address[1])
        finally:
            server.shutdown()


SPOILED = {
    "302 and nothing saved": (Layer.lose, "not-saved", "does not show it"),
    "a login page": (Layer.ask_to_log_in, "redirected", "login page"),
    "a confirmation": (Layer.ask_to_confirm, "redirected", "asks for a confirmation"),
    "forbidden": (Layer.forbid, "no-permission", "(403 for /manage_addProduct"),
    "read-only": (Layer.fail_read_only, "read-only", "read-only"),
}


@pytest.mark.parametrize(("spoil", "refused", "words"), SPOILED.values(), ids=SPOILED)
def test_a_refused_write_is_told_as_what_it_is(
    cluster: Cluster, spoil: Callable[[Layer, bytes], None], refused: str, words: str
) -> None:
    with behind(cluster, "app1", spoil) as address:
        history = run(cluster, targets(cluster, app1=address))
    state = history.state("app1")
    assert state is not None and refused == state.refused
    assert words in state.detail
    assert (True, True) == (seen(history, cluster)["app2", "app3"], seen(history, cluster)["app2", "app1"])
    (finding,) = judged(cluster, history, client_accepts_writes).findings
    assert ("CRITICAL", ("app1",)) == (finding.severity, finding.clients)
    assert () == history.left and [] == who_shows(cluster)


def test_an_add_that_is_never_acknowledged_ends_the_writing_and_is_cleaned_up(cluster: Cluster) -> None:
    with behind(cluster, "app1", Layer.do_it_and_never_answer) as address:
        history = run(cluster, targets(cluster, app1=address), timeout_s=TIMEOUT_S)
    assert history.stopped.startswith("a write through app1 was not answered")
    assert ["info"] == [op.outcome for op in history.operations if op.action == "add"]
    assert ((), []) == (history.left, who_shows(cluster))


def test_a_write_that_is_sent_waits_no_longer_than_the_run_and_is_held_against_nobody(cluster: Cluster) -> None:
    began = time.monotonic()
    end = began + 1.8
    with behind(cluster, "app1", Layer.do_it_and_never_answer) as address:
        asked = targets(cluster, app1=address)
        history = run(cluster, asked, timeout_s=30.0, deadline=lambda: end - time.monotonic(), clean_up_s=8.0)
    assert "the time for this run was over" == history.stopped
    assert [""] * 3 == [state.refused for state in history.clients]
    assert ((), []) == (history.left, who_shows(cluster))
    assert time.monotonic() - began < patient(1.8 + 8.0)


def test_a_listing_that_is_never_shown_bars_nobody(cluster: Cluster) -> None:
    """The listing of a large root may take longer than any limit, and a run asks for none."""

    def hang_at_the_listing(layer: Layer) -> None:
        if layer.path.startswith("/manage_main"):
            time.sleep(TIMEOUT_S + 1)
        else:
            layer._pass_on(b"")

    with behind(cluster, "app1", Layer._pass_on, do_GET=hang_at_the_listing) as address:
        history = run(cluster, targets(cluster, app1=address))
    assert {True} == set(seen(history, cluster).values())
    assert [""] * 3 == [state.detail for state in history.clients]
    assert ((), []) == (history.left, who_shows(cluster))


# --- ending early ---------------------------------------------------------------------------------


@pytest.mark.parametrize("allowed", range(9))
def test_writing_stops_when_it_is_told_to_and_the_folder_goes(cluster: Cluster, allowed: int) -> None:
    calls: list[str] = []

    def before_write(client: str) -> str | None:
        calls.append(client)
        # A lock that is held for two looks: long enough to stop the writing, over before the removal gives up.
        return "the commit lock is held" if len(calls) in (allowed + 1, allowed + 2) else None

    history = run(cluster, before_write=before_write)
    assert ("the commit lock is held" if allowed < 8 else "") == history.stopped
    assert ((), []) == (history.left, who_shows(cluster))


def test_the_lock_that_never_opens_leaves_a_folder_and_says_so(cluster: Cluster) -> None:
    calls: list[str] = []

    def before_write(client: str) -> str | None:
        calls.append(client)
        return "the commit lock is held" if len(calls) > 1 else None

    history = run(cluster, before_write=before_write, clean_up_s=1.0)
    try:
        assert 1 == len(history.left)
        assert f"/{FOLDER} is still shown by app1, app2, app3" in history.left[0]
        assert "the commit lock is held" in history.left[0]
        assert ["app1", "app2", "app3"] == who_shows(cluster)
    finally:
        remove_folder(cluster, "app1", FOLDER)


@pytest.mark.parametrize("after", range(1, 13, 2))
def test_the_time_is_over_and_the_folder_goes(cluster: Cluster, after: int) -> None:
    told: list[str] = []
    history = run(
        cluster,
        progress=lambda client, what: told.append(what),
        deadline=lambda: 0.0 if len(told) >= after else 10.0,
    )
    assert ((), []) == (history.left, who_shows(cluster))


def test_an_interrupt_goes_on_after_the_folder_is_gone(cluster: Cluster) -> None:
    def progress(client: str, what: str) -> None:
        if what.startswith("is written"):
            assert shows(cluster, "app1")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(cluster, progress=progress)
    assert [] == who_shows(cluster)


def test_an_interrupt_while_clients_are_read_goes_on_at_once(cluster: Cluster) -> None:
    def progress(client: str, what: str) -> None:
        if what.startswith("is read") and client == "app2":
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(cluster, progress=progress)
    assert time.monotonic() - started < patient(5)
    assert [] == who_shows(cluster)


def test_a_client_that_ends_meanwhile_is_not_proven_and_the_others_are(make_cluster: Callable[..., Cluster]) -> None:
    made: Cluster = make_cluster(3)
    ended = threading.Lock()

    def progress(client: str, what: str) -> None:
        if what == "is edited through" and ended.acquire(blocking=False):
            made.clients["app3"].kill()

    history = run(made, progress=progress)
    found = seen(history, made)
    assert (True, True) == (found["app1", "app2"], found["app2", "app1"])
    assert True not in (found["app1", "app3"], found["app2", "app3"])
    assert () == history.left
    assert [False, False] == [shows(made, name) for name in ("app1", "app2")]


# --- what a killed run leaves ---------------------------------------------------------------------

_KILLED_RUN = """
import os, signal, sys, time
from zcheck.consistency.http import folder as http
from zcheck.consistency.http.client import HttpTarget
from zcheck.facts import Client, HostPort, IniSection

user, password = sys.stdin.read().split()
moment, ports = int(sys.argv[1]), [int(port) for port in sys.argv[2:]]
told = []

def progress(client, what):
    told.append(what)
    if len(told) == moment:
        os.kill(os.getpid(), signal.SIGKILL)

http.run(
    [
        HttpTarget(Client(f"app{n}", HostPort("127.0.0.1", port), IniSection(f"client:app{n}", 1), "127.0.0.1"))
        for n, port in enumerate(ports, 1)
    ],
    user=user, password=password, run_id="killed", before_write=lambda client: None, expect_transaction={},
    timeout_s=5, deadline=lambda: 30, progress=progress,
)
"""

# By the moment: what is there after a SIGKILL when the run had told so many steps.
MOMENTS = {
    "asking the server": (1, False),
    "before the folder": (2, False),
    "before the first document": (3, True),
    "between two documents": (4, True),
    "reading": (6, True),
    "before the first edit": (9, True),
    "before the removal": (15, True),
}


@pytest.mark.parametrize(("moment", "left"), MOMENTS.values(), ids=MOMENTS)
def test_what_a_killed_run_leaves_is_found_and_removed(cluster: Cluster, moment: int, left: bool) -> None:
    ports = [str(client.port) for client in cluster.clients.values()]
    done = subprocess.run(
        [sys.executable, "-c", _KILLED_RUN, str(moment), *ports],
        input=f"{cluster.user} {cluster.password}",
        text=True,
        timeout=60,
        check=False,
    )
    assert -signal.SIGKILL == done.returncode
    assert commits_within_a_second(cluster, "app2")
    asked = targets(cluster)
    options = {"user": cluster.user, "password": cluster.password, "timeout_s": TIMEOUT_S}
    expected = ("zcheck-killed",) if left else ()
    assert dict.fromkeys(cluster.clients, expected) == leftovers(asked, **options)
    assert dict.fromkeys(cluster.clients, ()) == remove_leftovers(asked, **options)
    assert [] == who_shows(cluster, "zcheck-killed")
    assert every_pair(cluster) == seen(run(cluster), cluster), "the next run is unaffected"


def test_a_folder_with_a_name_of_ours_and_another_title_is_not_ours(cluster: Cluster) -> None:
    add_folder(cluster, "app1", "zcheck-handbook", "How we use zcheck")
    try:
        options = {"user": cluster.user, "password": cluster.password, "timeout_s": TIMEOUT_S}
        assert dict.fromkeys(cluster.clients, ()) == remove_leftovers(targets(cluster), **options)
        assert shows(cluster, "app1", "zcheck-handbook")
    finally:
        remove_folder(cluster, "app1", "zcheck-handbook")


def test_leftovers_of_both_sides_of_a_split_are_removed(split: Cluster) -> None:
    title = our_names.folder_title("old").replace(" ", "+")
    for name in ("app1", "app3"):
        add_folder(split, name, "zcheck-old", title)
    options = {"user": split.user, "password": split.password, "timeout_s": TIMEOUT_S}
    assert dict.fromkeys(split.clients, ("zcheck-old",)) == leftovers(targets(split), **options)
    assert dict.fromkeys(split.clients, ()) == remove_leftovers(targets(split), **options)


@pytest.mark.parametrize("half_open", ["app1"], indirect=True)
def test_leftovers_are_not_removed_through_a_half_open_client(half_open: Cluster) -> None:
    with recorder(half_open, "app1") as heard:
        options = {"user": half_open.user, "password": half_open.password, "timeout_s": TIMEOUT_S}
        add_folder(half_open, "app2", "zcheck-old", our_names.folder_title("old").replace(" ", "+"))
        found = remove_leftovers(targets(half_open, app1=heard.address), **options)
        assert [] == heard.posts
    assert ((), ()) == (found["app2"], found["app3"])
    assert commits_within_a_second(half_open, "app3")


def test_leftovers_of_a_client_that_does_not_answer_are_not_known(cluster: Cluster) -> None:
    nobody = HttpTarget(client_of(cluster, "app1", connect=HostPort(HOST, 1)))
    found = leftovers([nobody, *targets(cluster)[1:]], user=cluster.user, password=cluster.password, timeout_s=2.0)
    assert NotGathered("it refuses connections") == found["app1"]
    assert ((), ()) == (found["app2"], found["app3"])


def test_nothing_of_this_test_outlives_it(cluster: Cluster) -> None:
    """The module shares one cluster: what one test left would be another's riddle."""
    assert os.getpid() not in cluster.pids
    assert [] == who_shows(cluster)
