"""The bodies of requests and answers, and their JSON Schemas for OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from starlette.responses import Response

from fundoscope.kinds import KINDS
from fundoscope.reading import Reading
from fundoscope.serve.problems import ProblemAnswer
from fundoscope.serve.store.records import Record, Refused
from fundoscope.serve.store.reviews import Opinion, Review, ReviewedBox, Reviews
from fundoscope.serve.store.tables import PATIENT_CHARACTERS
from fundoscope.serve.store.worklist import Order, Worklist

JSON: Final = "application/json"
SCHEMAS: Final = "#/components/schemas/"
MOST_BOXES: Final = 2_000
"""Boxes of a review. The photograph with the most lesions of IDRiD has 600."""
COMMENT_CHARACTERS: Final = 4_000
MOST_ITEMS: Final = 200
"""Of the worklist, at once."""
MOST_OFFSET: Final = 10_000_000
NO_NUL: Final = "^[^\\u0000]*$"
"""PostgreSQL cannot store the character NUL."""
LARGEST: Final = 1e6
"""A coordinate beyond any photograph; the photograph's own size is checked later."""
Coordinate = Annotated[float, msgspec.Meta(ge=0, le=LARGEST)]
PatientName = Annotated[
    str, msgspec.Meta(min_length=1, max_length=PATIENT_CHARACTERS, pattern=NO_NUL)
]
if TYPE_CHECKING:
    Kind = str
else:
    Kind = Literal[tuple(KINDS)]


class GivenBox(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A box in the photograph's pixels: ``x0 < x1``, ``y0 < y1``, within the photograph.

    Attributes:
        kind: of the lesion or landmark.
        x0: left edge.
        y0: upper edge.
        x1: right edge.
        y1: lower edge.
    """

    kind: Kind
    x0: Coordinate
    y0: Coordinate
    x1: Coordinate
    y1: Coordinate


class GivenReview(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A review. A final one has a grade, or says that the photograph is not gradable.

    Attributes:
        grade: 0 to 4.
        ungradable: whether the photograph is not gradable; ``grade`` is null then.
        comment: free text.
        confidence: 1 (guessing) to 5 (sure).
        changed_mind: whether the software's opinion changed yours.
        boxes: all lesions; an empty list means that there are none, null that you did not go
            through the boxes.
        draft: whether the review is unfinished; it is resumed later.
    """

    grade: Annotated[int, msgspec.Meta(ge=0, le=4)] | None = None
    ungradable: bool = False
    comment: Annotated[str, msgspec.Meta(max_length=COMMENT_CHARACTERS, pattern=NO_NUL)] = ""
    confidence: Annotated[int, msgspec.Meta(ge=1, le=5)] | None = None
    changed_mind: bool | None = None
    boxes: Annotated[list[GivenBox], msgspec.Meta(max_length=MOST_BOXES)] | None = None
    draft: bool = False

    def opinion(self) -> Opinion:
        """The review as it is stored."""
        boxes = self.boxes
        return Opinion(
            grade=self.grade,
            ungradable=self.ungradable,
            comment=self.comment,
            confidence=self.confidence,
            changed_mind=self.changed_mind,
            boxes=None
            if boxes is None
            else tuple(ReviewedBox(box.kind, box.x0, box.y0, box.x1, box.y1) for box in boxes),
        )


class GivenCorrection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whose photograph it is, and which eye. What is left out stays; null: nothing is said.

    Attributes:
        patient: an identifier.
        eye: ``right`` or ``left``. With another eye the photograph is read again first.
    """

    patient: PatientName | msgspec.UnsetType | None = msgspec.UNSET
    eye: Literal["right", "left"] | msgspec.UnsetType | None = msgspec.UNSET

    def values(self) -> dict[str, str | None]:
        """The values that were given, by their names."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: value for name, value in given.items() if value is not msgspec.UNSET}


class GivenSearch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the worklist should show; what is left out, or null, filters nothing.

    Attributes:
        grade: of the software, 0 to 4.
        needs_reader: whether a person should look.
        ungradable: whether the software could not grade it.
        reviewed: whether a person reviewed it.
        status: ``waiting``, ``read`` or ``refused``; null: all but those that could not be read.
        patient: whose photographs.
        patient_part: a part of the patient's name, in small or capital letters.
        sort: the order; a minus sorts downwards.
        limit: the most items.
        offset: how many items to leave out at the beginning.
    """

    grade: Annotated[int, msgspec.Meta(ge=0, le=4)] | None = None
    needs_reader: bool | None = None
    ungradable: bool | None = None
    reviewed: bool | None = None
    status: Literal["waiting", "read", "refused"] | None = None
    patient: PatientName | None = None
    patient_part: PatientName | None = None
    sort: Order = Order.NEWEST
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_ITEMS)] = 50
    offset: Annotated[int, msgspec.Meta(ge=0, le=MOST_OFFSET)] = 0


class GivenToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token, to sign in with.

    Attributes:
        token: as ``fundoscope store add-token`` printed it.
    """

    token: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True)
