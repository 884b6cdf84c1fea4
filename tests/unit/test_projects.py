"""Which project a directory belongs to: worktrees share one, unrelated directories don't."""

from __future__ import annotations

import os
import re
import shutil
import string
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from lineal import app
from lineal.capture.project import identify
from lineal.models.project import PROJECT_NAME_MAX, Project
from lineal.policy.limits import is_plain
from lineal.policy.projects import (
    Remotes,
    commit_name,
    directory_name,
    project_of,
    remote_name,
    remotes_in,
)
from lineal.settings import Settings

ROOT = "1" * 40
"""A first commit."""

SECRET = "s3cr3tQ7"  # noqa: S105 - made up
"""A password; no other text here holds it."""


# Names of remotes


@pytest.mark.parametrize(
    "url",
    [
        *("https://github.com/ada/engine.git", "https://github.com/ada/engine/"),
        *("http://github.com:80/ada/engine", "https://github.com:443/ada/engine.git/"),
        *("git@github.com:ada/engine.git", "github.com:ada/engine", "git@GitHub.com:/ada/engine"),
        *("ssh://git@github.com/ada/engine.git", "SSH://git@github.com:22/ada/engine"),
        *("git://github.com:9418/ada/engine", "git+ssh://git@github.com/ada/./engine/.git"),
        *("ssh://git@ssh.github.com:443/ada/engine", "https://github.com./ada//engine"),
        *("https://ada:pass@github.com/ada/engine", "https://ada:p@ss@github.com/ada/engine.git"),
        *("https://github.com/ada/engine.git?token=abc", " https://github.com/ada/engine#readme\n"),
    ],
)
def test_a_remote_has_one_name_however_it_is_reached(url: str) -> None:
    assert remote_name(url) == "github.com/ada/engine"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://github.com/ada/engine", "https://github.com/bob/engine"),
        ("https://github.com/ada/engine", "https://gitlab.com/ada/engine"),
        ("https://github.com/ada/engine", "https://github.com/ada/Engine"),
        ("http://localhost:3000/ada/engine", "http://localhost:4000/ada/engine"),
        ("ssh://host/srv/a.git", "/srv/a.git"),
        ("/srv/a.git", "/srv/a"),
        ("https://host/a%3Fb", "https://host/a?b"),
        ("https://host/" + "a" * 5_000, "https://host/" + "a" * 5_001),
    ],
)
def test_different_remotes_have_different_names(one: str, other: str) -> None:
    assert None not in (remote_name(one), remote_name(other))
    assert remote_name(one) != remote_name(other)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            " ",
            ".",
            "..",
            "engine",
            "../engine",
            "./a:b",
            "~/engine",
            "https://",
            "https://host",
        ),
        *("https://host/", "https://host/.git", "git@host:", "ext::sh -c true", "https:///a"),
        *("https://host:99999999/a", "https://ho st/a", "https://h\u200bost/a", "hg::https://h/a"),
        *("https://ada:pa/ss@host/a", "https://host/a@b", "ada:pa/ss@host:a", "https:ada:pass@h/a"),
        *("//ada:pass@host/a", "/ada:pass@host/a", "\\\\ada:pass@host\\a", "file://a:1/b@host/c"),
    ],
)
def test_what_could_be_anybodys_or_hold_a_password_names_nothing(url: str) -> None:
    assert remote_name(url) is None


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("/srv/git/engine.git", "dir:/srv/git/engine.git"),
        ("/home/ada/engine/.git/", "dir:/home/ada/engine"),
        ("file:///home/ada/my%20engine", "dir:/home/ada/my%20engine"),
        ("file://localhost/home/ada/engine", "dir:/home/ada/engine"),
        ("file://ada:pass@nas/engine", "dir://nas/engine"),
        ("C:\\Users\\ada\\engine", "dir:C:/Users/ada/engine"),
        ("file:///C:/Users/ada/engine", "dir:C:/Users/ada/engine"),
        ("[::1]:ada/engine", "[::1]/ada/engine"),
        ("git@[host:2222]:ada/engine", "host:2222/ada/engine"),
        ("host:~ada/engine", "host/~ada/engine"),
        ("host:größe und\u202emehr", "host/größe%20und%E2%80%AEmehr"),
    ],
)
def test_unusual_remotes_have_names_too(url: str, name: str) -> None:
    assert remote_name(url) == name


