"""The published OpenAPI document keeps the schema names that its users know."""

import json
from typing import Any

import pytest

from api.openapi import PUBLISHED_NAMES
from runtime.settings import Settings
from web.app import create_app


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(Settings.model_construct(temporal_ui_url="")).openapi()


@pytest.mark.parametrize(("name", "published"), PUBLISHED_NAMES.items())
def test_a_renamed_class_keeps_its_published_name(document: dict[str, Any], name: str, published: str) -> None:
    assert document["components"]["schemas"][published]["title"] == published
    written = json.dumps(document)
    assert f'"#/components/schemas/{published}"' in written
    assert f'"{name}"' not in written
    assert f'schemas/{name}"' not in written


def test_every_reference_leads_to_a_schema(document: dict[str, Any]) -> None:
    def references(node: Any) -> set[str]:
        if isinstance(node, dict):
            own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
            return own.union(*(references(inner) for inner in node.values()))
        return set().union(*(references(inner) for inner in node)) if isinstance(node, list) else set()

    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references(document) - known == set()
