"""Where each box and line of the drawing goes: balancers, clients, and the places where databases live."""

from __future__ import annotations

import textwrap

import msgspec

from zcheck.report.formats.sides import Island, islands
from zcheck.report.formats.text import clean
from zcheck.report.structs import Connection, Report, StorageNode

MOST_CLIENTS = 24
"""Of larger clusters nothing is drawn: nobody could follow the lines."""

_BALANCER_X, _CLIENT_X, _STORAGE_X = 10, 250, 650
_BALANCER_WIDTH, _CLIENT_WIDTH, _STORAGE_WIDTH = 150, 210, 330
_CLIENT_HEIGHT, _LINE, _GAP, _PAD = 52, 18, 14, 10
_LABEL_WIDTH = 34


class Box(msgspec.Struct, frozen=True):
    x: int
    y: int
    width: int
    height: int
    kind: str
    state: str
    lines: tuple[str, ...]
    """The first is the name."""

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def middle(self) -> int:
        return self.y + self.height // 2


class Frame(msgspec.Struct, frozen=True):
    """Clients that see each other's edits."""

    y: int
    height: int
    label: str
    state: str
    x: int = _CLIENT_X - 12
    width: int = _CLIENT_WIDTH + 24


class Line(msgspec.Struct, frozen=True):
    x1: int
    y1: int
    x2: int
    y2: int
    state: str
    label: str = ""


class Drawing(msgspec.Struct, frozen=True):
    left: int
    width: int
    height: int
    boxes: tuple[Box, ...]
    frames: tuple[Frame, ...]
    lines: tuple[Line, ...]
    told: tuple[str, ...]
    """The same in words, for those who do not see it."""


def draw(report: Report) -> Drawing | None:
    """The drawing; None where there is nothing to draw or too much."""
    topology = report.topology
    if not topology.clients or len(topology.clients) > MOST_CLIENTS:
        return None
    frames, clients = _clients(report)
    storages, rows = _storages(topology.storages, topology.connections)
    balancers = [
        Box(
            _BALANCER_X,
            40 + n * 66,
            _BALANCER_WIDTH,
            _CLIENT_HEIGHT,
            "balancer",
            "none",
            (short(one.name, 16), "balancer"),
        )
        for n, one in enumerate(topology.balancers)
    ]
    lines = [
        Line(box.right, box.middle, clients[name].x, clients[name].middle, "none")
        for box, one in zip(balancers, topology.balancers, strict=True)
        for name in one.clients
        if name in clients
    ]
    for connection in topology.connections:
        box = clients[connection.client]
        for target in connection.targets:
            key = (target, connection.database, connection.storage)
            label = "" if connection.state != "bad" else connection.detail
            lines.append(Line(box.right, box.middle, _STORAGE_X, rows[key], connection.state, label))
    boxes = [*balancers, *clients.values(), *storages]
    bottom = max([box.y + box.height for box in boxes] + [frame.y + frame.height for frame in frames])
    left = 0 if balancers else _CLIENT_X - 14
    return Drawing(
        left,
        _STORAGE_X + _STORAGE_WIDTH + 10 - left,
        bottom + 20,
        tuple(boxes),
        tuple(frames),
        tuple(lines),
        tuple(_told(report)),
    )


def _clients(report: Report) -> tuple[list[Frame], dict[str, Box]]:
    nodes = {node.name: node for node in report.topology.clients}
    groups = islands(report)
    frames: list[Frame] = []
    boxes: dict[str, Box] = {}
    y = 40
    for number, group in enumerate(groups or [Island(tuple(nodes), False)]):
        top = y
        for node in (nodes[name] for name in group.clients if name in nodes):
            name = node.name
            role = "" if node.role == "balanced" else f" ({node.role})"
            lines = (short(name + role, 22), short(node.address, 26))
            boxes[name] = Box(_CLIENT_X, y, _CLIENT_WIDTH, _CLIENT_HEIGHT, "client", node.state, lines)
            y += _CLIENT_HEIGHT + _GAP
        if groups:
            frames.append(_frame(group, number, len(groups), top, y))
            y += 34
    return frames, boxes


def _frame(island: Island, number: int, of: int, top: int, bottom: int) -> Frame:
    several = len(island.clients) > 1
    if island.apart:
        side = f"side {chr(ord('A') + number)}"
        label, state = (f"{side}: see each other's edits" if several else f"{side}: apart"), "bad"
    elif several:
        label, state = ("all see each other's edits" if of == 1 else "see each other's edits"), "good"
    else:
        label, state = "not tried", "unknown"
    return Frame(top - 26, bottom - top + 24, label, state)


def _storages(
    nodes: tuple[StorageNode, ...], connections: tuple[Connection, ...]
) -> tuple[list[Box], dict[tuple[str, str, str], int]]:
    """The boxes of servers, and the height at which the line to each of their databases ends."""
    boxes, rows = [], {}
    y = 40
    for node in nodes:
        own = {(node.id, one.database, one.storage): one for one in connections if node.id in one.targets}
        label = textwrap.wrap(clean(node.label), _LABEL_WIDTH, break_on_hyphens=False)[:3] or [""]
        head = [
            *label,
            {"zeo": "ZEO server", "relational": "relational database", "private": "its own, shared with nobody"}[
                node.kind
            ],
        ]
        lines = list(head)
        for key, one in own.items():
            rows[key] = y + _PAD + len(lines) * _LINE + _LINE // 2
            mounted = f", on {' '.join(one.mounts)}" if one.mounts else ""
            stored = f", storage {one.storage}" if one.storage else ""
            lines.append(short(f"• {one.database}{stored}{mounted}", 42))
        height = 2 * _PAD + len(lines) * _LINE
        state = "bad" if node.kind == "private" else node.state
        boxes.append(Box(_STORAGE_X, y, _STORAGE_WIDTH, height, node.kind, state, tuple(lines)))
        y += height + 24
    return boxes, rows


def short(text: str, width: int) -> str:
    """At most so many characters of a text, nothing in it that a reader cannot see."""
    text = clean(text)
    return text if len(text) <= width else text[: width - 1] + "…"


def _told(report: Report) -> list[str]:
    labels = {node.id: node.label for node in report.topology.storages}
    told = [
        f"{one.client}: database {one.database}"
        + (f", storage {one.storage}," if one.storage else "")
        + f" on {' and '.join(labels[target] for target in one.targets) or 'a place that is not known'}"
        + (f" ({one.detail})" if one.detail else "")
        for one in report.topology.connections
    ]
    sides = [", ".join(island.clients) for island in islands(report) if island.apart]
    if sides:
        told.append(f"not one site: {' | '.join(sides)}")
    return told
