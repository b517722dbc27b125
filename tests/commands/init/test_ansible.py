"""A draft from an Ansible inventory: what ansible-inventory prints, and what it does not tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcheck import cli
from zcheck.commands.init import InitError, draft
from zcheck.facts import HostPort, Inventory
from zcheck.parsers import clients_ini

# As ansible-inventory --list of ansible-core 2.19 prints it.
LISTED: dict[str, Any] = {
    "_meta": {
        "hostvars": {
            "app1": {
                "ansible_host": "10.0.0.11",
                "ansible_user": "zope",
                "http_port": 8080,
                "zope_conf": "/srv/zope.conf",
            },
            "app2": {"ansible_port": 2222, "zope_port": "8081", "ansible_python_interpreter": "/srv/zope/bin/python"},
            "lb1": {"ansible_host": "10.0.0.20"},
        },
        "profile": "inventory_legacy",
    },
    "all": {"children": ["ungrouped", "zope", "lb"]},
    "zope": {"children": ["blue"], "hosts": ["app1"]},
    "blue": {"hosts": ["app2"], "children": ["zope"]},
    "lb": {"hosts": ["lb1"]},
}


def drafted(folder: Path, listed: object = LISTED, group: str | None = None) -> tuple[str, Inventory]:
    path = folder / "inventory.json"
    path.write_text(json.dumps(listed))
    text = draft([], str(path), group)
    return text, clients_ini.parse(text, "clients.ini")


def alone(folder: Path, **variables: object) -> str:
    """The draft of one host with these variables."""
    return drafted(folder, {"_meta": {"hostvars": {"app1": variables}}, "all": {"hosts": ["app1"]}})[0]


def test_hosts_with_a_port_or_a_conf_become_clients(tmp_path: Path) -> None:
    text, found = drafted(tmp_path)
    assert ("app1", "app2") == found.client_names
    one, two = found.clients
    assert (HostPort("10.0.0.11", 8080), HostPort("app2", 8081)) == (one.address, two.address)
    assert ("app1", "app2") == (one.machine, two.machine)
    assert "ssh -oBatchMode=yes -- zope@10.0.0.11 python3" == one.via
    assert "ssh -oBatchMode=yes -p2222 -- app2 /srv/zope/bin/python" == two.via
    assert "\nzope-conf = /srv/zope.conf\n" in text
    assert "taken for no Zope client" in text
    assert text.count("lb1") == 1


@pytest.mark.parametrize(
    ("expected", "group"),
    [(("app1", "app2"), "zope"), (("app2", "app1"), "blue"), (("lb1",), "lb"), (("app1", "lb1", "app2"), "all")],
)
def test_a_group_holds_its_hosts_and_those_of_the_groups_in_it(
    expected: tuple[str, ...], group: str, tmp_path: Path
) -> None:
    assert expected == drafted(tmp_path, group=group)[1].client_names


def test_an_unknown_group_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(InitError, match="there is no group zop; there are all, blue, lb, zope"):
        drafted(tmp_path, group="zop")


def test_a_host_without_a_port_contacts_nobody(tmp_path: Path) -> None:
    text, found = drafted(tmp_path, group="lb")
    assert HostPort("lb1.invalid", 8080) == found.clients[0].address
    assert found.clients[0].via is None
    assert "; via = ssh -oBatchMode=yes -- 10.0.0.20 python3\n" in text
    assert "; address: 10.0.0.20, and no variable of the inventory tells the port" in text


@pytest.mark.parametrize(
    ("expected", "variables"),
    [
        pytest.param("via = python3", {"ansible_connection": "local"}, id="this machine"),
        pytest.param(
            "via = docker exec -i box python3", {"ansible_connection": "docker", "ansible_host": "box"}, id="docker"
        ),
        pytest.param(
            "via = ssh -oBatchMode=yes -i '/k y' -- app1 python3", {"ansible_private_key_file": "/k y"}, id="a key"
        ),
        pytest.param(
            "via = ssh -oBatchMode=yes -F cfg -oProxyJump=gate -- app1 python3",
            {"ansible_ssh_common_args": "-F cfg", "ansible_ssh_extra_args": "-oProxyJump=gate"},
            id="more arguments",
        ),
        pytest.param(
            "; via = ...   how winrm leads there is not known here", {"ansible_connection": "winrm"}, id="winrm"
        ),
        pytest.param(
            "via = ssh -oBatchMode=yes -- app1 python3", {"ansible_python_interpreter": "auto_silent"}, id="auto"
        ),
        pytest.param(
            "via = ssh -oBatchMode=yes -- -oProxyCommand=id python3",
            {"ansible_host": "-oProxyCommand=id"},
            id="no option",
        ),
        pytest.param("; ansible_user is a template of Ansible's", {"ansible_user": "{{ who }}"}, id="template"),
        pytest.param(
            "; via: ansible_ssh_common_args was left out", {"ansible_ssh_common_args": "-F 'x"}, id="open quote"
        ),
        pytest.param("'sudo -n -u USER' before the Python", {"ansible_become": True}, id="become"),
        pytest.param("; zope_port is a template of Ansible's", {"zope_port": "{{ base }}", "http_port": 80}, id="port"),
        pytest.param("address = app1.invalid:8080", {"zope_port": {"__ansible_vault": "..."}}, id="encrypted"),
        pytest.param(
            "address = app1.invalid:8080", {"zope_port": "{{ base }}", "http_port": 80}, id="no other port instead"
        ),
        pytest.param("address = [2001:db8::7]:8080", {"ansible_host": "2001:db8::7"}, id="IPv6"),
    ],
)
def test_how_ansible_gets_there(expected: str, variables: dict[str, object], tmp_path: Path) -> None:
    assert expected in alone(tmp_path, **{"zope_port": 8080, **variables})


def test_no_password_of_the_inventory_is_shown(tmp_path: Path) -> None:
    secrets = {"ansible_password": "s3cret", "ansible_become_pass": "s3cret", "ansible_ssh_pass": "s3cret"}
    assert "s3cret" not in alone(tmp_path, zope_port=8080, **secrets)


def test_what_is_no_json_is_asked_of_ansible_or_the_command_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hosts.ini").write_text("[zope]\napp1 http_port=8080\n")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(InitError, match=r"run: ansible-inventory -i .*hosts\.ini --list > inventory\.json"):
        draft([], str(tmp_path / "hosts.ini"))
    program = tmp_path / "bin" / "ansible-inventory"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ntest "$1 $3" = "-i --list" && /bin/cat {tmp_path}/listed\n')
    program.chmod(0o755)
    (tmp_path / "listed").write_text(json.dumps(LISTED))
    assert "[client:app2]" in draft([], str(tmp_path / "hosts.ini"))
    (tmp_path / "hosts.ini").write_text(json.dumps({"all": {"hosts": {"app1": {}}}}))
    assert "[client:app2]" in draft([], str(tmp_path / "hosts.ini"))
    (tmp_path / "listed").write_text("ERROR! no")
    with pytest.raises(InitError, match="ansible-inventory could not read it"):
        draft([], str(tmp_path / "hosts.ini"))


def test_with_a_balancers_file_the_clients_have_the_balancers_names(tmp_path: Path) -> None:
    path, haproxy = tmp_path / "inventory.json", tmp_path / "haproxy.cfg"
    path.write_text(json.dumps(LISTED))
    haproxy.write_text("backend zope\n    server z1 10.0.0.11:8080\n    server z2 app2:8081\n")
    found = clients_ini.parse(draft([str(haproxy)], str(path)), "clients.ini")
    assert [("app1", "z1"), ("app2", "z2")] == [(one.name, one.balancer_server) for one in found.clients]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "inventory.json"
    path.write_text(json.dumps(LISTED))
    assert 0 == cli.main(["init", "--ansible-inventory", str(path), "--ansible-group", "blue"])
    assert "[client:app2]" in capsys.readouterr().out


def test_the_command_without_files_searches_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert 3 == cli.main(["init"])
    assert "this folder: no client" in capsys.readouterr().err
    (tmp_path / "zope.conf").write_text("<zodb_db main>\n</zodb_db>\n")
    assert 0 == cli.main(["init"])


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["ansible_host", "ansible_user", "ansible_port", "zope_port", "zope_conf", "ansible_connection"])


@given(
    st.dictionaries(st.text(min_size=1, max_size=12), st.dictionaries(KEYS, JUNK, max_size=4), min_size=1, max_size=4),
    JUNK,
)
def test_whatever_an_inventory_holds_the_draft_passes_our_parser(
    tmp_path_factory: pytest.TempPathFactory, hostvars: dict[str, Any], junk: Any
) -> None:
    listed = {"_meta": {"hostvars": hostvars}, "all": {"hosts": list(hostvars), "children": junk}, "zope": junk}
    assert drafted(tmp_path_factory.getbasetemp(), listed)[1].clients
