"""The REST API: photos in, perceived gender out.

``/api/v1`` is the API; ``POST /predict`` stays for clients that know two answers only. ``/livez`` says whether the
server is up, ``/readyz`` whether it can predict.
"""

import math
from functools import partial
from typing import Any, Literal, cast, get_args

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from analysis.core.schema import MEANING
from analysis.data.detection import SMALLEST
from analysis.data.kinds import names
from analysis.data.photo import FULL_PIXELS, MAX_PIXELS
from analysis.results.records import Band, Card
from dashboard.admission import Admission, Endpoint
from dashboard.problems import NO_STORE, Problem, documented
from dashboard.scoring import NotReadyError, Scorer
from dashboard.uploads import FIELD, MAX_FILE_BYTES, MAX_FILES, Upload, read_uploads
from model.faces import Crop, PhotoError
from model.predict import FacePrediction

DESCRIPTION = f"""\
Predicts **perceived gender** from photos: {MEANING.removeprefix("Perceived gender: ")}
`uncertain` is an answer, and no answer overrides what people say of themselves.

Photos are scored in memory and dropped: nothing of them is stored, logged or cached. Up to {MAX_FILES} photos per
request, {MAX_FILE_BYTES // 2**20} MB and {MAX_PIXELS // 1_000_000} megapixels each; {names()}. Every face of
{SMALLEST} pixels and up is found ({2 * SMALLEST} in photos of more than {FULL_PIXELS // 1_000_000} megapixels), in
photos on their side or upside down, too. Errors are RFC 9457 problem details: with photos, an unknown or repeated
query parameter, or a form field without a photo, is one (422), and is never ignored.
"""

_OF_A_PHOTO = (413, 422)  # statuses that concern one photo, the one that came closest to being scored last
_CROP = {
    "name": "crop",
    "in": "query",
    "required": False,
    "description": "`detect` finds and aligns every face; `none` takes the whole photo as one face that is in CelebA's "
    "aligned frame already.",
    "schema": {"type": "string", "enum": list(get_args(Crop)), "default": "detect"},
}
PREDICTING = ("/api/v1/predict", "/predict")
PATHS = (*PREDICTING, "/api/v1/model", "/healthz", "/livez", "/readyz")

Label = Literal["female", "male", "uncertain"]


class Face(BaseModel):
    """One face of a photo and its prediction: the fields of `FacePrediction`, described for API documentation."""

    model_config = ConfigDict(from_attributes=True)

    face: int = Field(
        ge=0,
        description="Number of the face in the photo, counted from 0, the largest, as in every table; pictures "
        "made for reading count from 1.",
        examples=[0],
    )
    x: int = Field(description="Left edge of the face's box, in pixels of the upright photo.", examples=[412])
    y: int = Field(description="Top edge of the box, in pixels.", examples=[188])
    width: int = Field(description="Width of the box, in pixels.", examples=[240])
    height: int = Field(description="Height of the box, in pixels.", examples=[318])
    label: Label = Field(
        description="Perceived gender, or `uncertain` where the model abstains, as it always does on faces of fewer "
        "than 16 pixels (32 in photos of more than 16 megapixels).",
        examples=["female"],
    )
    p_male: float = Field(
        ge=0, le=1, description='Calibrated probability that such a face is labelled "male".', examples=[0.031]
    )
    turned: Literal[0, 90, 180, 270] = Field(
        description="Degrees clockwise by which the photo was turned to bring the face upright; the box is that of the "
        "photo before.",
        examples=[0],
    )
    small: bool = Field(
        description="Whether the face is smaller than the size from which on every face is found, which the API's "
        "description states: the answer is less certain than `p_male` says.",
        examples=[False],
    )


class FileResult(BaseModel):
    """Result for one file: its faces, or why there are none."""

    file: str = Field(description="Name of the file as it was sent.", examples=["portrait.jpg"])
    error: str | None = Field(description="Why the file could not be scored; null if it was.", examples=[None])
    faces: list[Face] = Field(description="Every detected face, largest first.")


