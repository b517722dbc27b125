"""The Zope clients and ZEO servers of compose files, and what is to be said of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from zcheck.commands.init import InitError, draft
from zcheck.facts import Inventory
from zcheck.parsers import clients_ini


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: str, text: str) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)
    return path


def drafted(*paths: str) -> tuple[str, Inventory]:
    text = draft(paths)
    return text, clients_ini.parse(text, "clients.ini")


def compose(services: str, path: str = "compose.yaml") -> str:
    return write(path, f"services:\n{services}")


PLONE = "image: plone/plone-backend:6.1"
TWO = "".join(f"  {name}: {{{PLONE}, environment: {{ZEO_ADDRESS: 'zeo:8100'}}}}\n" for name in ("one", "two"))

ZEO = {
    "by its command": ("  db: {image: 'plone:5', command: zeo}\n", "db:8100"),
    "by its entrypoint": ("  db: {image: 'x:1', entrypoint: [/bin/runzeo, -C, zeo.conf]}\n", "db:8100"),
    "by a shell's command": ("  db: {image: 'x:1', command: [sh, -c, exec runzeo -C zeo.conf]}\n", "db:8100"),
    "by its image": ("  db: {image: plone/plone-zeo, environment: {ZEO_STORAGE: '1'}}\n", "db:8100"),
    "by its port": ("  db: {image: plone/plone-zeo, environment: {ZEO_PORT: '8200'}}\n", "db:8200"),
    "by who dials it": ("  zeo: {image: 'plone:5'}\n", "zeo:8100"),
    "by another name of its": ("  db: {image: 'plone:5', container_name: zeo}\n", "zeo:8100"),
}


@pytest.mark.parametrize(("service", "address"), ZEO.values(), ids=ZEO)
def test_a_zeo_server_is_told_from_clients(service: str, address: str) -> None:
    _, found = drafted(compose(TWO + service))
    assert ("one", "two") == found.client_names
    assert [address] == [server.address for server in found.zeo_servers]


@pytest.mark.parametrize("command", ["zeopack", "create-classic", "[/docker-entrypoint.sh, run, script.py]"])
def test_a_job_is_no_client(command: str) -> None:
    text, found = drafted(
        compose(f"{TWO}  job: {{{PLONE}, command: {command}, environment: {{ZEO_ADDRESS: 'zeo:8100'}}}}\n")
    )
    assert ("one", "two") == found.client_names
    assert "job runs '" in text


def test_a_zeo_server_whose_port_is_published() -> None:
    _, found = drafted(compose(TWO + "  zeo: {image: plone/plone-zeo, ports: ['18100:8100']}\n"))
    assert ("zeo:8100", "127.0.0.1:18100") == (found.zeo_servers[0].address, found.zeo_servers[0].connect)


LACKING = {
    "misspelt": ("{ZEO_ADRESS: 'zeo:8100'}", "is ZEO_ADRESS in compose.yaml:3 meant?"),
    "not there": ("{SITE: Plone}", "it has no ZEO_ADDRESS"),
    "both": ("{ZEO_ADDRESS: 'zeo:8100', RELSTORAGE_DSN: 'dbname=x'}", "it has RELSTORAGE_DSN beside ZEO_ADDRESS"),
}


@pytest.mark.parametrize(("environment", "said"), LACKING.values(), ids=LACKING)
def test_a_client_that_does_not_go_where_the_others_go(environment: str, said: str) -> None:
    one = f"  one: {{{PLONE}, environment: {{ZEO_ADDRESS: 'zeo:8100'}}}}\n"
    text, found = drafted(compose(f"{one}  two: {{{PLONE}, environment: {environment}}}\n"))
    assert ("one", "two") == found.client_names
    assert said in text


def test_clients_on_a_database_server_are_asked_for_no_zeo() -> None:
    service = f"{{{PLONE}, environment: {{RELSTORAGE_DSN: 'host=pg1 dbname=plone password=hunter2'}}}}"
    text, found = drafted(compose(f"  one: {service}\n  two: {service}\n"))
    assert () == found.pinned_zeo
    assert "zeo =" not in text
    assert "ZEO_ADDRESS" not in text
    assert "hunter2" not in text


def test_the_env_file_tells() -> None:
    write("app/cms.env", "ZEO_ADDRESS=zeo:8100\nZEO_STORAGE=plone\n")
    service = "{image: registry.example.com/cms:1, env_file: cms.env}"
    _, found = drafted(compose(f"  one: {service}\n  two: {service}\n", "app/compose.yaml"))
    assert ("one", "two") == found.client_names
    assert (("zeo:8100",), "plone") == (found.pinned_zeo, found.pinned_storage)
    assert {"app/cms.env"} == {client.env_file for client in found.clients}


def test_several_env_files() -> None:
    """clients.ini takes one: the last, which wins; what the others say beside it is written out, but no secret."""
    write("a.env", "ZEO_ADDRESS=old:8100\nSITE=Plone\nADMIN_PASSWORD=hunter2\nTZ=UTC\n")
    write("b.env", "ZEO_ADDRESS=zeo:8100\n")
    text, found = drafted(compose(f"  one: {{{PLONE}, env_file: [a.env, b.env], environment: {{TZ: CET}}}}\n"))
    assert "b.env" == found.clients[0].env_file
    assert {"SITE": "Plone", "TZ": "CET"} == found.clients[0].env
    assert ("zeo:8100",) == found.pinned_zeo
    assert "env.ADMIN_PASSWORD = ...   it may hold a secret: give it in an env-file" in text
    assert "hunter2" not in text


def test_an_env_file_that_is_not_here() -> None:
    text, _ = drafted(compose(f"  one: {{{PLONE}, env_file: [a.env, {{path: b.env, required: false}}]}}\n"))
    assert "; env-file: a.env: No such file or directory; copy it here" in text
    assert "b.env" not in text


OPEN = {
    "nobody gives it": ("'${ZEO_ADDRESS}'", "env.ZEO_ADDRESS = ...   compose fills it in: ${ZEO_ADDRESS}"),
    "a part of it": ("'${ZEO_HOST}:8100'", "env.ZEO_ADDRESS = ...   compose fills it in: ${ZEO_HOST}:8100"),
    "it has a default": (
        "'${ZEO_ADDRESS:-zeo:8100}'",
        "env.ZEO_ADDRESS = zeo:8100   by the default in compose.yaml:2, unless ZEO_ADDRESS is set",
    ),
    "it is compose's own": ("", "env.ZEO_ADDRESS = ...   compose fills it in from its own environment"),
}


@pytest.mark.parametrize(("value", "said"), OPEN.values(), ids=OPEN)
def test_what_compose_fills_in_is_no_pin(value: str, said: str) -> None:
    text, found = drafted(compose(f"  one: {{{PLONE}, environment: {{ZEO_ADDRESS: {value}}}}}\n"))
    assert () == found.pinned_zeo
    assert {} == found.clients[0].env
    assert f"; {said}" in text.splitlines()
    assert "; zeo = HOST:PORT   the clients have ${" in text


def test_what_the_file_beside_fills_in_is_one() -> None:
    write(".env", "ZEO_HOST=zeo1\nPORT=8081\n")
    text = f"  one: {{{PLONE}, ports: ['${{PORT}}:8080'], environment: {{ZEO_ADDRESS: '${{ZEO_HOST}}:8100'}}}}\n"
    _, found = drafted(compose(text))
    assert ("zeo1:8100",) == found.pinned_zeo
    assert "127.0.0.1:8081" == str(found.clients[0].connect)


PORTS = {
    "published": ("['8081:8080']", "connect = 127.0.0.1:8081"),
    "on one address": ("['127.0.0.2:8081:8080']", "connect = 127.0.0.2:8081"),
    "not published": (
        "[]",
        "; connect: its port is not published; zcheck must run where the name of the service is known",
    ),
    "one of many": ("['8081-8083:8080']", "; connect = 127.0.0.1:PORT   it is published on 8081-8083"),
    "of a variable": ("['${PORT}:8080']", "; connect = 127.0.0.1:PORT   it is published on ${PORT}"),
}


@pytest.mark.parametrize(("ports", "said"), PORTS.values(), ids=PORTS)
def test_where_a_port_is_published(ports: str, said: str) -> None:
    assert said in drafted(compose(f"  one: {{{PLONE}, ports: {ports}}}\n"))[0].splitlines()


# --- several files ---------------------------------------------------------------------------------


OVERRIDE = "services:\n  one: {ports: ['8081:8080'], environment: {ZEO_STORAGE: plone}}\n"


@pytest.mark.parametrize("given", [["compose.yaml"], ["."], ["compose.override.yaml", "compose.yaml"]])
def test_an_override_is_merged(given: list[str]) -> None:
    """Compose reads it where it is given nothing; a shell's ``compose*`` names it first."""
    compose(TWO)
    write("compose.override.yaml", OVERRIDE)
    text, found = drafted(*given)
    assert ("one", "two") == found.client_names
    assert "127.0.0.1:8081" == str(found.clients[0].connect)
    assert {"ZEO_ADDRESS": "zeo:8100", "ZEO_STORAGE": "plone"} == found.clients[0].env
    assert "compose.yaml, compose.override.yaml: taken together in this order" in text


