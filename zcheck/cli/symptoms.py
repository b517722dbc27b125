"""From what people complain about to the checks that find the cause."""

from __future__ import annotations

import msgspec


class Symptom(msgspec.Struct, frozen=True):
    """What users or operators notice, in their words, and the checks to look at, the most likely cause first."""

    name: str
    words: tuple[str, ...]
    """Other words by which somebody may ask for it."""
    checks: tuple[str, ...]


SYMPTOMS: tuple[Symptom, ...] = (
    Symptom(
        "editors lose changes",
        ("lost edits", "edits vanish", "changes disappear", "saved but gone", "split brain"),
        (
            "edits-are-seen-everywhere",
            "every-database-is-one",
            "zeo-passes-writes-on",
            "zeo-servers-agree",
            "storage-names-agree",
            "no-private-storage",
            "database-locations-agree",
        ),
    ),
    Symptom(
        "pages differ on reload",
        ("sometimes old", "flapping page", "different content", "stale pages", "page changes back"),
        (
            "edits-are-seen-everywhere",
            "client-is-connected-to-zeo",
            "versions-agree",
            "products-agree",
            "settings-agree",
            "propagation-is-quick",
        ),
    ),
    Symptom(
        "users are logged out",
        ("login lost", "session lost", "asked for password again", "shopping cart empty"),
        ("sessions-are-shared", "sessions-stick", "cookies-are-distinct", "settings-agree", "clocks-agree"),
    ),
    Symptom(
        "saving takes minutes",
        ("saving hangs", "slow writes", "timeouts on save", "commit hangs"),
        ("zeo-commit-lock-is-free", "client-is-connected-to-zeo", "zeo-server-answers", "timeouts-are-set"),
    ),
    Symptom(
        "saving fails",
        ("cannot save", "error on save", "read only", "internal server error on edit"),
        ("clients-are-writable", "client-accepts-writes", "no-read-only-fallback", "zeo-storage-exists"),
    ),
    Symptom(
        "a part of the site is missing",
        ("not found sometimes", "404 sometimes", "mount point missing", "folder is empty", "traceback tab"),
        ("mount-points-agree", "database-names-agree", "root-mount-exists", "storage-names-agree"),
    ),
    Symptom(
        "images or files are missing",
        ("blob missing", "poskeyerror", "no blob file", "broken downloads"),
        ("blob-storage-agrees", "blob-directories-are-one", "storage-wrappers-agree"),
    ),
    Symptom(
        "the balancer sends users to a dead client",
        ("502", "503", "bad gateway", "server down", "health check green"),
        (
            "servers-are-health-checked",
            "health-check-is-cheap",
            "ping-tells-the-truth",
            "failed-servers-are-redispatched",
            "client-port-answers",
        ),
    ),
    Symptom(
        "a client does not start",
        ("startup fails", "cannot start", "configuration error", "lock error"),
        (
            "zope-conf-parses",
            "zope-conf-keys-are-known",
            "root-mount-exists",
            "cache-files-are-distinct",
            "instance-homes-are-distinct",
            "listen-address-matches",
        ),
    ),
    Symptom(
        "the site is slow",
        ("slow pages", "queueing", "high load"),
        ("client-answers-quickly", "connections-fit-threads", "debug-mode-is-off", "propagation-is-quick"),
    ),
)


def nearest(text: str) -> Symptom | None:
    """The symptom that somebody means, by the words in common; None where none comes near."""
    asked = _words(text)
    scored = [(max(_common(asked, name) for name in (one.name, *one.words)), one) for one in SYMPTOMS]
    score, found = max(scored, key=lambda pair: pair[0])
    return found if score >= _NEAR else None


_NEAR = 0.5
_FILLERS = frozenset({"a", "an", "the", "is", "are", "of", "on", "or", "to", "my", "our", "we", "they", "i", "it"})


def _words(text: str) -> frozenset[str]:
    return frozenset(word.rstrip("s") for word in text.lower().replace("-", " ").split() if word not in _FILLERS)


def _common(asked: frozenset[str], name: str) -> float:
    known = _words(name)
    return len(asked & known) / max(len(asked), 1)
