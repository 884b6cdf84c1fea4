"""Which project a directory belongs to, as its files and git tell.

The files say where the repository lies: worktrees share one common directory. git says what its
remote and first commit are. Where git is missing, refuses (a repository of another user) or takes
too long, the place alone names the project.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import anyio.to_thread

from lineal.models.project import Project
from lineal.policy.projects import Remotes, project_of, remotes_in

__all__ = ["identify"]

GIT_TIMEOUT_S = 3.0
"""For each of two questions. A few milliseconds are usual; the first commit took 1.4 s in a main
line of 300,000 commits without a commit-graph file."""

POINTER_BYTES_MAX = 8_192
"""Of a file that holds one path."""

HANDED_ON = ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "PATH", "SYSTEMROOT")
"""What git gets of the environment: where its settings lie, and what programs need to start. Not
GIT_DIR, which is another repository's when an agent runs in a git hook."""

GIT_SETTINGS = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM": "1",
}
"""It writes nothing, asks nobody, fetches nothing, and sees the history as it was made."""

UNOWNED = ("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP")
"""Variables that name directories which are nobody's project."""

TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - only compared with


class Found(NamedTuple):
    """A repository. top: the directory in which it was found. common: its common git directory."""

    top: Path
    common: Path


class Git(NamedTuple):
    """How to ask git about a repository: the program, from where, and with which environment."""

    program: str
    directory: Path
    environment: Mapping[str, str]
    timeout_s: float


async def identify(
    directory: Path, environment: Mapping[str, str], timeout_s: float = GIT_TIMEOUT_S
) -> Project | None:
    """The project of a directory; None for what is no directory, can't be looked into, or is the
    home directory, a temporary directory or the file system's root themselves.

    environment: the process's own. timeout_s: for each of two calls of git. Never raises for what
    it finds; reads only, and nothing over the network.
    """
    return await anyio.to_thread.run_sync(
        _identified, directory, environment, timeout_s, abandon_on_cancel=True
    )


def _identified(
    directory: Path, environment: Mapping[str, str], timeout_s: float
) -> Project | None:
    try:
        if not directory.is_dir():
            return None
        place = directory.resolve()
        unowned = _unowned(environment, place)
        found = _repository(place, unowned)
    except OSError:
        return None
    if place in unowned:
        return None
    if found is None:
        return project_of(str(place))
    named = _named(found, place, environment, timeout_s)
    return named.model_copy(update={"repository": True})


def _named(found: Found, place: Path, environment: Mapping[str, str], timeout_s: float) -> Project:
    git = _git(found, place, environment, timeout_s)
    if git is None:
        return project_of(str(found.common))
    return project_of(str(found.common), _remotes(git), _first_commit(git, found.common))


def _unowned(environment: Mapping[str, str], place: Path) -> frozenset[Path]:
    """Real paths. A repository that lies in one of them isn't that of what lies beneath: who keeps
    a home directory under git has other projects in it."""
    told = [environment.get(name, "") for name in UNOWNED]
    paths = [Path(path) for path in (*told, *TEMPORARY) if path]
    real = [Path(os.path.realpath(path)) for path in paths if path.is_absolute()]
    return frozenset([Path(place.anchor), *real])


def _repository(place: Path, unowned: frozenset[Path]) -> Found | None:
    """The nearest repository, upward from a real path as git looks for it."""
    for top in (place, *place.parents):
        if top in unowned:
            return None
        common = _common_directory(top)
        if common is not None:
            return Found(top, common)
    return None


def _common_directory(top: Path) -> Path | None:
    """Of a working tree's top, or of a git directory itself; None: it is neither.

    A `.git` that points nowhere, or can't be looked into, stands for itself: what is around it is
    another repository.
    """
    entry = top / ".git"
    try:
        if entry.is_file():
            return _shared(_pointed_at(entry)) or entry
        return _shared(entry) or _shared(top)
    except OSError:
        return entry


def _shared(git: Path) -> Path | None:
    """The common directory of a git directory, which is its own unless it is a worktree's."""
    if not (git / "HEAD").is_file():
        return None
    pointer = git / "commondir"
    common = git / _read(pointer) if pointer.is_file() else git
    return common.resolve() if (common / "objects").is_dir() else None


def _pointed_at(entry: Path) -> Path:
    """Where a `.git` file says that the git directory is."""
    return entry.parent / _read(entry).removeprefix("gitdir:").lstrip(" ")


def _read(pointer: Path) -> str:
    with pointer.open("rb") as file:
        return os.fsdecode(file.read(POINTER_BYTES_MAX)).rstrip("\r\n")


def _git(found: Found, place: Path, environment: Mapping[str, str], timeout_s: float) -> Git | None:
    """None: it isn't installed. It must lie at an absolute path: one that is found relative to the
    working directory may be part of the very repository."""
    program = shutil.which("git", path=environment.get("PATH", ""))
    if program is None or not Path(program).is_absolute():
        return None
    handed = {name: environment[name] for name in HANDED_ON if name in environment}
    # The repository that was found or none: git must not go on to one around it.
    ceiling = {"GIT_CEILING_DIRECTORIES": str(found.top.parent)}
    return Git(program, place, {**handed, **GIT_SETTINGS, **ceiling}, timeout_s)


def _remotes(git: Git) -> Remotes:
    """The repository's own settings only: a remote in a person's is every repository's."""
    listing = _asked(git, "config", "--local", "-z", "--get-regexp", r"^remote\..*\.url$")
    return remotes_in(listing or "")


def _first_commit(git: Git, common: Path) -> str | None:
    """Where the main line of the main working tree begins: the same in every worktree, and one,
    whatever was merged in. None: there is no commit, or where a shallow clone ends isn't where the
    history begins."""
    if (common / "shallow").exists():
        return None
    walk = ("rev-list", "--first-parent", "--max-parents=0", "--max-count=1")
    answer = _asked(git, *walk, "main-worktree/HEAD", "--")
    return answer.strip() if answer else None


def _asked(git: Git, *arguments: str) -> str | None:
    """What git printed; None: it failed, refused, or took too long."""
    try:
        done = subprocess.run(  # noqa: S603 - git itself, no shell
            [git.program, "-C", str(git.directory), *arguments],
            env=git.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=git.timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return os.fsdecode(done.stdout) if done.returncode == 0 else None
