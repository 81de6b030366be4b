"""Commands, their errors, and what several of them share: the cache folder and the locks."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, TypeVar

LAB = Path(__file__).resolve().parent
CACHE = LAB.parent / ".cache" / "lab"
RUN = Path("/run/postmaster-tls-lab")

Item = TypeVar("Item")


class LabError(Exception):
    """What went wrong and its cure, in one sentence for a person."""


def run(*argv: str, log: Path | None = None, cure: str = "") -> str:
    """The command's output; its last line of complaint becomes the error."""
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if log:
        log.write_text(done.stdout + done.stderr)
    if done.returncode:
        complaint = (
            done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
        ).splitlines()[-1]
        raise LabError(
            f"{' '.join(argv[:2])} failed: {complaint[:300]}" + (f"; {cure}" if cure else "")
        )
    return done.stdout


def succeeds(*argv: str) -> bool:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode == 0


def say(text: str) -> None:
    print(f"lab: {text}", file=sys.stderr, flush=True)


def at_once(
    work: Callable[[Item], None], items: Iterable[Item], workers: int = os.cpu_count() or 2
) -> None:
    """Do the work for all items, several at a time; raise the first error when all have ended."""
    with ThreadPoolExecutor(workers) as pool:
        for future in [pool.submit(work, item) for item in items]:
            future.result()


def cache() -> Path:
    """The lab's folder for keys and logs, which hides itself from git."""
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n")
    return CACHE


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One lab.py of this machine at a time: others wait here."""
    RUN.mkdir(exist_ok=True)
    with open(RUN / f"{name}.lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def digest(parts: Iterable[object]) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:12]
