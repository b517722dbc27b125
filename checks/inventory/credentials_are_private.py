"""Nobody else can read the password that this run uses.

What it examines
    The permission bits of the ``password-file``, or of clients.ini itself when ``password`` stands in it.
Why it matters
    The user may add and edit content on every client: whoever can read the password can do so as well, and the
    monitoring machine often has more accounts than the site.
What it does not prove
    That the password is good, that no copy of it lies elsewhere (a backup, a repository), or who can read what
    ``password-env`` names.
How to repair it
    ``chmod 600 FILE``, with the user that runs zcheck as its owner.

>>> ini = inventory('''[cluster]
... user = admin
... password-file = zope-password
... [client:app1]
... address = app1:8080
... [client:app2]
... address = app2:8080
... ''')
>>> show(credentials_are_private, ini, SecretFiles((SecretFile("zope-password", 0o600, 3),)))
OK
>>> show(credentials_are_private, ini, SecretFiles((SecretFile("zope-password", 0o644, 3),)))
WARNING app1, app2: zope-password holds the password and has mode 0644: its group and all others can read it
>>> show(credentials_are_private, ini, (SecretFiles, NotGathered("zope-password: No such file or directory")))
UNKNOWN app1, app2: zope-password: No such file or directory
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Skipped, check
from zcheck.facts import Facts, SecretFiles

GROUP, OTHERS = 0o060, 0o006
"""Reading and writing: who may write the file can make zcheck log in with a password of his own choice."""


@check("credentials-are-private", stage="inventory", severity=Severity.WARNING, needs=[SecretFiles])
def credentials_are_private(facts: Facts) -> Iterator[Problem | Skipped]:
    secrets = facts.the(SecretFiles).files
    if not secrets:
        yield Skipped(facts.clients, "no password is read from a file")
    credentials = facts.inventory.credentials
    for secret in secrets:
        who = [who for who, bits in (("its group", GROUP), ("all others", OTHERS)) if secret.mode & bits]
        if who:
            can = f"{' and '.join(who)} can {'read' if secret.mode & 0o044 else 'write'} it"
            message = f"{secret.file} holds the password and has mode {secret.mode:04o}: {can}"
            place = Place(facts.inventory.file, secret.line, credentials.source if credentials else "")
            yield Problem(facts.clients, message, (place,), f"chmod 600 {secret.file}")
