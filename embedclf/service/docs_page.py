"""The API documentation page: one HTML file that loads nothing, generated from the OpenAPI description."""

import json
from html import escape
from typing import Any

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem;
       color: #1a1a1a; background: #fff; }
h2 { margin: 2.5rem 0 .3rem; font-size: 1.15rem; } code, pre { font: .9rem/1.5 ui-monospace, monospace; }
pre { background: #f3f3f3; padding: .8rem; overflow-x: auto; } td { padding: .1rem 1rem .1rem 0; vertical-align: top; }
a { color: #0b57a4; }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #161616; } pre { background: #262626; }
  a { color: #8ab8f0; } }
"""


def page(description: dict[str, Any], root: str) -> str:
    """Return the HTML of the page.

    Parameters
    ----------
    description : dict
        The OpenAPI description.
    root : str
        The path at which the application is mounted; empty if it is not mounted.
    """
    schemas = description.get("components", {}).get("schemas", {})
    parts = []
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            needs_token = " Requires a token." if operation.get("security") else ""
            parts.append(f"<h2><code>{escape(method.upper())} {escape(root + path)}</code></h2>")
            parts.append(f"<p>{escape(operation.get('description', ''))}{needs_token}</p>")
            if "requestBody" in operation:
                parts.append(_schema_block("Request", operation["requestBody"], schemas))
            parts.append(_schema_block("Response", operation["responses"].get("200", {}), schemas))
            rows = "".join(
                f"<tr><td><code>{escape(status)}</code></td><td>{escape(answer['description'])}</td></tr>"
                for status, answer in operation["responses"].items()
                if status != "200"
            )
            parts.append(f"<table>{rows}</table>" if rows else "")
    title = f"{description['info']['title']} {description['info']['version']}"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body><h1>{escape(title)}</h1><p>{escape(description['info'].get('description', ''))} Machine-readable: "
        f'<a href="{escape(root)}/openapi.json">openapi.json</a>.</p>\n' + "\n".join(parts) + "\n</body></html>\n"
    )


def _schema_block(title: str, holder: dict[str, Any], schemas: dict[str, Any]) -> str:
    schema = holder.get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return ""
    return f"<p>{title}</p><pre>{escape(json.dumps(_resolved(schema, schemas), indent=2, ensure_ascii=False))}</pre>"


def _resolved(schema: Any, schemas: dict[str, Any]) -> Any:
    """Resolve the references in a schema, and drop titles, which only repeat the names."""
    if isinstance(schema, list):
        return [_resolved(part, schemas) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _resolved(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    return {name: _resolved(value, schemas) for name, value in schema.items() if name != "title"}
