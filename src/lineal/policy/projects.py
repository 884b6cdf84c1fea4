"""What a project is called: by its remote, else by its first commit, else by its directory.

Three kinds of name, which never meet: `host/path`, `commit:<hash>` and `dir:<absolute path>`.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import unicodedata
from typing import NamedTuple
from urllib.parse import quote, unquote

from lineal.models.project import PROJECT_NAME_MAX, Project
from lineal.policy.limits import is_plain

__all__ = [
    "Remotes",
    "commit_name",
    "directory_name",
    "project_of",
    "remote_name",
    "remotes_in",
]

DIGEST_CHARS = 32
"""Hexadecimal digits that a shortened name ends in: 128 bits, so no two meet by chance."""

USUAL_PORTS = frozenset({22, 80, 443, 9418})
"""Of ssh, http, https and git. A remote reached in another way is the same remote."""

SSH_OVER_HTTPS = {
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
}
"""Hosts that stand for another where port 22 is closed, as their operators document."""

_URL = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.IGNORECASE | re.DOTALL)
_HELPER = re.compile(r"[a-z0-9+.-]+::", re.IGNORECASE)
_DRIVE = re.compile(r"[a-z]:[\\/]|\\\\", re.IGNORECASE)
_SCP = re.compile(r"(?:[^/\[]*@)?(\[[^\]/]*\]|[^/:@\[\]]+):(.*)", re.DOTALL)
_HOST = re.compile(r"([a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])\.?(?::(\d{0,5}))?")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class Remotes(NamedTuple):
    """A repository's own remote and the one it was forked from, as URLs; () where there is none."""

    own: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()


NO_REMOTES = Remotes()


def project_of(directory: str, remotes: Remotes = NO_REMOTES, commit: str | None = None) -> Project:
    """The project of a repository, or of a plain directory.

    directory: absolute, what the project lies in (`directory_name`). commit: its first one, in
    hexadecimal. A project is called by the first of its own remote, commit and directory that
    there is. It is looked for under all of them, so that nothing is lost when it gets a remote,
    and under its upstream's name, where its memories lie when it became a fork later. Clones
    without any remote that begin with the same commit can't be told apart: they share a name.
    """
    names = [
        *map(remote_name, remotes.own),
        commit_name(commit) if commit else None,
        directory_name(directory),
        *map(remote_name, remotes.upstream),
    ]
    known = tuple(dict.fromkeys(name for name in names if name))
    return Project(name=known[0], aliases=known)


def remotes_in(listing: str) -> Remotes:
    """The remotes in what `git config -z --get-regexp '^remote\\..*\\.url$'` prints.

    A repository's own remote is `origin`, else the first that was written down.
    """
    urls: dict[str, tuple[str, ...]] = {}
    for entry in listing.split("\0"):
        key, _, url = entry.partition("\n")
        name = key.removeprefix("remote.").removesuffix(".url")
        if url:
            urls[name] = (*urls.get(name, ()), url)
    own = urls.get("origin") or next(iter(urls.values()), ())
    return Remotes(own, urls.get("upstream", ()))


def remote_name(url: str) -> str | None:
    """`host/path` of a remote's URL, or `dir:<path>` of one on this machine; None: it names nothing
    that another clone could share, or can't be read without guessing.

    However it is reached (ssh, scp-like, https, git), it has one name. User, password, query and
    usual port aren't kept. An `@` in the path may be the end of a password that wasn't encoded, so
    such a URL has no name. The name of `https://` before a whole `host/path` is that again.
    """
    url = url.strip()
    if found := _URL.fullmatch(url):
        return _of_url(found[1].lower(), found[2])
    if url.startswith("/") or _DRIVE.match(url):
        return _local(url)
    if _HELPER.match(url):
        return None
    found = _SCP.fullmatch(url)
    if found is None or "@" in found[2]:
        return None
    return _hosted(_unwrapped(found[1]), _without_query(found[2]))


def commit_name(commit: str) -> str | None:
    """`commit:<hash>`; None if it is neither a SHA-1 nor a SHA-256 in hexadecimal."""
    return f"commit:{commit}" if _COMMIT.fullmatch(commit) else None


def directory_name(path: str) -> str:
    """`dir:<path>` of an absolute path; that of `x/.git` is that of `x`. A bare repository, or a
    submodule's in its parent's `.git`, is called by itself: its neighbours are other projects.
    """
    if _DRIVE.match(path):
        path = path.replace("\\", "/")
    path = posixpath.normpath(path)
    return _fitted("dir:" + _shown(path.removesuffix("/.git").rstrip("/") or "/", "%"))


def _of_url(scheme: str, rest: str) -> str | None:
    if scheme == "file":
        return _of_file(rest)
    authority, slash, path = rest.partition("/")
    if "@" in path or "?" in authority or "#" in authority:
        return None
    return _hosted(authority, unquote(_without_query(path))) if slash else None


def _of_file(rest: str) -> str | None:
    """Of `/path`, `/C:/path` or `server/share` behind `file://`."""
    authority, _, path = rest.partition("/")
    host = authority.rpartition("@")[2].lower()
    path = unquote(path)
    if host in ("", "localhost"):
        return _local(path if _DRIVE.match(path) else f"/{path}")
    return _local(f"//{host}/{path}") if _HOST.fullmatch(host) and "@" not in path else None


def _local(path: str) -> str | None:
    """Of a remote on this machine; None if there may be a user and a password in it."""
    return None if "@" in path.partition(":")[2] else directory_name(path)


def _hosted(authority: str, path: str) -> str | None:
    host = _HOST.fullmatch(authority.rpartition("@")[2].lower())
    parts = _parts(path)
    if host is None or not parts or "@" in path:
        return None
    port = int(host[2] or 22)
    name = SSH_OVER_HTTPS.get(host[1], host[1]) + ("" if port in USUAL_PORTS else f":{port}")
    return _fitted("/".join([name, *(_shown(part, "%?#") for part in parts)]))


def _unwrapped(authority: str) -> str:
    """`[host:port]` of an scp-like remote; an IPv6 address keeps its brackets."""
    return authority[1:-1] if authority[:1] == "[" and authority.count(":") == 1 else authority


def _without_query(path: str) -> str:
    return re.split(r"[?#]", path, maxsplit=1)[0]


def _parts(path: str) -> list[str]:
    """The parts of a path that mean something; `.git` at its end doesn't."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    while parts and parts[-1].endswith(".git"):
        last = parts.pop().removesuffix(".git")
        parts.extend([last] if last not in ("", ".") else [])
    return parts


def _shown(text: str, marks: str) -> str:
    """Percent-encoded where a reader wouldn't see what is there, and where it is one of marks.

    Composed first: some file systems and keyboards write `é` as two characters.
    """
    return "".join(
        character
        if is_plain(character) and character not in marks
        else quote(character, safe="", errors="surrogatepass")
        for character in unicodedata.normalize("NFC", text)
    )


def _fitted(name: str) -> str:
    """At most PROJECT_NAME_MAX characters: what is longer ends in a digest of the whole."""
    if len(name) <= PROJECT_NAME_MAX:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:DIGEST_CHARS]
    return f"{name[: PROJECT_NAME_MAX - DIGEST_CHARS - 1]}~{digest}"
