"""Style and the switch of light and dark within everybody's pages themselves: the first picture needs no second request.

Their digests stand in the page's Content-Security-Policy, which lets nothing else be inline.
"""

import base64
import hashlib
from functools import cache

from fastapi import Response
from markupsafe import Markup

from api.pages.static_files import load

STYLES, SCRIPT = ("base.css", "parking.css"), "theme.js"


@cache
def style() -> Markup:
    """What stands between <style> and </style>."""
    return Markup("".join(_text(name) for name in STYLES))


@cache
def script() -> Markup:
    """What stands between <script> and </script>."""
    return Markup(_text(SCRIPT))


def sealed(answer: Response) -> Response:
    """The answer, whose policy lets exactly these two be inline beside what it lets."""
    name = "Content-Security-Policy"
    answer.headers[name] = _policy(answer.headers[name])
    return answer


@cache
def _policy(policy: str) -> str:
    policy = policy.replace("style-src 'self'", f"style-src 'self' {_digest(style())}")
    policy = policy.replace("worker-src 'self'", "worker-src 'self'; manifest-src 'self'")
    return policy.replace("script-src 'self'", f"script-src 'self' {_digest(script())}")


def _text(name: str) -> str:
    text = load().files[name].data.decode()
    if "</" in text:
        raise AssertionError(f"{name} would end its own element")
    return text


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
