"""Machines on a network of their own, made of namespaces: each has its address, /etc/hosts, processes and sshd.

A machine is a process that waits in namespaces of its own (network, mounts, processes, host name), and everything that
runs on the machine runs within these.  A router stands between them, where packets from one to another can be lost, in
one direction too.  Nothing of it has a name outside: when the waiting process ends, and it ends with the process that
made it, everything on the machine is killed, its mounts and its interfaces are gone, and nothing is left to remove.

The network is 10.213.77.0/24.  It is not connected to this machine's: what a test sends leaves it never.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from zcheck.commands import demo

NET = "10.213.77"
ROUTER = f"{NET}.254"
LIMIT_S = 20.0
PROGRAMS = ("unshare", "nsenter", "ip", "mount", "hostname", "ssh", "ssh-keygen", "sshd")
APART = ("unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")
_CLONE_NEWNET = 0x40000000

Loss = Literal["blackhole", "unreachable"]
"""``blackhole``: packets vanish, as at a firewall that drops; ``unreachable``: their sender is told."""

_WAIT = """\
set -e
mount -t tmpfs tmpfs /run
mkdir /run/sshd
mount --bind "$1/hosts" /etc/hosts
mount --bind "$1/resolv.conf" /etc/resolv.conf
hostname "$2"
ip link set lo up
echo up
exec 3<&0
cat <&3 >/dev/null
"""

_SSHD_CONFIG = """\
Port 22
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {keys}
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
MaxStartups 100
Subsystem sftp internal-sftp
"""

_SSH_CONFIG = """\
Host *
  User root
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  IdentityFile {folder}/key
  IdentitiesOnly yes
  BatchMode yes
