"""Our notes among Zendesk's comments: how one is written, and how it is known again."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from connector.helpdesks.base import JSONObject
from mappings.written import instant

TEXTS = ("body", "plain_body", "html_body")


def comment_of(text: str) -> JSONObject:
    """A comment that agents alone see."""
    return {"body": text, "public": False}


def written_since(pages: Iterable[Sequence[JSONObject]], since: datetime) -> Iterator[JSONObject]:
    """The comments of pages that come newest first; those before `since` are not asked for."""
    for page in pages:
        yield from page
        written = [at for row in page if (at := instant(row.get("created_at"))) is not None]
        # an account that sorts otherwise than it was asked to is read to its end
        if written and written[0] >= written[-1] and written[-1] < since:
            return


def holds(comment: JSONObject, marker: str) -> bool:
    """Whether a comment is the one with the marker, in whatever form its text has come back."""
    return any(marker in text for name in TEXTS if isinstance(text := comment.get(name), str))
