"""What a file is, is told by what is in it; what is not read is named for what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from zcheck.commands.init import InitError, draft
from zcheck.commands.init.kinds import Kind, Unread, kind_of

READ = {
    "HAProxy": ("haproxy.cfg", "global\n  maxconn 5\nbackend zope\n  server a b:1\n", Kind.HAPROXY),
    "HAProxy without a global section": ("lb.conf", "# x\nlisten zope # y\n  server a b:1\n", Kind.HAPROXY),
    "HAProxy as a template": ("lb.cfg.j2", "backend {{ name }}\n  server {{ a }} {{ b }}\n", Kind.HAPROXY),
    "Pound": ("pound.cfg", 'User "x"\nListenHTTP\n  BackEnd\n    Address 1.2.3.4\n', Kind.POUND),
    "a compose file": ("stack.yml", "services:\n  a: {image: x}\n", Kind.COMPOSE),
    "a compose file by another name": ("stack", "version: '3'\nservices:\n  a: {image: x}\n", Kind.COMPOSE),
    "a compose file in JSON": ("config.json", '{"services": {"a": {"image": "x"}}}', Kind.COMPOSE),
    "a zope.conf": ("a.conf", "%define INSTANCE /srv\n<zodb_db main>\n</zodb_db>\n", Kind.ZOPE),
    "a zeo.conf": ("zope.conf", "<zeo>\n  address 8100\n</zeo>\n", Kind.ZEO),
    "an ini": ("a.ini", "[server:main]\nuse = egg:waitress#main\n", Kind.WSGI_INI),
    "a buildout": ("base.cfg", "[buildout]\nparts =\n", Kind.BUILDOUT),
    "nothing of it": ("a.txt", "to do", None),
    "a list": ("a.yaml", "- a\n- b\n", None),
}


@pytest.mark.parametrize(("path", "text", "kind"), READ.values(), ids=READ)
def test_what_is_read(path: str, text: str, kind: Kind | None) -> None:
    assert kind is kind_of(path, text)


UNREAD = {
    "nginx": ("nginx.conf", "http {\n  upstream a {\n    server b:1;\n  }\n}\n", 1, "nginx's"),
    "a site of nginx": (
        "site",
        "# x\nserver\n{\n  listen 80;\n  location / {\n proxy_pass http://a;\n}\n}\n",
        2,
        "nginx's",
    ),
    "the upstream of nginx alone": ("up.conf", "upstream zope {\n  server 192.0.2.1:8080;\n}\n", 1, "nginx's"),
    "Varnish": ("default.vcl", 'vcl 4.1;\nbackend a {\n  .host = "b";\n}\n', 2, "Varnish's"),
    "Varnish without a version": ("a.vcl", 'backend a {\n  .host = "b";\n  .port = "8080";\n}\n', 1, "Varnish's"),
    "Apache": ("a.conf", "<VirtualHost *:80>\nProxyPass / balancer://zope/\n</VirtualHost>\n", 1, "Apache's"),
    "Traefik in YAML": ("dynamic.yml", "http:\n  services:\n    a: {loadBalancer: {}}\n", 1, "Traefik's"),
    "Traefik's own settings": (
        "traefik.yml",
        "log: {level: INFO}\nentryPoints:\n  web: {address: ':80'}\n",
        2,
        "Traefik's",
    ),
    "Traefik in TOML": ("traefik.toml", "[entryPoints]\n  [entryPoints.web]\n", 1, "Traefik's"),
    "Envoy": ("envoy.yaml", "static_resources:\n  clusters: []\n", 1, "Envoy's"),
    "Caddy": ("Caddyfile", "example.com {\n  reverse_proxy a:1 b:1\n}\n", 2, "Caddy's"),
    "Kubernetes": (
        "a.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n",
        1,
        "manifest (Deployment)",
    ),
    "Kubernetes, several": (
        "a.yaml",
        "---\n---\napiVersion: v1\nkind: Service\n---\napiVersion: v1\nkind: X\n",
        3,
        "(Service)",
    ),
    "a chart of Helm": ("Chart.yaml", "apiVersion: v2\nname: plone\nversion: 1.0.0\n", 1, "Helm chart"),
    "a template of Helm": (
        "deployment.yaml",
        "apiVersion: v1\n{{- if .Values.a }}\nkind: X\n{{- end }}\n",
        2,
        "Helm template",
    ),
    "values for Helm": (
        "values.yaml",
        "replicaCount: 2\nimage: {repository: plone/plone-backend}\n",
        None,
        "of a Helm chart",
    ),
    "an inventory of Ansible": ("hosts.yml", "zope:\n  hosts:\n    app1:\n", None, "--ansible-inventory"),
    "a playbook of Ansible": ("site.yml", "- hosts: zope\n  tasks: []\n", None, "Ansible playbook"),
    "a clients.ini": ("clients.ini", "[cluster]\nname = x\n[client:app1]\naddress = a:1\n", 3, "zcheck plan"),
    "supervisor": ("supervisord.conf", "[supervisord]\n[program:zope]\ncommand=bin/instance\n", 1, "supervisor's"),
    "a unit of systemd": ("zope.service", "[Unit]\n[Service]\nExecStart=/srv/bin/runwsgi\n", 1, "systemd's"),
    "a Dockerfile": ("Dockerfile", "FROM plone/plone-backend:6.1\n", 1, "a Dockerfile"),
}


@pytest.mark.parametrize(("path", "text", "line", "what"), UNREAD.values(), ids=UNREAD)
def test_what_is_known_and_not_read(
    path: str, text: str, line: int | None, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = kind_of(path, text)
    assert isinstance(found, Unread)
    assert line == found.line
    monkeypatch.chdir(tmp_path)
    Path(path).write_text(text)
    where = path if line is None else f"{path}:{line}"
    with pytest.raises(InitError) as raised:
        draft([path])
    assert str(raised.value).startswith(f"{where}: this is ")
    assert what in str(raised.value)