def test_files_of_other_folders_are_other_projects() -> None:
    for folder in ("a", "b"):
        compose(f"  plone: {{{PLONE}, environment: {{ZEO_ADDRESS: 'zeo1:8100'}}}}\n", f"{folder}/compose.yaml")
    assert ("plone", "plone-2") == drafted("a/compose.yaml", "b/compose.yaml")[1].client_names


def test_of_several_in_a_folder_the_usual_one_counts() -> None:
    compose(TWO)
    compose(f"  three: {{{PLONE}}}\n", "compose.dev.yaml")
    text, found = drafted(".")
    assert ("one", "two") == found.client_names
    assert "; not used: compose.dev.yaml; name it after compose.yaml if compose is given both" in text
    assert ("one", "two", "three") == drafted("compose.yaml", "compose.dev.yaml")[1].client_names


def test_a_file_that_overrides_and_stands_alone() -> None:
    text, _ = drafted(write("compose.prod.yaml", "services:\n  one: {environment: {ZEO_ADDRESS: 'zeo:8100'}}\n"))
    assert (
        "compose.prod.yaml gives neither image nor build for it: give the file that this one overrides as well" in text
    )


def test_a_folder_with_an_empty_compose_file() -> None:
    """It is a remark where the folder has clients, and an error where it is named or all there is."""
    write("compose.yaml", "services: {}\n")
    with pytest.raises(InitError, match=r"^compose.yaml: it has no services"):
        draft(["compose.yaml"])
    with pytest.raises(InitError, match=r"^compose.yaml: it has no services"):
        draft(["."])
    write("app1/zope.conf", "<zodb_db main>\n<zeoclient>\nserver zeo1:8100\n</zeoclient>\nmount-point /\n</zodb_db>\n")
    text, found = drafted(".")
    assert ("app1",) == found.client_names
    assert "; not used: compose.yaml: it has no services" in text


