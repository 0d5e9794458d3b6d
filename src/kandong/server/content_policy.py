"""What a page of this server may load: its content security policy.

Owns: the policy and its nonces. Must not know: pages.
"""

from __future__ import annotations

import secrets


def page_policy(nonce: str) -> str:
    """Give the content security policy of a page: scripts of its own alone, styles of its own or with the nonce."""
    return (
        "default-src 'none'; script-src 'self'; "
        f"style-src 'self' 'nonce-{nonce}'; img-src 'self' blob: data:; font-src 'self'; connect-src 'self'; "
        "manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )


def new_nonce() -> str:
    """Make the nonce of one answer."""
    return secrets.token_urlsafe(16)
