"""A JSON file of a client: read strictly, written as it was formatted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from lineal.errors import LinealError
from lineal.faces.cli.whole_file import taken_out, unfit, within, write_whole

__all__ = ["JsonFile"]

_INDENT = re.compile(r"\A\s*\{\s*?\n([ \t]+)")
_ONE_LINE = re.compile(r"\A\{.*[^{\s].*\}\s*\Z")
_TIGHT = re.compile(r'\A\{"[^"\\]*":\S')
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class JsonFile:
    """One file that holds one object.

    root: where links may not lead out of. mode: of a new file, less the umask. Every verb raises
    LinealError `conflict`, naming the path, when the file isn't what we may safely change; then
    nothing has been written.
    """

    def __init__(self, path: Path, root: Path, mode: int = 0o666) -> None:
        self.path = path
        self._root = root
        self._mode = mode

    def document(self) -> dict[str, Any]:
        """The whole file; {} when it is missing or empty."""
        text = self._text()
        if not text.strip():
            return {}
        try:
            document = json.loads(
                text, object_pairs_hook=_without_repeats, parse_constant=_not_json
            )
        except (ValueError, RecursionError) as failure:
            raise self.unfit(
                f"is not plain JSON ({failure}); comments and trailing commas can't be kept"
            ) from failure
        if not isinstance(document, dict):
            raise self.unfit("is not a JSON object")
        return document

    def write(self, document: Mapping[str, Any]) -> None:
        """Whole or not at all; the indent, a line of its own or not, and the end stay."""
        content = _formatted(document, self._text()).encode()
        try:
            target = within(self.path, self._root)
            target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(target, content, self._mode)
        except OSError as failure:
            raise self.unfit(f"can't be written ({failure})") from failure

    def clear(self) -> None:
        """Take out the file, and the directory that it leaves empty; one that is linked to is
        only emptied."""
        if within(self.path, self._root) != self.path.parent.resolve() / self.path.name:
            self.write({})
            return
        try:
            taken_out(self.path, self._root)
        except OSError as failure:
            raise self.unfit(f"can't be removed ({failure})") from failure

    def unfit(self, why: str) -> LinealError:
        return unfit(self.path, why)

    def _text(self) -> str:
        try:
            return within(self.path, self._root).read_bytes().decode("utf-8-sig")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as failure:
            raise self.unfit(f"can't be read ({failure})") from failure


def _formatted(document: Mapping[str, Any], before: str) -> str:
    """The document as text, in the manner of the text that it replaces."""
    indent = _INDENT.match(before)
    one_line = _ONE_LINE.match(before) is not None
    text = json.dumps(
        document,
        indent=None if one_line else indent[1] if indent else 2,
        separators=(",", ":") if one_line and _TIGHT.match(before) else None,
        ensure_ascii=False,
    )
    # Half an emoji, cut off by a client, is valid JSON but can't be written as UTF-8.
    text = _LONE_SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)
    end = "" if before.strip() and not before.endswith("\n") else "\n"
    return (text + end).replace("\n", "\r\n" if "\r\n" in before else "\n")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A key given twice would lose one of its values on the way back."""
    document = dict(pairs)
    if len(document) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key '{repeated}' is there twice")
    return document


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")
