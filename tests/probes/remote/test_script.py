"""The script that is run on the clients' machines, under every Python that is at hand, on real processes."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import patient

from zcheck.probes.remote.call import between_marks, script, script_text

MARK = "zcheck 0123456789abcdef01234567"
SALT = base64.b64encode(b"salt of a run").decode()


def pythons() -> dict[str, str | None]:
    """By version, where it is; None: the version is one that zcheck's script is to run under, and is not at hand."""
    wanted = ["2.7", *(f"3.{minor}" for minor in range(5, 14))]
    found: dict[str, str | None] = dict.fromkeys(wanted)
    for version in wanted:
        installed = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
        named = shutil.which(f"python{version}")
        # A shim of pyenv is there for versions that are switched off as well.
        found[version] = str(installed[-1]) if installed else None if named and "shims" in named else named
    return {**found, "this": sys.executable}


every_python = pytest.mark.parametrize("version", pythons())


def python(version: str) -> str:
    path = pythons()[version]
    if path is None:
        pytest.skip(f"there is no Python {version}")
    return path


def ask(request: dict[str, Any], program: str = sys.executable, **how: Any) -> Any:
    """What the script answers to this request."""
    text = script({"mark": MARK, "seconds": 10, "salt": SALT, "variables": [], **request})
    done = subprocess.run([program], input=text.encode(), capture_output=True, timeout=60, check=False, **how)
    answer = between_marks(done.stdout, MARK)
    assert answer is not None, done.stderr.decode()
    return json.loads(answer)


def look(program: str = sys.executable, **client: Any) -> tuple[Any, Any]:
    """What it tells of one client, and of the machine."""
    # Others of this machine may listen on the same port of another address.
    answer = ask({"task": "look", "clients": [{"name": "app1", "port": 1, "host": "127.0.0.1", **client}]}, program)
    return answer["clients"]["app1"], answer


SERVE = """
import socket, sys, time
listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listening.bind(("127.0.0.1", 0))
listening.listen(5)
sys.stdout.write("%d\\n" % listening.getsockname()[1])
sys.stdout.flush()
time.sleep(120)
"""


@contextlib.contextmanager
def listening(
    folder: Path, *arguments: str, program: str = sys.executable, text: str = SERVE, name: str = "serve.py", **env: str
) -> Iterator[tuple[int, int]]:
    """A process that listens on a port of its own: its id and the port."""
    path = folder / name
    path.write_text(text)
    environ = {"PATH": os.environ["PATH"], **env}
    process = subprocess.Popen(
        [program, str(path), *arguments], stdout=subprocess.PIPE, cwd=folder, env=environ, text=True
    )
    try:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


def needs_proc() -> None:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("this system has no /proc")


# --- every Python ------------------------------------------------------------------------------------------


@every_python
def test_a_file_is_brought_with_what_it_includes(version: str, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "more.conf").write_text("%include deeper.conf\n")
    (tmp_path / "parts" / "deeper.conf").write_bytes("título ü\n".encode("latin-1"))
    conf = tmp_path / "zope.conf"
    conf.write_text("%define WHERE parts\ninstancehome /srv\n%include $WHERE/more.conf\n%include $(NOT_SET)/x.conf\n")
    (tmp_path / "zope.ini").write_text("[server:main]\n")
    found, answer = look(python(version), zope_conf=str(conf))
    brought = {Path(path).name: one for path, one in answer["files"].items()}
    assert {"zope.conf", "more.conf", "deeper.conf", "zope.ini", "x.conf"} == set(brought)
    assert "título ü\n".encode("latin-1") == base64.b64decode(brought["deeper.conf"]["data"])
    assert conf.stat().st_mtime == pytest.approx(brought["zope.conf"]["mtime"], abs=0.01)
    assert (True, "No such file or directory") == (brought["x.conf"]["missing"], brought["x.conf"]["why"])
    assert str(conf) == found["zope_conf"]