HOSTS = st.from_regex(
    r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,8}[a-zA-Z0-9])?(\.[a-z]{2,5}){0,2}", fullmatch=True
)
PARTS = st.text(string.ascii_letters + string.digits + "._~-+ü", min_size=1, max_size=12).filter(
    lambda part: part.strip(".") and not part.endswith(".git")
)
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


@given(
    st.one_of(
        st.text(), st.builds("{}{}".format, st.sampled_from(["ssh://", "h:", "/"]), st.text())
    )
)
@example("https://host/a%41%2541\u0301.git.git")
@example("host:a%3Fb\u034f\u0301")
@example("https://host/%ff%fe")
def test_a_name_is_short_and_visible_and_names_itself(url: str) -> None:
    name = remote_name(url)
    assume(name is not None)
    assert name is not None
    assert is_plain(name)
    assert len(name) <= PROJECT_NAME_MAX
    if len(name) < PROJECT_NAME_MAX and not re.match("dir:(//|[A-Za-z]:$)", name):
        assert remote_name(as_url(name)) == name


def as_url(name: str) -> str:
    """A URL whose name it is."""
    if not name.startswith("dir:"):
        return f"https://{name}"
    return "file:///" + name.removeprefix("dir:").removeprefix("/")


@given(HOSTS, PATHS, st.sampled_from(["", ".git", "/", ".git/"]))
def test_the_scp_form_and_the_url_form_agree(host: str, path: str, end: str) -> None:
    named = {
        remote_name(f"{start}{path}{end}")
        for start in (f"git@{host}.de:", f"{host}.de:/", f"ssh://git@{host}.de/")
    }
    assert named == {remote_name(f"https://{host}.de/{path}")} != {None}


@given(
    st.sampled_from(["https://", "ssh://", "file://", "//", "https:/", "https:", "", "x-y+z://"]),
    st.text(string.ascii_letters + string.digits + "-_.", max_size=8),
    st.sampled_from(["", "a", "?", "#", "/", "//", "@", ":", "[", "]", "\\", "%2F", "%40", "\n"]),
    st.sampled_from(["", "a", "?", "#", "/", "//", "@", ":", "[", "]", "\\", "%2F", "%40", "\n"]),
    st.sampled_from(["host/ada/engine", "host:22/engine.git", "host:ada/engine", "[::1]/a"]),
)
def test_no_password_survives(scheme: str, user: str, before: str, after: str, rest: str) -> None:
    name = remote_name(f"{scheme}{user}:{before}{SECRET}{after}@{rest}")
    assert SECRET.lower() not in (name or "").lower()


@given(st.text(min_size=1).filter(lambda text: "\0" not in text))
def test_every_directory_has_a_visible_name(path: str) -> None:
    name = directory_name("/" + path)
    assert is_plain(name)
    assert len(name) <= PROJECT_NAME_MAX


def test_a_long_name_ends_in_a_digest_of_the_whole() -> None:
    one, other = (directory_name("/" + "a" * 5_000 + end) for end in "bc")
    assert len(one) == len(other) == PROJECT_NAME_MAX
    assert one[:-32] == other[:-32]
    assert one != other


def test_only_a_commits_hash_is_a_commits_name() -> None:
    assert commit_name(ROOT) == f"commit:{ROOT}"
    assert commit_name("1" * 64) == "commit:" + "1" * 64
    assert [commit_name(text) for text in ("", "1" * 39, "G" * 40, ROOT + "\n", "HEAD")] == [
        None
    ] * 5


