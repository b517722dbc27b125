"""TLS to a ZEO server as a client's ``<ssl>`` section has it, with that section's own files.

Source: ``ssl_config`` in ZEO/zconfig.py, whose context this is, but for two things: nothing that the section names is
imported or called, and nobody is asked for a password on a terminal.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from zcheck.facts import ZeoTls


class CannotUse(Exception):
    """The section's files cannot be used here, and why."""


def context_of(tls: ZeoTls) -> ssl.SSLContext:
    """The client's side of the connection; :exc:`CannotUse` where its files cannot be read or used here."""
    authority = tls.authenticate
    is_folder = bool(authority) and Path(authority).is_dir()
    try:
        context = ssl.create_default_context(
            ssl.Purpose.SERVER_AUTH,
            cafile=authority if authority not in ("", "DYNAMIC") and not is_folder else None,
            capath=authority if is_folder else None,
        )
        context.load_cert_chain(tls.certificate, tls.key or None, password=_nothing)
    except ssl.SSLError as error:
        words = "the key has a password" if tls.has_password else (error.reason or "no certificate").lower()
        raise CannotUse(f"{tls.certificate}: {words.replace('_', ' ')}") from None
    except OSError as error:
        # The module that loads them does not say which of the files it was.
        missing = next((p for p in (authority, tls.certificate, tls.key) if p and not Path(p).exists()), "")
        named = missing or tls.certificate
        raise CannotUse(f"{named}: {(error.strerror or type(error).__name__).lower()}") from None
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if context.cert_store_stats()["crl"]:
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    context.check_hostname = tls.check_hostname
    return context


def _nothing() -> str:
    return ""


def words(error: ssl.SSLError) -> str:
    """What went wrong in a handshake, as a person says it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"shows a certificate that does not verify: {error.verify_message.rstrip('.').lower()}"
    reason = (error.reason or "the handshake failed").replace("_", " ").lower()
    if "alert" in reason:
        return f"refuses the client's certificate ({reason})"
    return f"does not finish a TLS handshake ({reason})"
