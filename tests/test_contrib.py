"""What is ready to drop in, before the programs that read it; skipped by name where one is not installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from cases import split
from test_packaging import wheel as wheel

from zcheck import cli
from zcheck.parsers import compose

ROOT = Path(__file__).resolve().parents[1]
CONTRIB = ROOT / "contrib"
SAMPLES = ROOT / "sample-confs"
LIMIT_S = 60


def program(name: str) -> str:
    beside = str(Path(sys.executable).parent)
    found = shutil.which(name) or shutil.which(name, path=f"{beside}:/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(
    *command: object, cwd: Path | None = None, stdin: str = "", limit_s: float = LIMIT_S, **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(one) for one in command],
        cwd=cwd,
        env={**os.environ, **environ},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )


def accepted(done: subprocess.CompletedProcess[str]) -> str:
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_promtool_accepts_the_alert_rules_and_they_fire_when_they_should() -> None:
    promtool = program("promtool")
    folder = CONTRIB / "prometheus"
    accepted(run(promtool, "check", "rules", "zcheck.rules.yml", cwd=folder))
    accepted(run(promtool, "test", "rules", "zcheck.rules.test.yml", cwd=folder))


def test_promtool_accepts_the_metrics() -> None:
    told = accepted(run(program("promtool"), "check", "metrics", stdin=cli.rendered(split(), "prometheus")))
    assert "" == told


def test_every_metric_of_an_alert_is_told() -> None:
    rules = (CONTRIB / "prometheus" / "zcheck.rules.yml").read_text()
    metrics = cli.rendered(split(), "prometheus")
    used = set(re.findall(r"zcheck_\w+", " ".join(re.findall(r"expr: (.*)", rules))))
    assert used
    assert set() == {name for name in used if f"{name}{{" not in metrics}


NAGIOS = """\
log_file={folder}/nagios.log
illegal_macro_output_chars=`~$
cfg_file={contrib}/nagios/zcheck.cfg
cfg_file={folder}/site.cfg
check_result_path={folder}
temp_path={folder}
status_file={folder}/status
command_file={folder}/command
lock_file={folder}/lock
object_cache_file={folder}/objects
precached_object_file={folder}/precached
state_retention_file={folder}/retention
nagios_user={user}
"""
SITE = """\
define timeperiod {
    timeperiod_name always
    alias always
    monday 00:00-24:00
}
define command {
    command_name notify
    command_line /bin/true
}
define contact {
    contact_name admin
    service_notification_period always
    host_notification_period always
    service_notification_options c
    host_notification_options d
    service_notification_commands notify
    host_notification_commands notify
}
define host {
    host_name zope-cluster
    address 127.0.0.1
    max_check_attempts 1
    check_period always
    notification_period always
    contacts admin
}
define service {
    name generic-service
    register 0
    check_period always
    notification_period always
    contacts admin
}
"""


def test_nagios_accepts_the_command_and_the_service(tmp_path: Path) -> None:
    nagios = program("nagios4")
    (tmp_path / "site.cfg").write_text(SITE)
    main = tmp_path / "nagios.cfg"
    main.write_text(NAGIOS.format(folder=tmp_path, contrib=CONTRIB, user="root"))
    told = accepted(run(nagios, "-v", main))
    assert re.search(r"Total Errors:\s+0", told)
    assert re.search(r"Total Warnings:\s+0", told)
    main.write_text(main.read_text().replace("site.cfg", "nothing.cfg"))
    assert run(nagios, "-v", main).returncode


def test_what_nagios_would_run_answers_in_its_form() -> None:
    command = re.search(r"command_line\s+(.*)", (CONTRIB / "nagios" / "zcheck.cfg").read_text())
    assert command is not None
    words = command[1].replace("$ARG1$", str(SAMPLES / "mount-points-differ" / "clients.ini")).split()
    at = words.index("/usr/local/bin/zcheck")
    assert ["/usr/bin/env", "XDG_STATE_HOME=/var/lib/zcheck"] == words[:at]
    done = run(sys.executable, "-m", "zcheck", *words[at + 1 :], "--offline", "--no-state")
    assert 2 == done.returncode
    assert done.stdout.startswith("ZCHECK CRITICAL - intranet: mount-points-agree")


def test_icinga_accepts_the_command_and_the_service(tmp_path: Path) -> None:
    icinga = program("icinga2")
    main = tmp_path / "icinga2.conf"
    folders = ["DataDir", "LogDir", "CacheDir", "ConfigDir", "SpoolDir", "InitRunDir"]
    who = tmp_path.owner(), tmp_path.group()
    defines = [word for name in folders for word in ("-D", f"{name}={tmp_path}")]
    defines += ["-D", f"RunAsUser={who[0]}", "-D", f"RunAsGroup={who[1]}"]
    main.write_text(
        'include <itl>\nobject Host "zope-cluster" {\n  check_command = "dummy"\n'
        '  vars.zcheck_ini = "/etc/zcheck/clients.ini"\n}\n'
        f'include "{CONTRIB}/icinga2/zcheck.conf"\n'
    )
    done = run(icinga, "daemon", "-C", "-c", main, *defines)
    told = accepted(done)
    assert "1 CheckCommand" in told or "CheckCommands" in told
    assert re.search(r"Instantiated 1 Service\b", told)
    main.write_text(main.read_text().replace("vars.zcheck_ini", "vars.another"))
    assert not re.search(r"Instantiated 1 Service\b", accepted(run(icinga, "daemon", "-C", "-c", main, *defines)))


def test_systemd_accepts_the_service_and_the_timer(tmp_path: Path) -> None:
    analyze = program("systemd-analyze")
    for name in ("zcheck.service", "zcheck.timer"):
        text = (CONTRIB / "systemd" / name).read_text()
        # It asks whether the program is there.
        (tmp_path / name).write_text(
            text.replace("/usr/local/bin/zcheck", "/bin/true").replace("man:zcheck(1)", "man:true(1)")
        )
    told = accepted(run(analyze, "verify", "--man=no", tmp_path / "zcheck.service", tmp_path / "zcheck.timer"))
    ours = [line for line in told.splitlines() if "zcheck." in line]
    assert [] == ours


@pytest.mark.parametrize(
    ("expected", "sample"), [("green", "healthy"), ("red", "mount-points-differ"), ("yellow", "settings-differ")]
)
def test_xymon_is_told_in_its_colours(expected: str, sample: str, tmp_path: Path) -> None:
    zcheck, xymon, told = tmp_path / "zcheck", tmp_path / "xymon", tmp_path / "told"
    zcheck.write_text(f'#!/bin/sh\nexec {sys.executable} -m zcheck "$@" --offline --no-state\n')
    xymon.write_text(f'#!/bin/sh\nprintf "%s|%s" "$1" "$2" >{told}\n')
    zcheck.chmod(0o755)
    xymon.chmod(0o755)
    ini = str(SAMPLES / sample / "clients.ini")
    accepted(
        run(
            CONTRIB / "xymon" / "zcheck.sh",
            cwd=ROOT,
            ZCHECK=str(zcheck),
            ZCHECK_INI=ini,
            XYMON=str(xymon),
            XYMSRV="10.0.0.1",
            MACHINE="app1",
        )
    )
    text = told.read_text()
    assert text.startswith(f"10.0.0.1|status app1.zcheck {expected} ")
    assert "\nZCHECK " in text


SCHEMAS = {
    "github": ("vendor.github-workflows", "ci/github.yml", "runs-on: ubuntu-latest", "runs: ubuntu-latest"),
    "gitlab": ("vendor.gitlab-ci", "ci/gitlab.yml", "when: always", "when: perhaps"),
    "compose": ("vendor.compose-spec", "containers/compose.yaml", "services:", "service:"),
}


@pytest.mark.parametrize(("schema", "name", "right", "wrong"), SCHEMAS.values(), ids=SCHEMAS)
def test_the_form_of_what_others_run_is_theirs(schema: str, name: str, right: str, wrong: str, tmp_path: Path) -> None:
    """By the schemas that check-jsonschema brings along; one wrong word is refused."""
    check = program("check-jsonschema")
    accepted(run(check, "--builtin-schema", schema, CONTRIB / name))
    text = (CONTRIB / name).read_text()
    assert right in text
    (tmp_path / "wrong.yml").write_text(text.replace(right, wrong))
    assert run(check, "--builtin-schema", schema, tmp_path / "wrong.yml").returncode


def test_pre_commit_accepts_the_hook(tmp_path: Path) -> None:
    pre_commit = program("pre-commit")
    accepted(run(pre_commit, "validate-config", CONTRIB / "ci" / "pre-commit.yaml"))
    (tmp_path / "wrong.yaml").write_text((CONTRIB / "ci" / "pre-commit.yaml").read_text().replace("entry:", "entri:"))
    assert run(pre_commit, "validate-config", tmp_path / "wrong.yaml").returncode


@pytest.mark.usefixtures("slow")
def test_the_hook_lets_a_good_commit_pass_and_refuses_a_bad_one(tmp_path: Path, wheel: Path) -> None:
    """The whole way: git commits, pre-commit installs zcheck into an environment of its own, zcheck judges."""
    pre_commit, git = program("pre-commit"), program("git")
    cluster = tmp_path / "cluster"
    shutil.copytree(SAMPLES / "healthy", cluster)
    config = (CONTRIB / "ci" / "pre-commit.yaml").read_text()
    assert "[zodb-zcheck]" in config
    # What is tried is this tree.
    (cluster / ".pre-commit-config.yaml").write_text(config.replace("[zodb-zcheck]", f'["{wheel}"]'))
    home = {"HOME": str(tmp_path), "PRE_COMMIT_HOME": str(tmp_path / "cache"), "GIT_CONFIG_NOSYSTEM": "1"}
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.com")

    def commit(what: str) -> subprocess.CompletedProcess[str]:
        accepted(run(git, "add", "--all", cwd=cluster, **home))
        return run(git, *who, "commit", "-m", what, cwd=cluster, limit_s=600, **home)

    accepted(run(git, "init", "-q", cwd=cluster, **home))
    accepted(run(pre_commit, "install", cwd=cluster, **home))
    assert re.search(r"Zope clients can be balanced\.+Passed", accepted(commit("all files")))
    (cluster / "README").write_text("no file that is judged")
    assert re.search(r"Zope clients can be balanced.*Skipped", accepted(commit("a file that is none of ours")))
    zope_conf = cluster / "app2" / "etc" / "zope.conf"
    zope_conf.write_text(zope_conf.read_text().replace("mount-point /", "mount-point /elsewhere"))
    refused = commit("a part of the site elsewhere")
    assert refused.returncode
    assert "CRITICAL: " in refused.stdout + refused.stderr
    assert ["a file that is none of ours", "all files"] == run(
        git, "log", "--format=%s", cwd=cluster, **home
    ).stdout.splitlines()


def test_the_hook_runs_for_the_files_that_are_judged() -> None:
    text = (CONTRIB / "ci" / "pre-commit.yaml").read_text()
    pattern = re.search(r"files: (.*)", text)
    assert pattern is not None
    for name in (
        "app1/etc/zope.conf",
        "zope.ini",
        "zeo/etc/zeo.conf",
        "haproxy.cfg",
        "clients.ini",
        "etc/zope-app1.conf",
    ):
        assert re.search(pattern[1], name), name
    for name in ("README.rst", "nginx.conf", "app.ini"):
        assert not re.search(pattern[1], name), name


def test_the_clients_of_the_compose_file_are_those_of_its_inventory() -> None:
    from zcheck.parsers import clients_ini

    folder = CONTRIB / "containers"
    found = clients_ini.parse((folder / "clients.ini").read_text(), "clients.ini")
    compose = (folder / "compose.yaml").read_text()
    for client in found.clients:
        assert re.search(rf"^  {client.address.host}:", compose, re.MULTILINE)
    assert "ZEO_ADDRESS: zeo:8100" in compose
    assert ("zeo:8100",) == found.pinned_zeo


# --- the Ansible role; make test-network plays it ------------------------------------------------------

ANSIBLE = CONTRIB / "ansible"
ROLE = ANSIBLE / "roles" / "zcheck"


def of_yaml(path: Path) -> Any:
    """What a YAML file says, be it a list or a mapping."""
    return compose.parse(f"all:\n{textwrap.indent(path.read_text(), '  ')}", str(path))["all"]


def test_the_tasks_of_the_role_are_modules_that_every_ansible_has() -> None:
    tasks = [*of_yaml(ROLE / "tasks" / "main.yml"), *(of_yaml(ROLE / "tasks" / "client.yml")[0]["block"])]
    used = {key for task in tasks for key in task if "." in key}
    assert {f"ansible.builtin.{name}" for name in ("file", "command", "copy", "include_tasks", "assert")} == used
    assert all(task.get("become") == "false" for task in tasks if task.get("delegate_to") == "localhost")
    assert ["zcheck"] == of_yaml(ANSIBLE / "preflight.yml")[0]["roles"]


def test_every_variable_of_the_role_is_defined_and_explained() -> None:
    text = "".join(path.read_text() for path in (ROLE / "tasks").iterdir())
    defined = set(of_yaml(ROLE / "defaults" / "main.yml"))
    made = set(re.findall(r"(?:register|loop_var): (zcheck_\w+)|^    (zcheck_\w+):", text, re.MULTILINE))
    assert defined == set(re.findall(r"zcheck_\w+", text)) - {name for pair in made for name in pair}
    explained = re.findall(
        r"^# .*\n(?:# .*\n)*(zcheck_\w+):", (ROLE / "defaults" / "main.yml").read_text(), re.MULTILINE
    )
    assert defined == set(explained)


def test_every_option_in_the_role_is_one_of_the_command() -> None:
    text = "".join(path.read_text() for path in (ROLE / "tasks").iterdir())
    for command in ("gather", "preflight"):
        told = accepted(run(sys.executable, "-m", "zcheck", command, "--help"))
        lines = [
            line for line in text.splitlines() if "argv" in line and ("zcheck_gather" in line) == (command == "gather")
        ]
        for option in re.findall(r"'(--[\w-]+)'", "\n".join(lines)):
            assert option in told, option