def test_a_repositorys_own_remote_is_origin_or_the_first() -> None:
    mine = "remote.mine.url\nhttps://h/me/x\0"
    theirs = "remote.upstream.url\nhttps://h/up/x\0"
    origin = "remote.origin.url\nhttps://h/o/x\0remote.origin.url\nhttps://mirror/o/x\0"
    assert remotes_in(mine + theirs + origin).own == ("https://h/o/x", "https://mirror/o/x")
    assert remotes_in(mine + theirs) == (("https://h/me/x",), ("https://h/up/x",))
    assert remotes_in("remote.a.b.url\nhttps://h/x\0").own == ("https://h/x",)
    assert remotes_in("") == remotes_in("remote.origin.url\0") == Remotes()


def test_a_project_never_goes_by_its_upstreams_name() -> None:
    """Even where its own remote has none."""
    project = project_of("/x", Remotes(("../relative",), ("https://h/up/x",)), ROOT)
    assert project.name == f"commit:{ROOT}"
    assert project.aliases == (f"commit:{ROOT}", "dir:/x", "h/up/x")


# Real repositories

pytestmark = pytest.mark.anyio

GIT = shutil.which("git")

if GIT is None and "git" in os.environ.get("LINEAL_REQUIRE", ""):
    raise RuntimeError("LINEAL_REQUIRE names git, and git isn't installed.")

needs_git = pytest.mark.skipif(GIT is None, reason="git isn't installed")

URL = "https://ada:pass@git.example/ada/engine.git"
NAME = "git.example/ada/engine"


@pytest.fixture
def tmp_path(tmp_path: Path) -> Path:
    """Without links in it, as a project's directory is named."""
    return tmp_path.resolve()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "home").mkdir()
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home")}


@pytest.fixture
def git(environment: dict[str, str]) -> Callable[..., str]:
    """git(directory, *arguments): what it printed."""
    who = (
        "-c",
        "user.name=Ada",
        "-c",
        "user.email=ada@example",
        "-c",
        "protocol.file.allow=always",
    )

    def run(directory: Path, *arguments: str) -> str:
        command = [
            str(GIT),
            "-C",
            str(directory),
            *who,
            "-c",
            "init.defaultBranch=main",
            *arguments,
        ]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    return run


@pytest.fixture
def made(tmp_path: Path, git: Callable[..., str]) -> Callable[..., Path]:
    """made(name): a repository with one commit that is no other's. remote: its origin."""

    def make(name: str, remote: str | None = None) -> Path:
        path = tmp_path / name
        path.mkdir(parents=True)
        git(path, "init", "-q")
        git(path, "commit", "-q", "--allow-empty", "-m", f"The beginning of {name}")
        if remote:
            git(path, "remote", "add", "origin", remote)
        return path

    return make


Git = Callable[..., str]
Made = Callable[..., Path]
Environment = dict[str, str]


def first_commit(git: Git, path: Path) -> str:
    return "commit:" + git(path, "rev-list", "--max-parents=0", "HEAD")


async def project(path: Path, environment: Environment) -> Project:
    found = await identify(path, environment)
    assert found is not None
    assert found.name == found.aliases[0]
    assert len(set(found.aliases)) == len(found.aliases)
    return found


@needs_git
@pytest.mark.parametrize("remote", [URL, None])
async def test_worktrees_share_a_project(
    remote: str | None, made: Made, git: Git, environment: Environment, tmp_path: Path
) -> None:
    """And so do their directories, and one whose branch begins with another commit."""
    main = made("main", remote)
    (main / "src" / "deep").mkdir(parents=True)
    git(main, "worktree", "add", "-q", "-b", "one", str(tmp_path / "one"))
    git(main, "worktree", "add", "-q", "-b", "two", str(main / "inner" / "two"))
    git(tmp_path / "one", "checkout", "-q", "--orphan", "pages")
    git(tmp_path / "one", "commit", "-q", "--allow-empty", "-m", "Another beginning")
    expected = await project(main, environment)
    assert expected.name == (NAME if remote else first_commit(git, main))
    for place in (main / "src" / "deep", tmp_path / "one", main / "inner" / "two", main / ".git"):
        assert await project(place, environment) == expected