"""


def program(name: str) -> str | None:
    """The whole path of a program; those of administrators are not on everybody's PATH."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def why_not() -> str:
    """Why there can be no such network here; empty where there can."""
    missing = [name for name in PROGRAMS if program(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    if os.geteuid():
        return "namespaces with interfaces of their own need root"
    tried = subprocess.run(
        [*APART, "ip", "link", "add", "type", "veth"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return f"no namespaces: {tried.stderr.strip()}" if tried.returncode else ""


class Machine:
    """One machine that is up; ``stop`` switches it off."""

    def __init__(self, name: str, number: int, folder: Path) -> None:
        self.name = name
        self.address = f"{NET}.{number}"
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "hosts").touch()
        (folder / "resolv.conf").touch()
        self._process = subprocess.Popen(
            [*APART, "sh", "-c", _WAIT, "machine", str(folder), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != b"up\n":
            raise RuntimeError(f"the machine {name} did not come up")

    @property
    def pid(self) -> int:
        """The process that waits, by its id outside."""
        return self._process.pid

    @property
    def is_up(self) -> bool:
        return self._process.poll() is None

    @property
    def enter(self) -> tuple[str, ...]:
        """What stands before a command that is to run on this machine."""
        own = f"/proc/{self.pid}/ns"
        kinds = {"net": "net", "mount": "mnt", "uts": "uts", "pid": "pid_for_children"}
        return ("nsenter", *(f"--{kind}={own}/{file}" for kind, file in kinds.items()), "--")

    def run(self, *command: object, limit_s: float = LIMIT_S, check: bool = True, stdin: str = "") -> str:
        """What a command said there; :class:`AssertionError` with its words where it failed."""
        done = self.tried(*command, limit_s=limit_s, stdin=stdin)
        assert not check or done.returncode == 0, f"{command} on {self.name}: {done.stdout}{done.stderr}"
        return done.stdout

    def tried(
        self, *command: object, limit_s: float = LIMIT_S, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A command there, however it ended."""
        return subprocess.run(
            [*self.enter, *map(str, command)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=limit_s,
            env={**os.environ, **(env or {})},
            check=False,
        )

    @contextlib.contextmanager
    def background(self, *command: object, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """A command that runs there for the length of the block."""
        with log.open("ab") as out:
            process = subprocess.Popen(
                [*self.enter, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 15)
            process.wait(LIMIT_S)

    def says(self, **names: str) -> None:
        """Its own /etc/hosts: these names and addresses, and no other but its own."""
        own = {"localhost": "127.0.0.1", self.name: self.address, **names}
        # The same file is written again: it is bound over /etc/hosts.
        (self.folder / "hosts").write_text("".join(f"{address} {name}\n" for name, address in own.items()))

    def stop(self) -> None:
        """Switch it off: everything that runs on it is killed at once."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def as_demo(self) -> demo.Machine:
        """The same, as the parts of a cluster want it."""
        return demo.Machine(name=self.name, dialled=self.address, binds="0.0.0.0", enter=self.enter)

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """Within it, the connections of this thread, and of those that it starts, are made from this machine."""
        with (
            open("/proc/thread-self/ns/net") as before,  # noqa: PTH123 - the file itself is what counts
            open(f"/proc/{self.pid}/ns/net") as there,  # noqa: PTH123
        ):
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(before.fileno())


def _enter(namespace: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(namespace, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Network:
    """A router and machines around it, each with an sshd that lets the test's key in; a context manager."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder = folder
        self._ended = contextlib.ExitStack()
        self._losses: list[tuple[str, ...]] = []
        try:
            self.router = self._machine("router", 254)
            self.router.run("ip", "address", "add", f"{ROUTER}/32", "dev", "lo")
            self.router.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
            self.machines = {name: self._machine(name, 10 + number) for number, name in enumerate(names)}
            self._write_keys()
            for machine in self.machines.values():
                self._connect(machine)
                self._start_sshd(machine)
            self.set_hosts()
            for machine in self.machines.values():
                self._wait_for_sshd(machine)
        except BaseException:
            self._ended.close()
            raise

    def __enter__(self) -> Network:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.close()

    def __getitem__(self, name: str) -> Machine:
        return self.machines[name]

    @property
    def ssh_config(self) -> Path:
        """For ``ssh -F``: the test's key, and no host key but those of these machines."""
        return self.folder / "ssh_config"

    def set_hosts(self) -> None:
        """Every machine knows every other by its name."""
        names = {machine.name: machine.address for machine in self.machines.values()}
        for machine in self.machines.values():
            machine.says(**names)

    def lose(self, sender: str, receiver: str, how: Loss = "blackhole") -> None:
        """From now on nothing that ``sender`` sends arrives at ``receiver``; the other direction is as it was."""
        rule = ("from", self[sender].address, "to", self[receiver].address, how)
        self.router.run("ip", "rule", "add", *rule)
        self._losses.append(rule)

    def mend(self) -> None:
        """Every machine is up, every packet arrives again, every name means what it meant."""
        for name in [name for name, machine in self.machines.items() if not machine.is_up]:
            self._switch_on(name)
        while self._losses:
            self.router.run("ip", "rule", "del", *self._losses.pop())
        self.set_hosts()

    def switch_off(self, name: str) -> None:
        """A machine is gone: nothing of it runs any more, and who asks for it hears nothing."""
        self[name].stop()
        self.router.run("ip", "link", "delete", _port(name), check=False)
        self.router.run("ip", "route", "replace", "blackhole", f"{self[name].address}/32")

    def _switch_on(self, name: str) -> None:
        """Bring a machine that was switched off up again, with the same keys."""
        old = self.machines[name]
        self.router.run("ip", "route", "delete", "blackhole", f"{old.address}/32")
        self.machines[name] = self._machine(name, int(old.address.rpartition(".")[2]))
        self._connect(self.machines[name])
        self._start_sshd(self.machines[name])
        self._wait_for_sshd(self.machines[name])

    def _machine(self, name: str, number: int) -> Machine:
        machine = Machine(name, number, self.folder / f"{name}-{len(list(self.folder.glob(f'{name}-*')))}")
        self._ended.callback(machine.stop)
        return machine

    def _connect(self, machine: Machine) -> None:
        """A cable between the machine and the router."""
        port = _port(machine.name)
        # Of the router only the network is entered: there a process id still means what it means here.
        cable = f"ip link add {port} type veth peer name eth0 netns {machine.pid}".split()
        subprocess.run(["nsenter", f"--net=/proc/{self.router.pid}/ns/net", "--", *cable], check=True, timeout=LIMIT_S)
        self.router.run("ip", "link", "set", port, "up")
        self.router.run("ip", "route", "replace", f"{machine.address}/32", "dev", port)
        machine.run("ip", "address", "add", f"{machine.address}/32", "dev", "eth0")
        machine.run("ip", "link", "set", "eth0", "up")
        machine.run("ip", "route", "add", ROUTER, "dev", "eth0")
        machine.run("ip", "route", "add", "default", "via", ROUTER)

    def _write_keys(self) -> None:
        _keygen(self.folder / "key")
        self.ssh_config.write_text(_SSH_CONFIG.format(folder=self.folder))
        known = []
        for machine in self.machines.values():
            key = self.folder / f"host_key-{machine.name}"
            _keygen(key)
            known.append(f"{machine.name},{machine.address} {key.with_suffix('.pub').read_text()}")
        (self.folder / "known_hosts").write_text("".join(known))

    def _start_sshd(self, machine: Machine) -> None:
        shutil.copyfile(self.folder / f"host_key-{machine.name}", machine.folder / "host_key")
        (machine.folder / "host_key").chmod(0o600)
        config = machine.folder / "sshd_config"
        config.write_text(_SSHD_CONFIG.format(folder=machine.folder, keys=self.folder / "key.pub"))
        self._ended.enter_context(
            machine.background(program("sshd"), "-D", "-e", "-f", config, log=machine.folder / "sshd.log")
        )

    def _wait_for_sshd(self, machine: Machine) -> None:
        """Until it says who it is; :class:`AssertionError` with its log where it does not."""
        deadline = time.monotonic() + LIMIT_S
        hello = f"exec 3<>/dev/tcp/{machine.address}/22 && head -c 4 <&3"
        while "SSH-" not in self.router.run("bash", "-c", hello, check=False):
            assert time.monotonic() < deadline, (machine.folder / "sshd.log").read_text()
            time.sleep(0.05)


def _port(name: str) -> str:
    """The router's interface to a machine; Linux allows fifteen characters."""
    return f"to-{name}"[:15]


def _keygen(path: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)], check=True, timeout=LIMIT_S
    )
