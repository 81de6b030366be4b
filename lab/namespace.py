"""Where this machine shows cgroup v1 or a hybrid: a mount namespace in which podman sees cgroup v2.

systemd 258 and later starts only there. One namespace serves all calls, since
podman finds its mounts only where it made them; a file in /run holds it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from shell import LAB, RUN, LabError, locked, run

PIN = RUN / "mount-namespace"
CGROUP2 = "/sys/fs/cgroup/cgroup.controllers"
PODMAN_ALIVE = Path("/run/libpod/alive")


def enter_cgroup2() -> None:
    """Go on in the mount namespace PIN with cgroup v2, where this machine shows v1 or a hybrid."""
    os.environ["CONTAINERS_CONF"] = str(LAB / "containers.conf")
    if Path(CGROUP2).exists():
        return
    with locked("namespace"):
        if not os.path.ismount(PIN):
            make_namespace()
    os.execvp(
        "nsenter", ["nsenter", f"--mount={PIN}", sys.executable, str(LAB / "lab.py"), *sys.argv[1:]]
    )


def make_namespace() -> None:
    """A file holds the namespace; its folder must be a private mount (see unshare(1))."""
    if not os.path.ismount(PIN.parent):
        run("mount", "--bind", str(PIN.parent), str(PIN.parent))
        run("mount", "--make-private", str(PIN.parent))
    PIN.touch()
    watchers = [process for process in Path("/proc").glob("[0-9]*") if name_of(process) == "conmon"]
    lost = [process for process in watchers if (process / f"root{CGROUP2}").exists()]
    if lost:  # somebody unmounted the file, and hosts of the lab still run
        run("mount", "--bind", str(lost[0] / "ns/mnt"), str(PIN))
        return
    if not watchers:
        # Nothing of podman's runs. Its notes are of another namespace (/run was not emptied by a
        # boot, or all was killed and the namespace went), so let it begin as after a boot.
        PODMAN_ALIVE.unlink(missing_ok=True)
    problem = None
    for cpu in sorted(os.sched_getaffinity(0)):
        problem = unshared(cpu)
        if problem is None:
            return
    raise LabError(
        "cgroup v2 can't be mounted, so systemd would not start: "
        f"use a machine with cgroup v2 ({problem})"
    )


def unshared(cpu: int) -> LabError | None:
    """Make the namespace on one CPU, or say what was wrong.

    Linux 6.18 numbers namespaces CPU by CPU and holds none with a lower number than our own has
    (EINVAL); on the CPU that made ours, the next number is a higher one.
    """
    mount = ("mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {cpu})
        run("unshare", f"--mount={PIN}", "--propagation=slave", *mount)
    except LabError as error:
        subprocess.run(("umount", str(PIN)), check=False, stderr=subprocess.DEVNULL)
        return error
    finally:
        os.sched_setaffinity(0, allowed)
    return None


def name_of(process: Path) -> str:
    """The name of a process, or nothing if it has just ended."""
    try:
        return (process / "comm").read_text().rstrip("\n")
    except OSError:
        return ""
