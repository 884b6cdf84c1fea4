"""Where the command `lineal` begins: `serve` takes the short way, the rest goes through the CLI."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line of this process; returns its exit code."""
    # Before anything heavy: a client waits for `serve`, and click alone would double its start.
    if sys.argv[1:] in (["serve"], ["serve", "--read-only"]):
        from lineal.faces.mcp.front import run

        return run(read_only="--read-only" in sys.argv)
    if sys.argv[1:2] == ["hook"] and not {"-h", "--help"} & set(sys.argv):
        from lineal.capture.hook import main as hook

        return hook(sys.argv[2:])
    from lineal.faces.cli.main import main as cli

    return cli()


if __name__ == "__main__":
    sys.exit(main())