@every_python
def test_the_process_that_listens_is_found(version: str, tmp_path: Path) -> None:
    needs_proc()
    (tmp_path / "lib" / "Products.Foo-1.5.dist-info").mkdir(parents=True)
    (tmp_path / "lib" / "my_tool.egg-info").mkdir()
    (tmp_path / "lib" / "my_tool.egg-info" / "PKG-INFO").write_text("Name: my_tool\nVersion: 0.3.dev0\n")
    began = time.time()
    with listening(tmp_path, "--password=geheim", "x=1", PYTHONPATH=str(tmp_path / "lib")) as (pid, port):
        found, _ = look(python(version), port=port)
    assert (pid, "") == (found["process"]["pid"], found["why_no_process"])
    assert began - 1 <= found["process"]["started_at"] <= time.time() + 1
    assert f"{sys.executable} {tmp_path}/serve.py --password=*** x=1" == found["process"]["command"]
    assert {"products-foo": "1.5", "my-tool": "0.3.dev0"}.items() <= found["distributions"].items()
    own = ".".join(map(str, sys.version_info[:2]))
    assert found["python_version"].startswith(own)


def block(oid: int, tid: int, until: int = 0, data: bytes = b"pickle") -> bytes:
    """A record of a ZEO cache file."""
    size = 43 + len(data)
    head = struct.pack(">IQQQHI", size, oid, tid, until, 0, len(data))
    return b"a" + head + data + struct.pack(">Q", oid)


@every_python
def test_a_cache_file_is_read_without_its_content(version: str, tmp_path: Path) -> None:
    free = b"f" + struct.pack(">I", 30) + b"a" * 25
    path = tmp_path / "app1-1.zec"
    path.write_bytes(b"ZEC3" + struct.pack(">Q", 99) + block(1, 7) + free + block(2, 5, 9) + b"2x" + block(3, 8) + b"1")
    wanted: dict[str, list[str]] = {str(path): [], str(tmp_path / "none"): []}
    caches = ask({"task": "caches", "caches": wanted, "most": 10}, python(version))["caches"]
    found = caches[str(path)]
    assert ["0000000000000003", "0000000000000008"] == found["entries"][0]
    assert (f"{99:016x}", 2, 2) == (found["last"], found["current"], len(found["entries"]))
    assert caches[str(tmp_path / "none")]["missing"]
    again = ask({"task": "caches", "caches": {str(path): [f"{1:016x}"]}, "most": 10}, python(version))["caches"]
    assert [[f"{1:016x}", f"{7:016x}"]] == again[str(path)]["entries"]


def test_of_a_large_cache_a_sample_is_told(tmp_path: Path) -> None:
    path = tmp_path / "app1-1.zec"
    path.write_bytes(b"ZEC3" + struct.pack(">Q", 99999) + b"".join(block(n, n) for n in range(1, 20001)))
    found = ask({"task": "caches", "caches": {str(path): []}, "most": 100})["caches"][str(path)]
    numbers = [int(oid, 16) for oid, _ in found["entries"]]
    assert 20000 == found["current"]
    assert len(numbers) <= 100
    assert list(range(20000, 19950, -1)) == numbers[:50]
    assert min(numbers) < 500


