#!/usr/bin/env python3
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reading login logs costs, as a ratio to `zcat FILE | wc -l` on the same file.

    benchmarks/login_log.py [--megabytes N] [--logins SHARE] [--runs N]

The log is generated: Dovecot's login lines in the given share among Postfix's and others, packed
with gzip. Each round runs both one after the other; the figures are medians, with the peak of the
reader's memory. The aim is five times or less.
"""

from __future__ import annotations

import argparse
import gzip
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

SENT = (
    "postfix/smtp[{pid}]: 4X{pid}: to=<someone{octet}@example.org>, relay=mx.example.org:25, "
    "delay=1.3, delays=0.1/0/0.8/0.4, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4Y{pid})"
)
LEFT = (
    "dovecot: imap(user{octet}@example.org)<{pid}><c4v79AVhjLwKyw8B>: Disconnected: Logged out "
    "in=12 out=489 deleted=0 expunged=0 trashed=0 hdr_count=0 hdr_bytes=0 body_count=0"
)
OTHER = (
    "postfix/smtpd[{pid}]: connect from mail-{pid}.example.net[198.51.100.{octet}]",
    "postfix/qmgr[{pid}]: 4X{pid}: from=<user{octet}@example.net>, size=48713, nrcpt=1 (queue)",
    SENT,
    LEFT,
)
LOGIN = (
    "dovecot: {service}-login: Login: user=<user{user}@example.org>, method=PLAIN, "
    "rip=192.0.{octet}.{low}, lip=198.51.100.1, mpid={pid}, {tls}session=<{session}>"
)
TLS = (
    "TLS, TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits), ",
    "TLS, TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits), ",
    "TLS, ",
    "",
)


def lines(size: int, share: float) -> Iterator[str]:
    """Lines of about ``size`` bytes in all, ``share`` of them logins of 5000 users."""
    rng = random.Random(4)  # noqa: S311  a log, not a secret
    moment, written = datetime(2026, 11, 1), 0
    while written < size:
        moment += timedelta(seconds=rng.random() * 2)
        user = int(rng.paretovariate(0.7)) % 5000
        values = {
            "pid": rng.randrange(1000, 99999),
            "octet": user % 254,
            "low": (user * 7 + rng.randrange(3)) % 254,
            "user": user,
            "service": rng.choice(("imap", "imap", "pop3")),
            "tls": rng.choices(TLS, (60, 30, 5, 5))[0],
            "session": f"{rng.getrandbits(96):024x}",
        }
        text = LOGIN if rng.random() < share else rng.choice(OTHER)
        line = f"{moment:%b %d %H:%M:%S} mail {text.format(**values)}\n"
        written += len(line)
        yield line


def read(path: str) -> tuple[int, ...]:
    """The log as the reader counts it: how often each kind of login stands in it."""
    sys.path.insert(0, str(ROOT / "collections"))
    from ansible_collections.postmaster.tls.plugins.module_utils import streams
    from ansible_collections.postmaster.tls.plugins.module_utils.login_log import dovecot
    from ansible_collections.postmaster.tls.plugins.module_utils.login_log.stamp import Clock
    from ansible_collections.postmaster.tls.plugins.module_utils.login_log.tally import (
        Span,
        Tally,
        whole_lines,
    )

    tally = Tally(dovecot.PRODUCT, dovecot.Dovecot(), dovecot.MARKS)
    clock = Clock(datetime(2027, 1, 1), lambda moment: int(time.mktime(moment.timetuple())))
    for block in whole_lines(streams.file_pieces(path)):
        tally.count(block, clock, Span(0, 2**40))
    return tuple(row.count for row in tally.usage())


def zcat(path: str) -> None:
    """`zcat FILE | wc -l`."""
    with subprocess.Popen(["zcat", path], stdout=subprocess.PIPE) as unpacked:
        subprocess.run(["wc", "-l"], stdin=unpacked.stdout, check=True, capture_output=True)


def seconds(what: Callable[[str], object], argument: str) -> float:
    """Wall time of a call."""
    began = time.monotonic()
    what(argument)
    return time.monotonic() - began


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Ratio of the reader to zcat | wc -l.")
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--logins", type=float, default=0.3)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/mail.log.1.gz"
        with gzip.open(path, "wt", compresslevel=6) as packed:
            packed.writelines(lines(arguments.megabytes * 1_000_000, arguments.logins))
        rounds = [(seconds(zcat, path), seconds(read, path)) for _ in range(arguments.runs)]
        counts = read(path)
    base = statistics.median(first for first, _second in rounds)
    ours = statistics.median(second for _first, second in rounds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{'zcat | wc -l':14}{base:7.2f} s{arguments.megabytes / base:8.0f} MB/s")
    print(f"{'reader':14}{ours:7.2f} s{arguments.megabytes / ours:8.0f} MB/s")
    print(f"ratio {ours / base:.2f}, {sum(counts)} logins in {len(counts)} rows")
    print(f"peak memory {peak} MB (with the generator)")


if __name__ == "__main__":
    main()
