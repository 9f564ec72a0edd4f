"""Files of somebody else's checkout: nothing outside its directory, nothing huge, no document that unfolds into more.

YAML is read by the core schema of YAML 1.2, as the tools of these repositories do: `on` is a word, and so is 2024-01-01.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

MAX_FILE = 1024 * 1024  # bytes
MAX_FILES = 50_000
MAX_NODES = 200_000
MAX_NESTED = 32
_SCRIPTED = re.compile(r"""
    "(?:[^"\\]|\\.)*+"? | '(?:[^'\\]|\\.)*+'?  # text; without an end it goes to the end, or many would take for ever
    | //[^\n]*+ | /\*(?:[^*]|\*(?!/))*+(?:\*/)?  # comments
    | (?<![\w$])0[xX][0-9a-fA-F]++
    | ,(?=\s*+[\]}])                             # a last comma
    | (?<![\w$])[A-Za-z_$][\w$]*+(?=\s*+:)       # a bare key
    """, re.DOTALL | re.VERBOSE)


class UnreadableFileError(Exception):
    """One sentence: which file, and why it is not read."""


class Checkout:
    """A directory from which only files that truly lie in it are read. Names are relative, with slashes."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def text(self, *parts: str) -> str:
        """A file's text; raises UnreadableFileError."""
        path = self._inside("/".join(parts))
        try:
            with path.open("rb") as stream:
                data = stream.read(MAX_FILE + 1)
        except OSError as error:
            raise UnreadableFileError(f"{self._named(path)}: {error.strerror}") from error
        if len(data) > MAX_FILE:
            raise UnreadableFileError(f"{self._named(path)}: has more than {MAX_FILE} bytes")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UnreadableFileError(f"{self._named(path)}: is no UTF-8") from error

    def yaml(self, *parts: str) -> Any:  # noqa: ANN401
        """A YAML document; raises UnreadableFileError."""
        return self._parsed(_yaml, parts)

    def toml(self, *parts: str) -> dict[str, Any]:
        """A TOML document; raises UnreadableFileError."""
        parsed: dict[str, Any] = self._parsed(tomllib.loads, parts)
        return parsed

    def json(self, *parts: str) -> Any:  # noqa: ANN401
        """JSON, or an object as JavaScript writes it: comments, bare keys, single quotes, hexadecimal numbers and last
        commas are taken too, since ChirpStack's own tool pastes these files into a script. Raises UnreadableFileError."""
        return self._parsed(_json, parts)

    def exists(self, *parts: str) -> bool:
        """Whether there is such a file inside."""
        try:
            self._inside("/".join(parts))
        except UnreadableFileError:
            return False
        return True

    def names(self, *parts: str, ending: str = "") -> Iterator[str]:
        """What a directory inside holds, in the order of the names; nothing where there is none."""
        directory = self.root.joinpath(*parts)
        found = []
        try:
            inside = directory.resolve().is_relative_to(self.root) and directory.is_dir()
            for number, path in enumerate(directory.iterdir() if inside else ()):
                if number >= MAX_FILES:
                    raise UnreadableFileError(f"{_shown('/'.join(parts))}: holds more than {MAX_FILES} files")
                if path.name.endswith(ending) and not path.name.startswith("."):
                    found.append(path.name)
        except (OSError, RuntimeError) as error:  # no right to look, or a link that leads to itself
            raise UnreadableFileError(f"{_shown('/'.join(parts))}: cannot be listed") from error
        yield from sorted(found)

    def _inside(self, name: str) -> Path:
        if "\0" in name or len(name) > 500:
            raise UnreadableFileError(f"{_shown(name)}: is no name of a file")
        try:
            path = (self.root / name).resolve()
        except (OSError, RuntimeError) as error:
            raise UnreadableFileError(f"{_shown(name)}: leads to itself") from error
        if not path.is_relative_to(self.root):
            raise UnreadableFileError(f"{_shown(name)}: lies outside of the directory")
        try:
            regular = path.is_file()
        except OSError:
            regular = False
        if not regular:
            raise UnreadableFileError(f"{_shown(name)}: there is no such file")
        return path

    def _named(self, path: Path) -> str:
        return _shown(path.relative_to(self.root).as_posix())

    def _parsed(self, parse: Any, parts: tuple[str, ...]) -> Any:  # noqa: ANN401
        text = self.text(*parts)
        try:
            return parse(text)
        except (ValueError, yaml.YAMLError, RecursionError) as error:
            raise UnreadableFileError(f"{_shown('/'.join(parts))}: {_first_line(error)}") from error


def _json(text: str) -> Any:  # noqa: ANN401
    try:
        read = json.loads(text)
    except ValueError:
        read = json.loads(_SCRIPTED.sub(_as_json, text))
    if _deeper(read, MAX_NESTED):
        raise ValueError("nests too deeply")
    return read


def _deeper(value: object, most: int) -> bool:
    level = [value]
    for _ in range(most + 1):
        level = [part for one in level if isinstance(one, dict | list)
                 for part in (one.values() if isinstance(one, dict) else one)]
    return bool(level)


def _as_json(match: re.Match[str]) -> str:
    found = match[0]
    if found.startswith('"'):
        return found
    if found.startswith("'"):
        return json.dumps(found[1:-1].replace("\\'", "'"), ensure_ascii=False)
    if found[0].isalpha() or found[0] in "_$":
        return f'"{found}"'
    return str(int(found, 16)) if found[:2] in ("0x", "0X") else " "


_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same in C, where PyYAML was built with it


class _Core(_SAFE):  # type: ignore[misc]
    """The core schema of YAML 1.2: no dates, no yes and no, no merge keys."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  PyYAML reads it so


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    sign, digits = (-1, text[1:]) if text[0] == "-" else (1, text.lstrip("+"))
    return sign * int(digits, {"0x": 16, "0o": 8}.get(digits[:2], 10))


_Core.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Core.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Core.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?[0-9]{1,400}$|0o[0-7]{1,100}$|0x[0-9a-fA-F]{1,100}$"),
                            list("-+0123456789"))
_Core.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?$|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"),
                            list("-+0123456789."))
_Core.add_constructor("tag:yaml.org,2002:int", _integer)


def _yaml(text: str) -> Any:  # noqa: ANN401
    """Two passes: the first sees to it that the second stays small. Aliases are refused, since few of them unfold into
    billions of values."""
    depth = 0
    for number, event in enumerate(yaml.parse(text, Loader=_SAFE)):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("uses aliases, which are not followed")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if number > MAX_NODES or depth > MAX_NESTED:
            raise ValueError("has too many values, or nests too deeply")
    return yaml.load(text, Loader=_Core)


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _shown(name: str) -> str:
    return "".join(c if c.isprintable() else "�" for c in name[:120])