@every_python
def test_names_servers_and_folders_are_seen(version: str, tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / ".layout").write_text("bushy")
    with greeting(b"\0\0\0\2Z5") as zeo, greeting(b"HTTP/1.1 400 Bad Request\r\n") as web, greeting(b"") as closing:
        servers: dict[str, Any] = {
            "zeo": {"host": "localhost", "port": zeo},
            "by TLS": {"host": "127.0.0.1", "port": zeo, "tls": True},
            "web": {"host": "127.0.0.1", "port": web},
            "closing": {"host": "127.0.0.1", "port": closing},
            "nobody": {"host": "127.0.0.1", "port": free_port()},
            "nowhere": {"host": "no-such-host.invalid", "port": 8100},
            "a socket": {"path": str(tmp_path / "zeo.sock")},
        }
        folders = [str(tmp_path / "blobs"), str(tmp_path / "none")]
        request = {"task": "peers", "wait": 1.0, "servers": servers, "folders": folders}
        answer = ask(request, python(version))
    outcomes = {key: one["outcome"] for key, one in answer["servers"].items()}
    assert outcomes == {
        "zeo": "answers",
        "by TLS": "accepts",
        "web": "something-else",
        "closing": "something-else",
        "nobody": "refused",
        "nowhere": "no-such-name",
        "a socket": "unreachable",
    }
    assert "Z5" == answer["servers"]["zeo"]["protocol"] and "127.0.0.1" in answer["servers"]["zeo"]["addresses"]
    blobs, none = (answer["folders"][folder] for folder in folders)
    there = (tmp_path / "blobs").stat()
    assert (there.st_dev, there.st_ino, "bushy") == (blobs["device"], blobs["inode"], blobs["layout"])
    assert blobs["free_bytes"] > 0 and none == {"why": "No such file or directory"}