class ReviewAnswer:
    """A stored review.

    Attributes:
        id: of the review.
        reader: who reviewed.
        saved: when, in UTC.
        draft: whether it is unfinished.
        grade: 0 to 4.
        ungradable: whether the reader finds the photograph not gradable.
        comment: free text.
        confidence: 1 (guessing) to 5 (sure).
        changed_mind: whether the software's opinion changed the reader's.
        boxes: all lesions; null if the reader did not go through them.
    """

    id: str
    reader: str
    saved: str
    draft: bool
    grade: int | None
    ungradable: bool
    comment: str
    confidence: int | None
    changed_mind: bool | None
    boxes: tuple[ReviewedBox, ...] | None


@dataclass(frozen=True, slots=True)
class ReadingAnswer:
    """An accepted photograph and what is known of it.

    Attributes:
        id: of the reading.
        status: ``waiting``, ``read``, or ``refused`` (it could not be read as a photograph).
        created: when the photograph was accepted, in UTC.
        finished: when it was read or refused.
        uploaded_by: who uploaded it.
        photograph: the SHA-256 of the file.
        size: of the file, in bytes.
        eye: as the caller gave it.
        patient: as the caller gave it.
        name: of the file, if the caller wanted it kept.
        same_as: the earliest reading of the same file; null if there is none.
        withheld: whether the reading is withheld until you have given a grade.
        reading: the Reading.
        refusal: why the photograph could not be read.
        review: the latest finished review.
        reviews: all finished reviews, the latest last.
        draft: your own unfinished review.
        first_grade: the grade that you gave before you saw the software's.
    """

    id: str
    status: str
    created: str
    finished: str | None
    uploaded_by: str
    photograph: str
    size: int
    eye: str | None
    patient: str | None
    name: str | None
    same_as: str | None
    withheld: bool
    reading: Reading | None
    refusal: Refused | None
    review: ReviewAnswer | None
    reviews: tuple[ReviewAnswer, ...]
    draft: ReviewAnswer | None
    first_grade: int | None


@dataclass(frozen=True, slots=True)
class SessionAnswer:
    """Who you are, and how the service runs.

    Attributes:
        person: the name of your token, or ``local`` where no token is needed.
        roles: what you may do: ``upload``, ``look``, ``review``, ``monitor``.
        token_needed: whether callers need a token.
        blind: whether the software's reading is withheld until you have given a grade.
        upload_bytes: the largest photograph file.
        places: photographs that the service takes at the same time.
        software: name and version.
    """

    person: str
    roles: tuple[str, ...]
    token_needed: bool
    blind: bool
    upload_bytes: int
    places: int
    software: str


@dataclass(frozen=True, slots=True)
class HealthAnswer:
    """Whether the service works.

    Attributes:
        status: ``ok``.
    """

    status: str


NO_REVIEWS: Final = Reviews((), None, False, None)
ANSWERS: Final = (
    ReadingAnswer, ReviewAnswer, Worklist, SessionAnswer, HealthAnswer, ProblemAnswer, GivenReview,
    GivenCorrection, GivenSearch, GivenToken,
)  # fmt: skip


def components() -> dict[str, Any]:
    """The schemas of all bodies by name, that of the Reading among them."""
    _, schemas = msgspec.json.schema_components(ANSWERS, ref_template=SCHEMAS + "{name}")
    return schemas


