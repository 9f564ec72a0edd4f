"""What several routes share."""

import hashlib

from fastapi import Request, Response

from api.schemas import to_json

TENANT = "/api/v1/tenants/{tenant}"


def tagged(request: Request, body: object) -> Response:
    """The body with its ETag, or 304 where the caller has exactly that."""
    data = to_json(body)
    tag = f'"{hashlib.sha256(data).hexdigest()[:24]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
    known = {item.strip().removeprefix("W/") for item in request.headers.get("if-none-match", "").split(",")}
    if tag in known:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="application/json", headers=headers)
