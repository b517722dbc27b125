"""The runtime socket's answers, as HAProxy 2.6 gives them, and its ways of not answering."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from zcheck.probes.haproxy_socket import Refused, Runtime, ServerState, Trouble, parse_figures, parse_state

STATE = """1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight \
srv_time_since_last_change \
srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id \
srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port
3 zope 1 app1 10.0.0.1 2 4 1 1 12 15 3 4 6 0 0 0 - 8080 - 0 0 - - 0
3 zope 2 app2 10.0.0.2 0 5 1 1 12 1 0 0 14 0 0 0 - 8080 - 0 0 - - 0
4 other 1 x 10.0.0.9 2 0 1 1 12 15 3 4 6 0 0 0 - 80 - 0 0 - - 0

"""
STAT = """# pxname,svname,qcur,scur,stot,status,weight,chkfail,lastchg,check_status,check_health,check_rise,check_fall,\
last_chk,econ,eresp
zope,app1,1,2,300,UP,1,7,12,* L7OK,4,2,3,,5,6
zope,app2,,0,0,MAINT,1,0,12,,,,,,0,0
"""


class Peer:
    """A socket that answers each connection with the next of some texts; None: it says nothing."""

    def __init__(self, path: Path, answers: list[str | None]) -> None:
        self.asked: list[str] = []
        self._answers = iter(answers)
        self._over = threading.Event()
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(path))
        self._door.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        for answer in self._answers:
            try:
                connection, _ = self._door.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(4096).decode().strip())
                if answer is None:
                    self._over.wait(20)
                else:
                    connection.sendall(answer.encode())

    def close(self) -> None:
        self._over.set()
        self._door.close()


@pytest.fixture
def peers(tmp_path: Path) -> Iterator[list[Peer]]:
    made: list[Peer] = []
    yield made
    for peer in made:
        peer.close()


def runtime(tmp_path: Path, peers: list[Peer], *answers: str | None, timeout_s: float = 5.0) -> Runtime:
    path = tmp_path / "admin.sock"
    peers.append(Peer(path, list(answers)))
    return Runtime(str(path), timeout_s)


def test_states_and_figures_are_read_by_the_names_of_their_columns(tmp_path: Path, peers: list[Peer]) -> None:
    found = runtime(tmp_path, peers, STATE, STAT).servers("zope")
    assert ["app1", "app2"] == list(found)
    one = found["app1"]
    assert ("10.0.0.1", 8080, 2, 4) == (one.address, one.port, one.operation, one.administration)
    assert (4, 2, 3, 2, 1, 300, 11) == (
        one.check_health,
        one.rise,
        one.fall,
        one.sessions,
        one.queued,
        one.total,
        one.errors,
    )
    assert (None, None) == (found["app2"].check_health, found["app2"].rise)
    assert ["show servers state zope", "show stat zope 4 -1"] == peers[0].asked


def test_a_format_of_another_kind_is_no_state() -> None:
    assert {} == parse_state("Can't find backend.\n", "zope")
    assert {} == parse_state("", "zope")
    assert {} == parse_figures("", "zope")


def state(operation: int = 2, administration: int = 0, **more: object) -> ServerState:
    kept = {"name": "app1", "backend": "zope", "address": "10.0.0.1", "port": 8080}
    return ServerState(operation=operation, administration=administration, **kept, **more)  # type: ignore[arg-type]


STATES = {
    "running": (state(2, 0), True, "open"),
    "in slowstart": (state(1, 0), True, "starting"),
    "enabled after disabled": (state(2, 4), True, "open"),
    "its name set by the socket": (state(2, 64), True, "open"),
    "down": (state(0, 0), False, "down"),
    "404 while stopping": (state(3, 0), False, "stopping"),
    "disabled": (state(0, 5), False, "closed"),
    "maintenance": (state(2, 1), False, "closed"),
    "maintenance of the one it tracks": (state(2, 2), False, "closed"),
    "drain": (state(2, 8), False, "draining"),
    "drain from disabled": (state(2, 12), False, "draining"),
    "drain of the one it tracks": (state(2, 16), False, "draining"),
    "no address": (state(0, 32), False, "its name is not known"),
}


@pytest.mark.parametrize(("one", "in_rotation", "words"), STATES.values(), ids=STATES)
def test_who_is_in_rotation(one: ServerState, in_rotation: bool, words: str) -> None:
    assert (in_rotation, words) == (one.in_rotation, one.words)


PROVEN = {
    "all checks passed": (state(2, 8, check_health=4, rise=2, fall=3, check_status="L7OK"), True),
    "one is missing": (state(2, 8, check_health=3, rise=2, fall=3, check_status="L7OK"), False),
    "as it begins": (state(2, 8, check_health=2, rise=2, fall=3, check_status="INI"), False),
    "while one runs": (state(2, 8, check_health=4, rise=2, fall=3, check_status="* L7OK"), False),
    "stale, and down": (state(0, 8, check_health=4, rise=2, fall=3, check_status="L7OK"), False),
    "not checked": (state(2, 8), False),
}


@pytest.mark.parametrize(("one", "proven"), PROVEN.values(), ids=PROVEN)
def test_what_is_a_fresh_proof(one: ServerState, proven: bool) -> None:
    assert proven == one.is_proven


ANSWERS = {
    "no such server": "No such server.\n",
    "no such backend": "No such backend.\n",
    "what it expects": "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n",
    "denied": "Permission denied\n",
    "anything": "hello",
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_every_answer_to_a_change_is_an_error(answer: str, tmp_path: Path, peers: list[Peer]) -> None:
    with pytest.raises(Refused, match="level admin" if answer.startswith("Perm") else answer.strip()[:8]):
        runtime(tmp_path, peers, answer).maintain("zope", "app2")


def test_a_change_is_read_back(tmp_path: Path, peers: list[Peer]) -> None:
    assert "closed" == runtime(tmp_path, peers, "\n", STATE, STAT).maintain("zope", "app2").words
    assert "set server zope/app2 state maint" == peers[0].asked[0]


def test_a_change_that_changed_nothing_is_refused(tmp_path: Path, peers: list[Peer]) -> None:
    with pytest.raises(Refused, match="did not go to ready: it is closed"):
        runtime(tmp_path, peers, "\n", STATE, STAT).ready("zope", "app2")


def test_silence_ends(tmp_path: Path, peers: list[Peer]) -> None:
    with pytest.raises(Trouble, match=r"did not answer within 0\.3 s"):
        runtime(tmp_path, peers, None, timeout_s=0.3).level()


@pytest.mark.parametrize("name", ["a b", "a;b", "a\nb", "", "a/b"])
def test_a_name_is_one_word_of_a_command(name: str, tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="no name that HAProxy allows"):
        Runtime(str(tmp_path / "none")).ready("zope", name)


@pytest.mark.parametrize("command", ["a\nb", "a;b"])
def test_a_command_is_one_line(command: str, tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="one line"):
        Runtime(str(tmp_path / "none")).ask(command)


def test_where_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="no such socket"):
        Runtime(str(tmp_path / "none")).level()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(Trouble, match="nobody listens"):
        Runtime(f"127.0.0.1:{port}").level()


def test_an_unknown_backend_is_told(tmp_path: Path, peers: list[Peer]) -> None:
    with pytest.raises(Trouble, match="no backend nope"):
        runtime(tmp_path, peers, "Can't find backend.\n").servers("nope")
