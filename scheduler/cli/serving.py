"""scheduler serve: the service over gRPC."""

from __future__ import annotations

import argparse
import os
import sys

from scheduler.cli.arguments import AddCommand, count, seconds


def add(command: AddCommand) -> None:
    """The command."""
    _add_serve(command("serve", _serve, "answer requests over gRPC until SIGTERM or Ctrl-C"))


def _add_serve(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    default = "(default: %(default)s)"
    add("--address", default="127.0.0.1:50051", help=f"host:port; port 0 takes a free one {default}")
    add("--workers", type=count, default=1, metavar="N", help=f"solves at a time {default}")
    add("--waiting", type=count, default=16, metavar="N", help=f"calls that may wait for a worker {default}")
    add("--max-message-mib", type=count, default=512, metavar="N", help=f"largest request, MiB {default}")
    add("--grace", type=seconds, default=30.0, metavar="S", help=f"for running calls after SIGTERM {default}")


def _serve(args: argparse.Namespace) -> int:
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    import asyncio
    import logging

    from scheduler.server.app import ServerSettings, serve

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    settings = ServerSettings(
        address=args.address,
        workers_count=args.workers,
        max_waiting_count=args.waiting,
        max_message_bytes=args.max_message_mib * 2**20,
        grace_seconds=args.grace,
    )

    def started(port: int) -> None:
        host, colon, asked = args.address.rpartition(":")
        print(f"serving on {host}{colon}{port if asked.isdigit() else asked}", file=sys.stderr, flush=True)

    return asyncio.run(serve(settings, started))