@every_python
def test_a_held_file_is_found_and_taken_away(version: str, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    what = {"folders": [str(tmp_path)], "name": "zcheck-0a.marker", "text": "secret of the run"}
    with holding(python(version), {**what, "hold": 20}) as holder:
        seen = ask({"task": "seek", **what}, python(version))
        other = ask({"task": "seek", **what, "text": "of another run"}, python(version))
        assert [tmp_path / "tmp" / "zcheck-0a.marker"] == files_in(tmp_path)
        holder.send_signal(signal.SIGTERM)
        holder.wait(10)
    assert (True, False) == (seen["folders"][str(tmp_path)]["seen"], other["folders"][str(tmp_path)]["seen"])
    assert [] == files_in(tmp_path)


@every_python
def test_what_is_no_utf_8_is_told_as_well_as_it_can_be(version: str, tmp_path: Path) -> None:
    needs_proc()
    home = tmp_path / "größe"
    home.mkdir()
    (home / "zope.conf").write_bytes("título $(NAME)\n".encode("latin-1"))
    serve = f"import os\nos.environb = None\n{SERVE}"
    with listening(home, "-C", "zope.conf", text=serve, NAME="caf\udce9 ü") as (_, port):
        found, answer = look(python(version), port=port)
    (path,) = answer["files"]
    assert path == found["zope_conf"] and path.endswith("/zope.conf")
    assert "título $(NAME)\n".encode("latin-1") == base64.b64decode(answer["files"][path]["data"])
    assert found["variables"]["NAME"].startswith("caf") and found["variables"]["NAME"].endswith(" ü")


# --- what it does not do -------------------------------------------------------------------------------------


def test_it_can_be_read_in_five_minutes() -> None:
    code = [line for line in script_text().splitlines() if line.strip() and not line.strip().startswith("#")]
    assert len(code) < 700
    for word in ("subprocess", "os.system", "os.popen", "eval(", "exec(", "pickle", "os.remove", "shutil", "os.rename"):
        assert word not in script_text()


def test_a_secret_never_leaves_the_machine(tmp_path: Path) -> None:
    needs_proc()
    values = {
        "ZEO_PASSWORD": "geheim-1",
        "API_KEY": "geheim-2",
        "RELSTORAGE_DSN": "host=db user=zope password='geheim-3' dbname=plone",
        "SEARCH_URL": "https://solr:geheim-4@search:8983/solr",
        "TZ": "UTC",
        "UNRELATED": "geheim-5",
    }
    names = [name for name in values if name != "UNRELATED"]
    conf = tmp_path / "zope.conf"
    conf.write_text("".join(f"key{number} $({name})\n" for number, name in enumerate(names)))
    with listening(tmp_path, **values) as (_, port):
        found, answer = look(port=port, zope_conf=str(conf))
    assert "geheim" not in json.dumps(answer)
    digests = {
        name: hmac.new(b"salt of a run", values[name].encode(), hashlib.sha256).hexdigest()[:16] for name in names
    }
    assert {name: digests[name] for name in ("ZEO_PASSWORD", "API_KEY")} == found["hashed"]
    clear = found["variables"]
    assert {"RELSTORAGE_DSN", "SEARCH_URL", "TZ"} == set(clear) and "UTC" == clear["TZ"]
    assert clear["RELSTORAGE_DSN"].startswith("host=db user=zope password=")
    assert clear["RELSTORAGE_DSN"].endswith(" dbname=plone") and "@search:8983/solr" in clear["SEARCH_URL"]


def test_root_brings_nothing_that_the_writer_of_the_conf_could_not_read(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root could read more")
    conf, private, public = tmp_path / "zope.conf", tmp_path / "private.conf", tmp_path / "public.conf"
    conf.write_text("%include private.conf\n%include public.conf\n")
    private.write_text("root's own\n")
    public.write_text("everybody's\n")
    private.chmod(0o600)
    os.chown(conf, 65534, 65534)
    _, answer = look(zope_conf=str(conf))
    assert "may not be read by the client itself" == answer["files"][str(private)]["why"]
    assert "data" in answer["files"][str(public)]


def test_nothing_but_regular_files_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.conf")
    (tmp_path / "huge.conf").write_bytes(b"#" * (1024 * 1024 + 1))
    conf = tmp_path / "zope.conf"
    conf.write_text("%include pipe.conf\n%include huge.conf\n%include zope.conf\n%include /dev/zero\n")
    _, answer = look(zope_conf=str(conf))
    told = {Path(path).name: one.get("why") for path, one in answer["files"].items()}
    assert told == {
        "zope.conf": None,
        "pipe.conf": "is no regular file",
        "huge.conf": "is too large, or one too many",
        "zero": "is no regular file",
    }


# --- the client's process --------------------------------------------------------------------------------------


def test_the_conf_is_found_by_the_ini_on_the_command_line(tmp_path: Path) -> None:
    needs_proc()
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "zope.ini").write_text("[app:zope]\nzope_conf = %(here)s/%(config_file)s\n")
    (tmp_path / "etc" / "zeo.conf").write_text("instancehome /srv\n")
    with listening(tmp_path, "-v", "etc/zope.ini", "config_file=zeo.conf") as (_, port):
        found, answer = look(port=port)
    assert str(tmp_path / "etc" / "zeo.conf") == found["zope_conf"] == found["started_with"]["zope_conf"]
    assert str(tmp_path / "etc" / "zope.ini") == found["wsgi_ini"]
    assert {"config_file": "zeo.conf"} == found["started_with"]["given"]
    assert all("data" in answer["files"][path] for path in (found["zope_conf"], found["wsgi_ini"]))


def test_another_conf_than_the_one_it_was_started_with_is_told(tmp_path: Path) -> None:
    needs_proc()
    for name in ("zope.conf", "other.conf"):
        (tmp_path / name).write_text("instancehome /srv\n")
    (tmp_path / "link.conf").symlink_to("zope.conf")
    with listening(tmp_path, "-C", "zope.conf") as (_, port):
        same, _ = look(port=port, zope_conf=str(tmp_path / "link.conf"))
        other, _ = look(port=port, zope_conf=str(tmp_path / "other.conf"))
    assert (True, False) == (same["same_conf"], other["same_conf"])


def test_a_buildout_s_eggs_are_listed_by_its_script(tmp_path: Path) -> None:
    needs_proc()
    eggs = [
        tmp_path / "eggs" / "Products.CMFCore-2.2.13-py2.7.egg",
        tmp_path / "eggs" / "v5" / "products_bar-1.1-py3.11.egg",
        tmp_path / "src" / "my.addon" / "src",
    ]
    for egg in eggs:
        egg.mkdir(parents=True)
    (eggs[1] / "products_bar-1.1.dist-info").mkdir()
    (eggs[2] / "my.addon.egg-info").mkdir()
    (eggs[2] / "my.addon.egg-info" / "PKG-INFO").write_text("Metadata-Version: 1.0\nVersion: 3.0.dev0\n")
    listed = "".join(f"  '{egg}',\n" for egg in eggs)
    with listening(tmp_path, name="instance", text=f"import sys\nsys.path[0:0] = [\n{listed}  ]\n{SERVE}") as (_, port):
        found, _ = look(port=port)
    wanted = {"products-cmfcore": "2.2.13", "products-bar": "1.1", "my-addon": "3.0.dev0"}
    assert wanted.items() <= found["distributions"].items()


def test_a_virtual_environment_is_known_by_the_path_of_its_python(tmp_path: Path) -> None:
    needs_proc()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True, timeout=120)
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (site / "Zope-5.8.dist-info").mkdir()
    (site / "linked.pth").write_text(f"{tmp_path / 'linked'}\nimport os\n# comment\n")
    (tmp_path / "linked" / "extra-2.0.dist-info").mkdir(parents=True)
    with listening(tmp_path, program=str(tmp_path / "venv" / "bin" / "python")) as (_, port):
        found, _ = look(port=port)
    assert {"zope": "5.8", "extra": "2.0"} == found["distributions"]
    assert ".".join(map(str, sys.version_info[:3])) == found["python_version"]


