"""Whether a message is from whom the trigger expects it: compared in constant time, and never told why not."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from standardwebhooks import Webhook, WebhookVerificationError

from mixdown.errors import HookRefused
from mixdown.triggers.model import GitHubSignature, Signature, StandardSignature
from mixdown.webhooks import key_of


def verify(signature: Signature, secrets: Sequence[str], body: bytes, headers: Mapping[str, str]) -> str | None:
    """The signed id of a message, where it has one. `headers` are in lower case; any of the secrets will do.

    Raises
    ------
    HookRefused
        It is signed by nobody who knows a secret, or, in Standard Webhooks, more than 5 minutes off.
    """
    if isinstance(signature, StandardSignature):
        if any(_is_standard(secret, body, headers) for secret in secrets):
            return headers["webhook-id"]
        raise HookRefused
    given = headers.get(signature.header.lower(), "")
    expected: list[bytes]
    if isinstance(signature, GitHubSignature):
        expected = [
            b"sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode() for secret in secrets
        ]
        shown = given.encode()
    else:
        # Digests: of equal length, so that not even the length of a token can be timed.
        expected = [hashlib.sha256(secret.encode()).digest() for secret in secrets]
        shown = hashlib.sha256(_token(given).encode()).digest()
    if not any(hmac.compare_digest(shown, each) for each in expected):
        raise HookRefused
    return None


def _is_standard(secret: str, body: bytes, headers: Mapping[str, str]) -> bool:
    try:
        Webhook(key_of(secret)).verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError):  # a body or a signature that is no text
        return False
    return True


def _token(given: str) -> str:
    """The token of a header: as it is, behind `Bearer`, or the password of `Basic`."""
    scheme, _, rest = given.strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() != "basic":
        return given.strip()
    try:
        return base64.b64decode(rest, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""
