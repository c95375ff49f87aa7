"""Errors as RFC 9457 problem details: one line a person can act on, never a stack trace."""

from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

MEDIA_TYPE = "application/problem+json"
NO_STORE = {"Cache-Control": "no-store"}
_MACHINE_PATHS = ("/api", "/predict", "/healthz")


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
        Of the answer.
    **extra
        Further members of the JSON object, such as ``results``.
    """

    def __init__(self, status: int, detail: str, *, headers: dict[str, str] | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.headers = headers
        self.status = status
        self.detail = detail
        self.extra = extra


def problem_response(
    status: int, detail: str, extra: dict[str, Any] | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Make the response to a problem; it is never cached."""
    details = ProblemDetails(
        type="about:blank", title=HTTPStatus(status).phrase, status=status, detail=" ".join(detail.split())
    )
    return JSONResponse(
        details.model_dump() | (extra or {}),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={**NO_STORE, **(headers or {})},
    )


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe error responses to OpenAPI."""
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


def install(app: FastAPI, site: Path) -> None:
    """Answer every error of ``app`` with problem details, or, to a browser asking for a page, with the site's 404."""

    @app.exception_handler(Problem)
    async def on_problem(request: Request, problem: Problem) -> Response:
        return problem_response(problem.status, problem.detail, problem.extra, problem.headers)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        details = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        return problem_response(422, details)

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> Response:
        for_machine = request.url.path.startswith(_MACHINE_PATHS) or "text/html" not in request.headers.get(
            "accept", ""
        )
        if error.status_code == HTTPStatus.NOT_FOUND and not for_machine:
            return _missing_page(site)
        return problem_response(error.status_code, _detail(request, error), headers=dict(error.headers or {}))

    @app.exception_handler(ClientDisconnect)
    async def on_disconnect(request: Request, error: ClientDisconnect) -> Response:
        return problem_response(400, "the client left before the request was complete")  # nobody reads it

    @app.exception_handler(Exception)
    async def on_failure(request: Request, error: Exception) -> Response:
        return problem_response(500, "the server failed on this request; its log says why")


def _detail(request: Request, error: HTTPException) -> str:
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return f"nothing is at {request.url.path}: /api/docs lists what there is"
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return f"{request.url.path} does not answer {request.method}: /api/docs lists what it does answer"
        case _:
            return str(error.detail)


def _missing_page(site: Path) -> Response:
    if (page := site / "404.html").is_file():
        return FileResponse(page, status_code=404)
    return HTMLResponse(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Not found - meanface</title>'
        '<meta name="viewport" content="width=device-width"><body style="font-family:sans-serif;margin:3rem">'
        '<h1>Nothing is here</h1><p>Go to the <a href="/">report</a> or the <a href="/explore">explorer</a>.</p>',
        status_code=404,
    )
