"""Shapes of our own, stricter than the vendors' documents: JSON schemas under `shapes/`."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

_FOLDER = Path(__file__).parent / "shapes"


@cache
def _document(name: str) -> dict[str, Any]:
    text = (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def shape_names(document: str) -> set[str]:
    """The shapes that a document describes."""
    return set(_document(document)["$defs"])


def problems(document: str, shape: str, value: Any) -> Iterator[str]:
    """What is wrong with a value, held against one shape of a document."""
    whole = _document(document)
    schema = {**whole, **whole["$defs"][shape]}
    for error in Draft202012Validator(schema).iter_errors(value):
        yield f"{error.json_path}: {error.message[:200]}"