def test_a_mounted_zope_conf_is_the_client_s() -> None:
    write(
        "etc/zope.conf", "<zodb_db main>\n<zeoclient>\nserver $(ZEO_ADDRESS)\n</zeoclient>\nmount-point /\n</zodb_db>\n"
    )
    mounted = "volumes: ['./etc/zope.conf:/app/etc/zope.conf:ro']"
    compose(f"  one: {{{PLONE}, {mounted}, environment: {{ZEO_ADDRESS: 'zeo:8100'}}}}\n")
    for given in ("compose.yaml", "."):
        text, found = drafted(given)
        assert [("one", "etc/zope.conf")] == [(client.name, client.zope_conf) for client in found.clients]
        assert ("zeo:8100",) == found.pinned_zeo
        assert "lies within the image" not in text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        pytest.param("deploy: {replicas: 3}", "3 containers answer by this name", id="replicas"),
        pytest.param("profiles: [debug]", "leaves it out: it is of the profile debug", id="a profile"),
        pytest.param("network_mode: host", "address: it uses the network of its machine", id="the machine's network"),
    ],
)
def test_what_is_to_be_said_of_a_service(more: str, said: str) -> None:
    assert said in drafted(compose(f"  one: {{{PLONE}, {more}}}\n"))[0]


SECRETS = (
    *("DB_PASSWORD=hunter2", "RELSTORAGE_DSN=dbname=x password=hunter2", "DATABASE_URL=postgres://u:hunter2@pg/x"),
    *("OPTIONS=host=pg passwd=hunter2", 'JSON={"password": "hunter2"}', "API_TOKEN=hunter2", "PWD_X=a;Pwd=hunter2"),
)


@pytest.mark.parametrize("variable", SECRETS)
@pytest.mark.parametrize("form", ["environment: ['%s']", "env_file: [a.env, b.env]"])
def test_no_draft_shows_a_secret(variable: str, form: str) -> None:
    write("a.env", f"{variable}\n")
    write("b.env", "A=b\n")
    text, _ = drafted(compose(f"  one: {{{PLONE}, {form.replace('%s', variable)}}}\n"))
    assert "hunter2" not in text


def test_an_override_in_another_folder() -> None:
    compose(TWO, "base/compose.yaml")
    write("prod/compose.yaml", OVERRIDE)
    _, found = drafted("base/compose.yaml", "prod/compose.yaml")
    assert ("one", "two") == found.client_names
    assert "127.0.0.1:8081" == str(found.clients[0].connect)


def test_a_zeo_server_that_is_dialled_by_a_link() -> None:
    client = "{image: 'plone:5', links: ['db:zeo'], environment: {ZEO_ADDRESS: 'zeo:8100'}}"
    _, found = drafted(compose(f"  one: {client}\n  db: {{image: 'plone:5'}}\n"))
    assert ("one",) == found.client_names
    assert "zeo:8100" == found.zeo_servers[0].address