@needs_git
async def test_worktrees_of_a_bare_repository_share_a_project_and_its_neighbours_dont(
    made: Made, git: Git, environment: Environment, tmp_path: Path
) -> None:
    source = made("source")
    for name in ("a.git", "b.git"):
        git(tmp_path, "clone", "-q", "--bare", str(source), name)
        git(tmp_path / name, "remote", "remove", "origin")
    git(tmp_path / "a.git", "worktree", "add", "-q", "-b", "x", str(tmp_path / "x"))
    a, b = [await project(tmp_path / name, environment) for name in ("a.git", "b.git")]
    assert await project(tmp_path / "x", environment) == a
    assert a.aliases[1:] == (f"dir:{tmp_path}/a.git",)
    assert b.aliases[1:] == (f"dir:{tmp_path}/b.git",)


@needs_git
async def test_unrelated_repositories_share_no_name(made: Made, environment: Environment) -> None:
    one, other = [await project(made(name), environment) for name in ("one", "other")]
    assert not set(one.aliases) & set(other.aliases)


@needs_git
async def test_a_submodule_is_a_project_of_its_own(
    made: Made, git: Git, environment: Environment
) -> None:
    part, whole = made("part"), made("whole", URL)
    git(whole, "submodule", "--quiet", "add", str(part), "lib")
    inner, outer = await project(whole / "lib", environment), await project(whole, environment)
    assert outer.name == NAME
    assert inner.name == directory_name(str(part))
    assert inner.aliases[-1] == directory_name(str(whole / ".git" / "modules" / "lib"))
    assert not set(inner.aliases) & set(outer.aliases)


@needs_git
async def test_a_fork_writes_under_its_own_name(
    made: Made, git: Git, environment: Environment
) -> None:
    """It meets the other under the common first commit only, where neither writes."""
    original = made("original", URL)
    git(original.parent, "clone", "-q", str(original), "fork")
    fork = original.parent / "fork"
    git(fork, "remote", "set-url", "origin", "git@git.example:bob/engine.git")
    theirs, ours = await project(original, environment), await project(fork, environment)
    assert (theirs.name, ours.name) == (NAME, "git.example/bob/engine")
    assert set(theirs.aliases) & set(ours.aliases) == {first_commit(git, original)}


@needs_git
async def test_what_becomes_a_fork_later_still_finds_its_memories(
    made: Made, git: Git, environment: Environment
) -> None:
    clone = made("clone", URL)
    before = await project(clone, environment)
    git(clone, "remote", "rename", "origin", "upstream")
    git(clone, "remote", "add", "origin", "git@git.example:bob/engine.git")
    after = await project(clone, environment)
    assert after.name == "git.example/bob/engine"
    assert before.name in after.aliases


@needs_git
async def test_each_step_of_a_projects_life_finds_what_was_written_before(
    git: Git, environment: Environment, tmp_path: Path
) -> None:
    """A plain directory, a repository, a first commit, a remote, and another protocol."""
    path = tmp_path / "engine"
    path.mkdir()
    names = [(await project(path, environment)).name]
    for step in (
        ("init", "-q"),
        ("commit", "-q", "--allow-empty", "-m", "The beginning"),
        ("remote", "add", "origin", URL),
        ("remote", "set-url", "origin", "ssh://git@git.example/ada/engine"),
    ):
        git(path, *step)
        found = await project(path, environment)
        assert set(names) <= set(found.aliases)
        names.append(found.name)
    beginning = f"dir:{path}"
    assert names == [beginning, beginning, first_commit(git, path), NAME, NAME]


@needs_git
async def test_a_repository_without_a_remote_keeps_its_name_when_it_moves(
    made: Made, git: Git, environment: Environment, tmp_path: Path
) -> None:
    before = await project(made("before"), environment)
    (tmp_path / "before").rename(tmp_path / "after")
    assert (await project(tmp_path / "after", environment)).name == before.name


@needs_git
async def test_merging_another_history_changes_no_name(
    made: Made, git: Git, environment: Environment
) -> None:
    library, main = made("library"), made("main")
    before = await project(main, environment)
    git(main, "fetch", "-q", str(library))
    git(main, "merge", "-q", "--allow-unrelated-histories", "-m", "Take it in", "FETCH_HEAD")
    assert await project(main, environment) == before