def test_a_port_of_several_addresses_is_that_of_the_clients(tmp_path: Path) -> None:
    needs_proc()
    with listening(tmp_path) as (pid, port):
        again = SERVE.replace('("127.0.0.1", 0)', f'("127.0.0.2", {port})')
        with listening(tmp_path, text=again, name="again.py") as (other, _):
            found = {host: look(port=port, host=host)[0] for host in ("127.0.0.1", "127.0.0.2", "localhost", "")}
    assert (pid, other, pid) == tuple(found[h]["process"]["pid"] for h in ("127.0.0.1", "127.0.0.2", "localhost"))
    told = found[""]["why_no_process"]
    assert told.startswith("processes ") and told.endswith("each at another address: give it as a number")


NOT_FOUND: dict[str, tuple[Callable[[], int], str]] = {
    "nothing listens": (lambda: free_port(), "nothing listens on port {port} there"),
}


@pytest.mark.parametrize(("port_of", "told"), NOT_FOUND.values(), ids=NOT_FOUND)
def test_a_process_that_is_not_seen(port_of: Callable[[], int], told: str) -> None:
    needs_proc()
    port = port_of()
    found, _ = look(port=port)
    assert told.format(port=port) == found["why_no_process"] and "process" not in found


def test_a_process_of_another_user_is_told_as_that(tmp_path: Path) -> None:
    needs_proc()
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    with listening(tmp_path) as (_, port):
        request = {"task": "look", "clients": [{"name": "app1", "port": port, "host": "127.0.0.1"}]}
        # As nobody, whose Python must be one that everybody can read.
        answer = ask(request, "/usr/bin/python3", user=65534) if Path("/usr/bin/python3").exists() else None
    if answer is None:
        pytest.skip("there is no Python of the system's")
    told = answer["clients"]["app1"]["why_no_process"]
    assert f"what listens on port {port} belongs to user root, and user nobody may not look at it" == told


def test_a_program_that_is_no_python_has_no_distributions(tmp_path: Path) -> None:
    needs_proc()
    if shutil.which("haproxy") is None:
        pytest.skip("there is no haproxy")
    port = free_port()
    (tmp_path / "haproxy.cfg").write_text(
        f"defaults\n  mode tcp\n  timeout client 9s\n  timeout connect 9s\n  timeout server 9s\n"
        f"listen x\n  bind 127.0.0.1:{port}\n"
    )
    process = subprocess.Popen(["haproxy", "-f", str(tmp_path / "haproxy.cfg")], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: is_open(port))
        found, _ = look(port=port)
    finally:
        process.kill()
        process.wait(10)
    assert "haproxy" in found["process"]["command"] and "distributions" not in found
    assert found["why_no_distributions"].startswith(f"no distribution was found for process {process.pid}")