def examples(name: str) -> dict[str, Any]:
    """The reference to an example. FastAPI would leave out the nulls of one in its place."""
    return {name: {"$ref": f"#/components/examples/{name}"}}


def reference(body: type) -> dict[str, Any]:
    """The reference to a body's schema."""
    return {"$ref": f"{SCHEMAS}{body.__name__}"}


def json_body(body: type, *, example: str | None = None) -> dict[str, Any]:
    """What OpenAPI says of a request's JSON body: the argument ``openapi_extra`` of a route.

    Args:
        body: its type.
        example: its name in :data:`fundoscope.serve.examples.EXAMPLES`.
    """
    content: dict[str, Any] = {"schema": reference(body)}
    if example is not None:
        content["examples"] = examples(example)
    return {"requestBody": {"required": True, "content": {JSON: content}}}


def answered(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(
        msgspec.json.encode(body), status, None if headers is None else dict(headers), JSON
    )


def reading_answer(
    record: Record, reviews: Reviews = NO_REVIEWS, *, withheld: bool = False
) -> ReadingAnswer:
    """The answer about a record, as a caller may see it."""
    shown = record.reading is not None and not withheld
    final = tuple(map(review_answer, reviews.final)) if not withheld else ()
    return ReadingAnswer(
        id=record.id,
        status=record.status,
        created=record.created,
        finished=record.finished,
        uploaded_by=record.uploaded_by,
        photograph=record.photograph,
        size=record.size,
        eye=record.given.eye,
        patient=record.given.patient,
        name=record.given.name,
        same_as=record.same_as,
        withheld=withheld,
        reading=Reading.from_json(record.reading) if shown and record.reading else None,
        refusal=record.refusal,
        review=final[-1] if final else None,
        reviews=final,
        draft=None if reviews.draft is None else review_answer(reviews.draft),
        first_grade=reviews.first,
    )


def review_answer(review: Review) -> ReviewAnswer:
    """The answer about a review."""
    opinion = review.opinion
    return ReviewAnswer(
        id=review.id,
        reader=review.reader,
        saved=review.saved,
        draft=review.draft,
        grade=opinion.grade,
        ungradable=opinion.ungradable,
        comment=opinion.comment,
        confidence=opinion.confidence,
        changed_mind=opinion.changed_mind,
        boxes=opinion.boxes,
    )


def documented(
    status: int, body: type | None, words: str, *, example: str | None = None
) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of an answer.

    Args:
        status: of HTTP.
        body: of the answer; ``None`` if it has none.
        words: in which case it is given.
        example: of the body, by its name in :data:`fundoscope.serve.examples.EXAMPLES`.
    """
    if body is None:
        return {status: {"description": words}}
    content: dict[str, Any] = {"schema": reference(body)}
    if example is not None:
        content["examples"] = examples(example)
    return {status: {"description": words, "content": {JSON: content}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of problems that a route may answer with."""
    from fundoscope.serve.problems import MEDIA_TYPE

    return {
        status: {
            "description": PROBLEM_WORDS[status],
            "content": {MEDIA_TYPE: {"schema": reference(ProblemAnswer)}},
        }
        for status in sorted({*statuses, *EVERYWHERE})
    }


EVERYWHERE: Final[Sequence[int]] = (401, 403, 409, 421, 422, 500, 503)
PROBLEM_WORDS: Final = {
    400: "The upload is incomplete; nothing was stored.",
    401: "A token is needed, or it is not valid.",
    403: "The token lacks the role, the request comes from another site, the software's reading is"
    " withheld until you have given a grade, or somebody else uploaded the photograph.",
    404: "There is no such reading.",
    408: "The upload took too long.",
    409: "The photograph is not read yet, could not be read, or is reviewed already; somebody else"
    " corrected it at the same time; or the page (header Fundoscope-Person) shows somebody else.",
    413: "The body is too large.",
    415: "The body has another type.",
    421: "The host name is not allowed.",
    422: "A value is not valid, or the file cannot be read as a photograph.",
    500: "Internal error.",
    501: "An optional part of fundoscope is not installed.",
    503: "The service is busy, or something of it failed for now: try again; see Retry-After.",
    507: "The disk is full; nothing was stored.",
}
