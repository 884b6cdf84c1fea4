"""A client's file written whole or not at all, and never outside the place it belongs to."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from lineal.errors import LinealError

__all__ = ["taken_out", "unfit", "within", "write_whole"]


def unfit(path: Path, why: str) -> LinealError:
    """The error for a file that isn't what we may safely change."""
    return LinealError.conflict(
        f"{path} {why}. Nothing was written: mend the file, or run this with --print and "
        "put the entry in by hand.",
        path=str(path),
    )


def within(path: Path, root: Path) -> Path:
    """The file itself, links followed. Raises LinealError when they lead out of `root`.

    A dotfile kept in a repository is linked on purpose; a link in a checkout that leads to
    another place of the disk isn't ours to write through.
    """
    try:
        target = path.resolve()
    except (OSError, RuntimeError) as failure:
        raise unfit(path, f"can't be followed ({failure})") from failure
    if not target.is_relative_to(root.resolve()):
        raise unfit(path, f"leads out of {root}, to {target}")
    if target.exists() and not target.is_file():
        raise unfit(path, "is not a file")
    return target


def write_whole(target: Path, content: bytes, mode: int) -> None:
    """Put a new file beside it, then rename. mode: of a new file, less the umask; an old one's
    stays. Raises OSError."""
    new = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            new.chmod(stat.S_IMODE(target.stat().st_mode))
        new.replace(target)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def taken_out(path: Path, root: Path) -> None:
    """Remove a file, and what it leaves empty between it and `root`. Raises OSError."""
    path.unlink()
    for directory in path.parents:
        if directory == root or not directory.is_relative_to(root) or any(directory.iterdir()):
            return
        directory.rmdir()