class ModelSummary(BaseModel):
    """Which model answered, and how accurate it is: the part of its card that comes with every answer."""

    model_config = ConfigDict(from_attributes=True)

    run: str = Field(description="Name of the run that the model comes from.", examples=["celeba"])
    test_accuracy: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Share of the test photos of the first data set of the run whose label it gives.",
        examples=[0.97],
    )
    labels: list[str] = Field(description="The two labels it predicts.", examples=[["female", "male"]])
    band: Band = Field(
        description="`p_male` strictly between `low` and `high` is `uncertain`.", examples=[{"low": 0.2, "high": 0.8}]
    )


class ModelCard(Card):
    """The model's card, `model/model.json`, and what its labels mean."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "file": "model.onnx",
                "sha256": "6a09e667f3bcc908b2fb1366ea957d3e3adec17512775099da2f590b0667322a",
                "bits": 8,
                "accuracy_lost": 0.001,
                "input": {"height": 80, "width": 80, "frame": [109, 89]},
                "parameters": 1_234_567,
                "temperature": 1.3,
                "band": {"low": 0.2, "high": 0.8},
                "labels": ["female", "male"],
                "run": "celeba",
                "test_accuracy": 0.97,
                "meaning": MEANING,
            }
        }
    )

    meaning: str = MEANING
    """What the labels mean."""


class Predictions(BaseModel):
    """Answer to a request in which at least one photo was scored."""

    model: ModelSummary
    results: list[FileResult] = Field(description="One entry per file, in the order sent.")


class Gender(BaseModel):
    """Answer of the legacy endpoint."""

    gender: Literal["female", "male"] = Field(
        description="The more probable perceived gender of the largest face.", examples=["female"]
    )


class Health(BaseModel):
    """The server is up and the model is loaded."""

    status: Literal["ok"]
    run: str = Field(description="Name of the run that is served.", examples=["celeba"])


class Alive(BaseModel):
    """The server is up."""

    status: Literal["ok"]


def _form(many: bool) -> dict[str, Any]:
    """Describe the multipart body, which is read as a stream and therefore not declared as a parameter."""
    photo: dict[str, Any] = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
    description = "a photo"
    if many:
        photo = {"type": "array", "items": photo, "minItems": 1, "maxItems": MAX_FILES}
        description = f"one photo, or up to {MAX_FILES}"
    schema = {
        "type": "object",
        "required": [FIELD],
        "properties": {FIELD: {**photo, "description": description}},
        "additionalProperties": False,
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def router(scorer: Scorer, admission: Admission) -> APIRouter:
    """Make the API's routes over a scorer, whose photos are counted and bounded by an admission."""
    routes = APIRouter()

    @routes.post(
        "/api/v1/predict",
        tags=["prediction"],
        summary="Perceived gender of every face in one or more photos",
        response_model=Predictions,
        response_description="At least one photo was scored.",
        responses=documented(400, 401, 408, 413, 415, 422, 429, 503),
        openapi_extra=_form(many=True) | {"parameters": [_CROP]},
    )
    async def predict(request: Request) -> Response:
        """Find every face in each photo and predict its perceived gender.

        The status is 200 if at least one photo was scored; a photo that could not be has its `error`. Otherwise it is
        400 (no photo, more than 32, or no complete form), 413 (too large), 415 (no multipart form) or 422 (not a photo
        that can be read, or no face found); with the reason for each file under `results` if photos were read. A query
        parameter that is unknown, repeated or has another value, and a form field without a file, are 422, too.
        """
        crop = _crop(request)
        model = ModelSummary.model_validate(_predictor_card(scorer))
        results: list[FileResult] = []
        failures: list[Problem] = []
        async for upload in read_uploads(request):
            try:
                faces = await admission.photo(partial(_score, scorer, upload, crop), first=not results)
                results.append(
                    FileResult(file=upload.name, error=None, faces=[Face.model_validate(face) for face in faces])
                )
            except Problem as failure:
                if failure.status not in _OF_A_PHOTO:
                    raise  # the request as a whole
                failures.append(failure)
                results.append(FileResult(file=upload.name, error=failure.detail, faces=[]))
        if len(failures) == len(results):
            raise _no_photo_scored(failures, results)
        return _json(Predictions(model=model, results=results))

    @routes.get("/api/v1/model", tags=["model"], summary="The model card", responses=documented(503))
    async def model() -> ModelCard:
        """Describe the model that answers: where it comes from, how accurate it is, when it abstains."""
        return ModelCard(**_predictor_card(scorer).as_json())

    @routes.post(
        "/predict",
        tags=["legacy"],
        summary="Perceived gender of the largest face in one photo",
        response_model=Gender,
        responses=documented(400, 401, 408, 413, 415, 422, 429, 503),
        openapi_extra=_form(many=False),
    )
    async def predict_one(request: Request) -> Response:
        """Predict the largest face of a photo for clients that know two answers only.

        The more probable label is given even where `/api/v1/predict` would say `uncertain`: prefer that one.
        """
        _check_query(request)
        _predictor_card(scorer)
        answers = [
            await admission.photo(partial(_score, scorer, upload, "detect"), first=True)
            async for upload in _only_one(request)
        ]
        return _json(Gender(gender="male" if answers[0][0].p_male >= 0.5 else "female"))

    @routes.get("/healthz", tags=["service"], summary="Whether the model is loaded", responses=documented(503))
    async def healthz(response: Response) -> Health:
        """Answer 200 once photos can be scored, 503 before."""
        response.headers.update(NO_STORE)
        return Health(status="ok", run=_predictor_card(scorer).run)

    @routes.get("/readyz", tags=["service"], summary="Whether photos can be scored", responses=documented(503))
    async def readyz(response: Response) -> Health:
        """Answer 200 once photos can be scored, 503 before: whether to send requests here. The same as `/healthz`."""
        return await healthz(response)

    @routes.get("/livez", tags=["service"], summary="Whether the server is up")
    async def livez(response: Response) -> Alive:
        """Answer 200 as long as the server answers at all: whether to start it again."""
        response.headers.update(NO_STORE)
        return Alive(status="ok")

    return routes


