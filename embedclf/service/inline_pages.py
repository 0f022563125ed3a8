"""What a page of one file, with its script and its style in it, is allowed to do."""

from base64 import b64encode
from hashlib import sha256


def content_security_policy(script: str, style: str) -> str:
    """Return the policy that lets a page run its own script, use its own style, and ask its own service; nothing else.

    Parameters
    ----------
    script, style : str
        The content of its elements ``script`` and ``style``.
    """
    return (
        f"default-src 'none'; script-src {_source_of(script)}; style-src {_source_of(style)}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _source_of(inline: str) -> str:
    return f"'sha256-{b64encode(sha256(inline.encode()).digest()).decode()}'"
