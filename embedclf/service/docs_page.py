"""The service's page: a text to try, the model, how to call the API. One HTML file that contacts no other server.

It holds nothing about the model. Its script asks ``/model`` for that, with the token that the reader enters.
"""

import json
from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files
from typing import Any

from embedclf.service.inline_pages import content_security_policy

_SCRIPT, _STYLE = ((files("embedclf.service") / name).read_text("utf-8") for name in ("page.js", "page.css"))

CONTENT_SECURITY_POLICY = content_security_policy(_SCRIPT, _STYLE)

# Without a script, the reader has to replace it.
_ADDRESS = "http://127.0.0.1:8000"
_EXAMPLE = "I was charged twice this month"
_CURL = """curl {url} \\
    -H "Content-Type: application/json" \\{token}
    -d '{{"text": "{text}", "top_k": 3}}'
"""
_CURL_HEADER = """
    -H "Authorization: Bearer $EMBEDCLF_TOKEN" \\"""
_PYTHON = """import json
{os}import urllib.request

headers = {{
    "Content-Type": "application/json",{token}
}}
body = json.dumps({{"text": "{text}", "top_k": 3}}).encode()
request = urllib.request.Request("{url}", body, headers)
with urllib.request.urlopen(request) as response:
    (prediction,) = json.load(response)["predictions"]
print(prediction["label"], prediction["confidence"])
"""
_PYTHON_HEADER = """
    "Authorization": "Bearer " + os.environ["EMBEDCLF_TOKEN"],"""
_JAVASCRIPT = """const response = await fetch("{url}", {{
  method: "POST",
  headers: {{
    "Content-Type": "application/json",{token}
  }},
  body: JSON.stringify({{ text: "{text}", top_k: 3 }}),
}});
const [prediction] = (await response.json()).predictions;
console.log(prediction.label, prediction.confidence);
"""
_JAVASCRIPT_HEADER = """
    "Authorization": `Bearer ${process.env.EMBEDCLF_TOKEN}`,"""

_TRY = """<form id="token" hidden><label for="given">Token</label>
<input id="given" type="password" autocomplete="off" spellcheck="false" required aria-describedby="memory">
<p id="memory" class="note">Kept in the memory of this page only; gone when you close it or load it again.</p>
<button type="submit">Use token</button></form>
<form id="try" hidden><label for="text">Text</label>
<textarea id="text" dir="auto" aria-describedby="keys" placeholder="{text}"></textarea>
<button type="submit">Classify</button> <span id="keys" class="note">or Ctrl+Enter</span></form>
<p id="fault" role="alert"></p>
<div id="verdict" role="status"></div>
<div id="details"></div>
<noscript><p>To try a text here, allow JavaScript.</p></noscript>
"""
_MODEL = """<div id="card"><noscript><p>Without JavaScript, <code>GET /model</code> describes it.</p></noscript></div>
"""


def page(description: dict[str, Any], root: str, *, needs_token: bool) -> str:
    """Return the HTML of the page.

    Parameters
    ----------
    description : dict
        The OpenAPI description.
    root : str
        The path at which the application is mounted; empty if it is not mounted.
    needs_token : bool
        Whether the page has to ask for a token.
    """
    schemas = description.get("components", {}).get("schemas", {})
    title = f"{description['info']['title']} {description['info']['version']}"
    required = "required" if needs_token else "none"
    openapi = f'<a href="{escape(root)}/openapi.json">openapi.json</a>'
    return (
        f'<!DOCTYPE html>\n<html lang="en" data-token="{required}"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title>\n"
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body><header><h1>{escape(title)}</h1>"
        f'<p class="note">{escape(description["info"].get("description", ""))}</p></header>\n<main>\n'
        + _section("Try a text", _TRY.format(text=escape(_EXAMPLE)))
        + _section("Model", _MODEL)
        + _section("Use it", _snippets(f"{_ADDRESS}{root}/predict", needs_token=needs_token))
        + _section("Request and response", _fields(schemas))
        + _section("Paths", _paths(description["paths"], root, schemas))
        + f"</main>\n<footer>Machine-readable: {openapi}</footer>\n<script>{_SCRIPT}</script></body></html>\n"
    )


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{title}</h2>\n{content}</section>\n"