def endpoints(routes: APIRouter) -> dict[str, Endpoint]:
    """Get what answers each address that predicts: `dashboard.admission.Predictions` calls it without a detour."""
    return {
        route.path: cast("Endpoint", route.endpoint)
        for route in routes.routes
        if isinstance(route, APIRoute) and route.path in PREDICTING
    }


def _check_query(request: Request, known: tuple[str, ...] = ()) -> None:
    """Raise a `Problem`, 422, that names a query parameter that is not among the known ones, or is given twice."""
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in known:
            taken = f"known is {', '.join(known)}" if known else f"{request.url.path} takes none"
            raise Problem(422, f"query.{name}: is no parameter; {taken}")
        if names.count(name) > 1:
            raise Problem(422, f"query.{name}: is given {names.count(name)} times: give it once")


def _crop(request: Request) -> Crop:
    _check_query(request, ("crop",))
    crop = request.query_params.get("crop", "detect")
    if crop not in get_args(Crop):
        raise Problem(422, f"query.crop: should be {' or '.join(map(repr, get_args(Crop)))}")
    return cast("Crop", crop)


def _json(answer: BaseModel) -> Response:
    """Write an answer, which was checked when it was made; FastAPI would do it again."""
    return Response(answer.model_dump_json(), media_type="application/json", headers=NO_STORE)


def _predictor_card(scorer: Scorer) -> Card:
    try:
        return scorer.predictor.card
    except NotReadyError as error:
        raise Problem(503, str(error)) from None


async def _score(scorer: Scorer, upload: Upload, crop: Crop) -> list[FacePrediction]:
    if upload.too_large:
        sent = math.ceil(upload.size / 2**20 * 10) / 10
        raise Problem(413, f"the file is over {MAX_FILE_BYTES // 2**20} MB, it has {sent:.1f}: send a smaller photo")
    if upload.sent_as != FIELD:
        raise Problem(422, f"left out: send photos in a field named `{FIELD}`, not `{upload.sent_as}`")
    try:
        return await scorer.score(upload.content(), crop)
    except PhotoError as error:  # unreadable, or without a face
        raise Problem(422, str(error)) from None


async def _only_one(request: Request) -> Any:
    photos = 0
    async for upload in read_uploads(request):
        photos += 1
        if photos > 1:
            raise Problem(400, "more than one photo: send them to /api/v1/predict")
        yield upload


def _no_photo_scored(failures: list[Problem], results: list[FileResult]) -> Problem:
    """Take the status of the photo that came closest to being scored."""
    status = max(failures, key=lambda failure: _OF_A_PHOTO.index(failure.status)).status
    detail = failures[0].detail if len(failures) == 1 else f"none of the {len(failures)} photos could be scored"
    return Problem(status, detail, results=[result.model_dump() for result in results])