@needs_git
async def test_a_shallow_clone_doesnt_know_its_first_commit(
    made: Made, git: Git, environment: Environment
) -> None:
    source = made("source")
    git(source, "commit", "-q", "--allow-empty", "-m", "Second")
    git(source.parent, "clone", "-q", "--depth=1", f"file://{source}", "shallow")
    shallow = await project(source.parent / "shallow", environment)
    assert shallow.aliases == (
        directory_name(str(source)),
        directory_name(str(source.parent / "shallow")),
    )


@needs_git
async def test_a_clone_of_a_directory_is_the_same_project(
    made: Made, git: Git, environment: Environment
) -> None:
    """What either writes, the other finds."""
    source = made("source")
    git(source.parent, "clone", "-q", str(source), "clone")
    one, other = [await project(source.parent / n, environment) for n in ("source", "clone")]
    assert one.name in other.aliases
    assert other.name in one.aliases


@needs_git
async def test_no_password_of_a_remote_is_kept(made: Made, environment: Environment) -> None:
    found = await project(made("main", f"https://ada:{SECRET}@git.example/ada/engine"), environment)
    assert found.name == NAME
    assert SECRET not in found.model_dump_json()


@needs_git
async def test_a_remote_in_a_persons_settings_is_nobodys(
    made: Made, environment: Environment
) -> None:
    settings = Path(environment["HOME"]) / ".gitconfig"
    settings.write_text(f'[remote "origin"]\n\turl = {URL}\n')
    assert NAME not in (await project(made("main"), environment)).aliases


