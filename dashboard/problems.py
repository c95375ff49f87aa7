"""Errors as RFC 9457 problem details: one line a person can act on, never a stack trace."""

from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

MEDIA_TYPE = "application/problem+json"
NO_STORE = {"Cache-Control": "no-store"}
_MACHINE_PATHS = ("/api/", "/predict", "/healthz", "/livez", "/readyz", "/metrics")


class ProblemDetails(BaseModel):
    """What an error says, after RFC 9457; a problem with photos adds ``results``, one entry per file."""

    model_config = ConfigDict(extra="allow")

    type: str = Field("about:blank", description="Always `about:blank`: the status says what kind of problem it is.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="HTTP status.")
    detail: str = Field(description="One line: what is wrong and what to do.")


class Problem(Exception):  # noqa: N818 - RFC 9457's own word
    """An answer other than success.

    Parameters
    ----------
    status
        HTTP status, 400 to 599.
    detail
        One line: what is wrong and what to do.
    headers
        Further headers of the answer, such as ``Retry-After``.
    **extra
        Further members of the JSON object, such as ``results``.
    """

    def __init__(self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.extra = extra

    def response(self) -> JSONResponse:
        """Make the answer; it is never cached."""
        details = ProblemDetails(
            type="about:blank",
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=" ".join(self.detail.split()),
        )
        return JSONResponse(
            details.model_dump() | self.extra,
            status_code=self.status,
            media_type=MEDIA_TYPE,
            headers={**NO_STORE, **self.headers},
        )


def busy(detail: str, seconds: int = 1) -> Problem:
    """Make the answer to what may be tried again after some seconds."""
    return Problem(503, detail, headers={"Retry-After": str(seconds)})


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe error responses to OpenAPI."""
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` with problem details, and what is missing among the pages with a page.

    What nobody foresaw is answered by `gateway.failures.Failures`.
    """

    @app.exception_handler(Problem)
    async def on_problem(request: Request, problem: Problem) -> Response:
        return problem.response()

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        details = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        return Problem(422, details).response()

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> Response:
        if error.status_code == HTTPStatus.NOT_FOUND and _is_for_people(request):
            return _missing_page(_prefix(request))
        return Problem(error.status_code, _detail(request, error), headers=error.headers).response()

    @app.exception_handler(ClientDisconnect)
    async def on_disconnect(request: Request, error: ClientDisconnect) -> Response:
        return Problem(400, "the client left before the request was complete").response()  # nobody reads it


def _is_for_people(request: Request) -> bool:
    accepted = request.headers.get("accept", "*/*")
    path = request.url.path.removeprefix(_prefix(request))
    asks = request.method in ("GET", "HEAD") and ("text/html" in accepted or "*/*" in accepted)
    return asks and not path.startswith(_MACHINE_PATHS)


def _prefix(request: Request) -> str:
    """What a proxy shows the server below; that of a mounted app, such as the files of Panel, is longer."""
    prefix: str = request.scope.get("app_root_path", request.scope["root_path"])
    return prefix


def _detail(request: Request, error: HTTPException) -> str:
    docs = f"{_prefix(request)}/api/docs"
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return f"nothing is at {request.url.path}: {docs} lists what there is"
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return f"{request.url.path} does not answer {request.method}: {docs} lists what it does answer"
        case _:
            return str(error.detail)


def _missing_page(prefix: str) -> Response:
    return HTMLResponse(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Not found - meanface</title>'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
        '<body style="font-family:sans-serif;margin:3rem">'
        f'<h1>Nothing is here</h1><p>Go to the <a href="{escape(prefix)}/">report</a> or the '
        f'<a href="{escape(prefix)}/explore">explorer</a>.</p>',
        status_code=404,
        headers=NO_STORE,
    )