def _snippets(url: str, *, needs_token: bool) -> str:
    snippets = (
        ("curl", _CURL, _CURL_HEADER, ""),
        ("Python", _PYTHON, _PYTHON_HEADER, "import os\n"),
        ("JavaScript", _JAVASCRIPT, _JAVASCRIPT_HEADER, ""),
    )
    parts = []
    for name, snippet, token, imports in snippets:
        code = snippet.format(
            url=url, text=_EXAMPLE, token=token if needs_token else "", os=imports if needs_token else ""
        )
        identity = f"in-{name.lower()}"
        parts.append(
            f'<div class="snippet"><h3>{name}</h3><button type="button" data-of="{identity}" hidden '
            f'aria-label="Copy the {name} snippet">Copy</button></div>\n'
            f'<pre tabindex="0" role="region" aria-label="{name} snippet"><code id="{identity}" '
            f'data-address="{escape(url)}">{escape(code)}</code></pre>\n'
        )
    return "".join(parts)


def _fields(schemas: Mapping[str, Any]) -> str:
    """Return tables of the fields of requests and responses, from their schemas."""
    texts, text = schemas["Texts"]["properties"], schemas["OneText"]["properties"]
    request = {"text": text["text"], "texts": texts["texts"]} | text
    meaning = {"text": "one text; either this or texts", "texts": "a list of texts; either this or text"}
    explain = " (only with text)"
    asked = [
        (field, _type(schema), meaning.get(field, schema.get("description", "")) + explain * (field == "explain"))
        for field, schema in request.items()
    ]
    answered = [
        (field, _type(schema), schema.get("description", ""))
        for field, schema in schemas["Prediction"]["properties"].items()
    ]
    return (
        f"<p>POST JSON to <code>predict</code>.</p>\n"
        f"<h3>Request</h3>\n{_table(('Field', 'Type', 'Meaning'), asked)}"
        f"<h3>Response</h3>\n<p>An object with one field, <code>predictions</code>: a list of one object per text, in "
        f"order.</p>\n{_table(('Field', 'Type', 'Meaning'), answered)}"
    )


def _type(schema: Mapping[str, Any]) -> str:
    """Return the type that a schema describes, in a few words."""
    if "anyOf" in schema:
        return " or ".join(_type(part) for part in schema["anyOf"])
    if "$ref" in schema:
        return "object"
    if schema["type"] != "array":
        most = f", at most {schema['maxLength']:,} characters" if "maxLength" in schema else ""
        return f"{schema['type']}{most}"
    most = f"at most {schema['maxItems']:,} " if "maxItems" in schema else ""
    return f"array of {most}{_type(schema['items']).partition(',')[0]}s"


def _table(header: Iterable[str], rows: Iterable[tuple[str, str, str]]) -> str:
    heads = "".join(f'<th scope="col">{name}</th>' for name in header)
    body = "".join(
        f"<tr><td><code>{escape(field)}</code></td><td>{escape(kind)}</td><td>{escape(meaning)}</td></tr>\n"
        for field, kind, meaning in rows
    )
    return f'<table class="fields"><thead><tr>{heads}</tr></thead>\n<tbody>{body}</tbody></table>\n'


def _paths(paths: Mapping[str, Any], root: str, schemas: Mapping[str, Any]) -> str:
    parts = []
    for path, methods in paths.items():
        for method, operation in methods.items():
            needs_token = " Requires a token." if operation.get("security") else ""
            parts.append(f"<h3><code>{escape(method.upper())} {escape(root + path)}</code></h3>")
            parts.append(f"<p>{escape(operation.get('description', ''))}{needs_token}</p>")
            shown = ""
            if "requestBody" in operation:
                shown += _schema_block("Request", operation["requestBody"], schemas)
            shown += _schema_block("Response", operation["responses"].get("200", {}), schemas)
            rows = "".join(
                f"<tr><td><code>{escape(status)}</code></td><td>{escape(answer['description'])}</td></tr>"
                for status, answer in operation["responses"].items()
                if status != "200"
            )
            shown += f"<p>Other statuses</p><table>{rows}</table>" if rows else ""
            parts.append(f"<details><summary>Schemas and statuses</summary>{shown}</details>" if shown else "")
    return "\n".join(parts) + "\n"


def _schema_block(title: str, holder: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    schema = holder.get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return ""
    return (
        f'<p>{title}</p><pre tabindex="0" role="region" aria-label="{title} schema">'
        f"{escape(json.dumps(_resolved(schema, schemas), indent=2, ensure_ascii=False))}</pre>"
    )


def _resolved(schema: Any, schemas: Mapping[str, Any]) -> Any:
    """Resolve the references in a schema, and drop titles, which only repeat the names."""
    if isinstance(schema, list):
        return [_resolved(part, schemas) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _resolved(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    return {name: _resolved(value, schemas) for name, value in schema.items() if name != "title"}