@needs_git
async def test_a_hooks_variables_lead_to_no_other_repository(
    made: Made, environment: Environment
) -> None:
    other, main = made("other", URL), made("main")
    hook = {**environment, "GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other)}
    assert await project(main, hook) == await project(main, environment)


@needs_git
async def test_a_way_through_a_link_leads_to_the_same_project(
    made: Made, environment: Environment, tmp_path: Path
) -> None:
    main = made("main")
    (tmp_path / "link").symlink_to(main, target_is_directory=True)
    assert await project(tmp_path / "link", environment) == await project(main, environment)


@needs_git
@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
@pytest.mark.parametrize(
    "name",
    ["größe und 猫", "a\nb", "-x", "a%20b", "'\"$(true)", "\u202eabc", "/".join(["x" * 200] * 15)],
)
async def test_any_directory_may_be_a_project(
    name: str, made: Made, git: Git, environment: Environment
) -> None:
    path = made(name)
    found = await project(path, environment)
    assert found.aliases == (first_commit(git, path), directory_name(str(path)))
    assert all(is_plain(alias) and len(alias) <= PROJECT_NAME_MAX for alias in found.aliases)


@needs_git
@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
async def test_a_directory_whose_name_is_no_text_may_be_a_project(
    made: Made, git: Git, environment: Environment
) -> None:
    path = made(os.fsdecode(b"a\xff"))
    found = await project(path, environment)
    assert found.name == first_commit(git, path)
    assert is_plain(found.aliases[1])


# Where there is no repository, or git is of no help


async def test_a_plain_directory_is_a_project(environment: Environment, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    name = f"dir:{tmp_path}/notes"
    assert await identify(tmp_path / "notes", environment) == Project(name=name, aliases=(name,))


async def test_home_temporary_directories_and_the_root_are_no_projects(
    environment: Environment, tmp_path: Path
) -> None:
    (tmp_path / "temporary").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "home", target_is_directory=True)
    surroundings = {**environment, "TMPDIR": str(tmp_path / "temporary"), "TEMP": "", "TMP": "."}
    for path in ("home", "link", "temporary", "/", "/tmp"):  # noqa: S108 - only looked at
        assert await identify(tmp_path / path, surroundings) is None


async def test_what_is_no_directory_is_no_project(environment: Environment, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in ("missing", "file", "file/in", "loop", "a\0b", "x" * 5_000, "x/" * 5_000):
        assert await identify(tmp_path / path, environment) is None


@needs_git
async def test_a_repository_of_the_home_directory_isnt_that_of_what_lies_in_it(
    git: Git, environment: Environment
) -> None:
    home = Path(environment["HOME"])
    git(home, "init", "-q")
    git(home, "remote", "add", "origin", URL)
    (home / "notes").mkdir()
    assert await identify(home, environment) is None
    assert (await project(home / "notes", environment)).aliases == (f"dir:{home}/notes",)


@needs_git
@pytest.mark.parametrize(
    "text", ["gitdir: /nowhere/.git/worktrees/x", "gitdir: ", "", "\0", "x" * 9_999]
)
async def test_a_pointer_to_nowhere_leads_to_no_other_repository(
    text: str, made: Made, environment: Environment
) -> None:
    inner = made("outer", URL) / "inner"
    inner.mkdir()
    (inner / ".git").write_text(text)
    assert (await project(inner, environment)).aliases == (f"dir:{inner}",)


@needs_git
async def test_an_empty_git_directory_is_none(made: Made, environment: Environment) -> None:
    """As git sees it: the repository around it counts."""
    main = made("main", URL)
    (main / "inner" / ".git").mkdir(parents=True)
    assert await project(main / "inner", environment) == await project(main, environment)


@needs_git
async def test_a_broken_repository_has_nothing_of_the_one_around_it(
    made: Made, environment: Environment
) -> None:
    inner = made("outer", URL) / "inner"
    (inner / ".git" / "objects").mkdir(parents=True)
    (inner / ".git" / "HEAD").write_text("nonsense")
    assert (await project(inner, environment)).aliases == (f"dir:{inner}",)


@needs_git
@pytest.mark.parametrize("path", ["", ".", "relative"])
async def test_worktrees_share_a_project_without_git(
    path: str, made: Made, git: Git, environment: Environment, tmp_path: Path
) -> None:
    """A git found relative to the working directory is none: it may be the repository's."""
    main = made("main", URL)
    git(main, "worktree", "add", "-q", str(tmp_path / "one"))
    without = {**environment, "PATH": path}
    for place in (main, tmp_path / "one"):
        assert (await project(place, without)).aliases == (f"dir:{main}",)


@needs_git
@pytest.mark.skipif(sys.platform == "win32", reason="a script there is no program")
async def test_a_git_that_takes_too_long_is_not_waited_for(
    made: Made, environment: Environment, tmp_path: Path
) -> None:
    main = made("main", URL)
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec /bin/sleep 600\n")
    slow.chmod(0o700)
    found = await identify(main, {**environment, "PATH": str(slow.parent)}, timeout_s=0.05)
    assert found is not None
    assert found.aliases == (f"dir:{main}",)


@needs_git
@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"
)
async def test_another_users_repository_is_named_by_its_place(
    made: Made, environment: Environment
) -> None:
    """git refuses it, since its settings may be a trap; nothing of them is read."""
    main = made("main", URL)
    (main / "src").mkdir()
    for path in (main, main / ".git"):
        os.chown(path, 12_345, 12_345)
    assert (await project(main / "src", environment)).aliases == (f"dir:{main}",)


@needs_git
async def test_a_server_that_stands_in_a_repository_is_in_a_project_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P1: without a commit, or with a remote on this machine, it is still a repository."""
    settings = Settings(home=tmp_path / "data")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("empty", "plain"):
        (tmp_path / "work" / name).mkdir(parents=True)
    await anyio.run_process(["git", "init", "--quiet", str(tmp_path / "work/empty")])
    monkeypatch.chdir(tmp_path / "work/empty")
    found = await app.project_of(settings)
    assert found is not None
    assert found.name.startswith("dir:")
    monkeypatch.chdir(tmp_path / "work/plain")
    assert await app.project_of(settings) is None
    told = settings.model_copy(update={"project_dir": tmp_path / "work/plain"})
    assert await app.project_of(told) is not None


@pytest.mark.parametrize("name", ["*", " x", "a\tb", "  "])
def test_a_configured_name_is_one_that_can_be_asked_for(name: str) -> None:
    with pytest.raises(ValidationError):
        Settings(project=name)
