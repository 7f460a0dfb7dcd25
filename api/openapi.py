"""The published OpenAPI document."""

from __future__ import annotations

import json
from typing import Any, Final

from fastapi import FastAPI

PUBLISHED_NAMES: Final = {"AssigneeCapacity": "AskedAs"}
"""Schema names of the contract, by the name that the class has now. Generated clients depend on them."""


def keep_published_names(app: FastAPI) -> None:
    """Publish the document of `app` under the schema names that its users know."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = with_published_names(generate())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI's documentation gives


def with_published_names(document: dict[str, Any]) -> dict[str, Any]:
    """`document` with every renamed schema, and every reference to it, under its published name."""
    written = json.dumps(document)
    for name, published in PUBLISHED_NAMES.items():
        written = written.replace(f'"#/components/schemas/{name}"', f'"#/components/schemas/{published}"')
    renamed: dict[str, Any] = json.loads(written)
    schemas = renamed["components"]["schemas"]
    for name, published in PUBLISHED_NAMES.items():
        if name in schemas:
            schemas[published] = {**schemas.pop(name), "title": published}
    return renamed
