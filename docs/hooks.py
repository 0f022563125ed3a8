"""What the site needs beside MkDocs: links that leave docs/ lead to the repository."""

import re
from pathlib import Path
from typing import Any

REPOSITORY = "https://github.com/embedclf/embedclf"
DOCS = Path(__file__).parent


def on_config(config: Any) -> Any:
    """Leave pages out of the navigation that are not there."""
    config.nav = [entry for entry in config.nav if _there(entry)]
    return config


def _there(entry: Any) -> bool:
    (target,) = entry.values()
    return not isinstance(target, str) or (DOCS / target).exists()


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links to files outside docs/, which the site does not have, to the code host."""
    folder = (DOCS / page.file.src_uri).parent

    def rewritten(link: re.Match[str]) -> str:
        target, hash_, anchor = link[1].partition("#")
        path = (folder / target).resolve()
        if not target or (path.is_relative_to(DOCS) and path.exists()):
            return link[0]
        return f"]({REPOSITORY}/blob/main/{path.relative_to(DOCS.parent).as_posix()}{hash_}{anchor})"

    return re.sub(r"\]\((?![a-z]+:)([^)\s]*)\)", rewritten, markdown)