# --- it ends, and leaves nothing ---------------------------------------------------------------------------------


def test_a_held_file_goes_when_nobody_listens_any_more(tmp_path: Path) -> None:
    what = {"folders": [str(tmp_path)], "name": "zcheck-0b.marker", "text": "x", "hold": 60}
    with holding(sys.executable, what) as holder:
        assert [tmp_path / "zcheck-0b.marker"] == files_in(tmp_path)
        assert holder.stdout is not None
        holder.stdout.close()  # as when zcheck is killed: nobody tells the script to end
        wait_for(lambda: not files_in(tmp_path))
        holder.wait(10)


def test_a_held_file_goes_after_its_time(tmp_path: Path) -> None:
    answer = ask({"task": "hold", "folders": [str(tmp_path)], "name": "zcheck-0c.marker", "text": "x", "hold": 0.3})
    assert {"held": True} == answer["folders"][str(tmp_path)]
    assert [] == files_in(tmp_path)


def test_what_a_lost_machine_left_an_hour_ago_is_removed_by_the_next_run(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    old, young, other = (tmp_path / "tmp" / name for name in ("zcheck-aa.marker", "zcheck-bb.marker", "zcheck-x.blob"))
    for path in (old, young, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    ask({"task": "hold", "folders": [str(tmp_path)], "name": "zcheck-0d.marker", "text": "x", "hold": 0})
    assert sorted([young, other]) == files_in(tmp_path)


CANNOT_HOLD = {
    "no folder": ("none", "is no folder"),
    "a file": ("file", "is no folder"),
}


@pytest.mark.parametrize(("name", "why"), CANNOT_HOLD.values(), ids=CANNOT_HOLD)
def test_a_folder_that_holds_nothing(name: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = str(tmp_path / name)
    answer = ask({"task": "hold", "folders": [folder], "name": "zcheck-0e.marker", "text": "x", "hold": 60})
    assert {"held": False, "why": why} == answer["folders"][folder]


def test_it_ends_itself_at_its_deadline(tmp_path: Path) -> None:
    """A server that accepts and is silent holds up one look and no more."""
    with greeting(None) as silent:
        began = time.monotonic()
        servers = {str(n): {"host": "127.0.0.1", "port": silent} for n in range(40)}
        answer = ask({"task": "peers", "seconds": 2, "wait": 60, "servers": servers, "folders": []})
    assert time.monotonic() - began < patient(6)
    assert {} == answer["servers"]


def test_a_file_is_not_held_for_longer_than_the_request_s_time(tmp_path: Path) -> None:
    what = {"folders": [str(tmp_path)], "name": "zcheck-0f.marker", "text": "x", "hold": 600}
    text = script({"mark": MARK, "task": "hold", "seconds": 1, **what})
    began = time.monotonic()
    done = subprocess.run([sys.executable], input=text.encode(), capture_output=True, timeout=30, check=False)
    assert time.monotonic() - began < patient(8) and b'"held": true' in done.stdout
    assert [] == files_in(tmp_path)


# --- helpers -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def holding(program: str, what: dict[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
    """The script while it holds its file; it has said so."""
    text = script({"mark": MARK, "seconds": 30, "task": "hold", **what})
    process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(text.encode())
        process.stdin.close()
        for line in process.stdout:
            if line.startswith(f"----- {MARK} ends".encode()):
                break
        yield process
    finally:
        process.kill()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


@contextlib.contextmanager
def greeting(hello: bytes | None) -> Iterator[int]:
    """A port on which everybody is greeted so; None: with silence."""
    import threading

    server = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            if hello is None:
                kept.append(connection)
                continue
            with contextlib.suppress(OSError), connection:
                connection.sendall(hello)
                connection.shutdown(socket.SHUT_WR)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        for connection in kept:
            connection.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def wait_for(condition: Callable[[], bool], limit_s: float = 10.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)
