"""Images: a base for each suite (mmdebstrap), a layer for each host (podman build).

An image is named by the digest of all that goes into it, so nothing is built
twice and no change goes unseen. What Debian publishes later is no part of the
digest: remove an image to have it made from today's packages.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hosts import HOSTS, PASSWORD, USER, Host
from shell import LAB, at_once, cache, digest, locked, run, say, succeeds

REPOSITORY = "localhost/postmaster-tls-lab"
BASE_PACKAGES = (
    "systemd,systemd-sysv,dbus,openssh-server,python3,python3-apt,"
    "iproute2,procps,ca-certificates,openssl"
)
# What a container does not need, or waits for in vain.
MASKED = (
    "getty.target console-getty.service apt-daily.timer apt-daily-upgrade.timer "
    "systemd-networkd-wait-online.service"
)
LISTS = '"$1"/var/lib/apt/lists/*'
CACHES = '"$1"/var/cache/apt/*.bin "$1"/var/cache/apt/archives/*.deb'
BASE_OPTIONS = (
    "--variant=minbase",
    f"--include={BASE_PACKAGES}",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=force-unsafe-io",
    "--skip=cleanup/apt",
    '--customize-hook=: >"$1/etc/machine-id"',
    # The keys of a suite's image would be the same on all its hosts.
    '--customize-hook=rm -f "$1"/etc/ssh/ssh_host_*',
    '--customize-hook=printf "UseDNS no\\nPrintMotd no\\n" >"$1/etc/ssh/sshd_config.d/lab.conf"',
    f'--customize-hook=chroot "$1" systemctl --quiet mask {MASKED}',
    # Emptied and dated back: Ansible's cache_valid_time takes an empty folder of today for fresh.
    f"--customize-hook=rm -rf {LISTS} {CACHES}",
    '--customize-hook=touch -d 2000-01-01 "$1/var/lib/apt/lists"',
)
SUITE_OPTIONS = {"sid": ('--aptopt=Acquire::Check-Valid-Until "false"',)}


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tree(*roots: Path) -> list[str]:
    """Name, mode and content of each file, sorted: a folder as a value."""
    files = sorted(path for root in roots for path in root.rglob("*") if path.is_file())
    return [f"{path.relative_to(LAB)} {path.stat().st_mode & 0o111} {_sum(path)}" for path in files]


def base_options(suite: str) -> tuple[str, ...]:
    return BASE_OPTIONS + SUITE_OPTIONS.get(suite, ())


def base_image(suite: str) -> str:
    return f"{REPOSITORY}/base-{suite}:{digest([suite, *base_options(suite)])}"


def image(host: Host) -> str:
    parts = [
        base_image(host.suite),
        host.packages,
        USER,
        PASSWORD,
        *tree(LAB / "images", LAB / "servers" / host.name),
    ]
    return f"{REPOSITORY}/{host.name}:{digest(parts)}"


def exists(tag: str) -> bool:
    return succeeds("podman", "image", "exists", tag)


def mirror() -> tuple[str, ...]:
    """LAB_MIRROR, else the one Debian mirror of this machine's apt; else mmdebstrap's default."""
    if os.environ.get("LAB_MIRROR"):
        return (os.environ["LAB_MIRROR"],)
    query = (
        "apt-get",
        "indextargets",
        "--format",
        "$(REPO_URI)",
        "Created-By: Packages",
        "Label: Debian",
    )
    found = set(run(*query).split()) if shutil.which("apt-get") else set()
    return tuple(found) if len(found) == 1 else ()


def build_base(suite: str) -> None:
    tag = base_image(suite)
    if exists(tag):
        return
    say(f"building the base of {suite}")
    log = cache() / f"build-base-{suite}.log"
    # A file, not a pipe: a failed mmdebstrap must not leave an image.
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        tar = f"{folder}/{suite}.tar"
        run(
            "mmdebstrap",
            *base_options(suite),
            suite,
            tar,
            *mirror(),
            log=log,
            cure=f"the whole log is in {log}",
        )
        run("podman", "import", "--quiet", tar, tag)


def build_host(host: Host) -> None:
    tag = image(host)
    if exists(tag):
        return
    say(f"building {host.name}")
    log = cache() / f"build-{host.name}.log"
    arguments = {
        "BASE": base_image(host.suite),
        "PACKAGES": host.packages,
        "LAB_USER": USER,
        "LAB_PASSWORD": PASSWORD,
        "HOST": host.name,
    }
    flags = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    command = (
        "podman",
        "build",
        "--pull=never",
        "--network=host",
        "--layers",
        "--tag",
        tag,
        *flags,
    )
    run(
        *command,
        f"--file={LAB}/images/Containerfile",
        str(LAB),
        log=log,
        cure=f"the whole log is in {log}",
    )


def build(hosts: Sequence[Host]) -> None:
    with locked("build"):
        missing = [host for host in hosts if not exists(image(host))]
        at_once(build_base, sorted({host.suite for host in missing}))
        at_once(build_host, missing)
        if missing:
            prune()


def prune() -> None:
    """Remove the images that this table of hosts no longer names; those in use stay."""
    named = {tag for host in HOSTS.values() for tag in (image(host), base_image(host.suite))}
    tags = run(
        "podman",
        "images",
        f"--filter=reference={REPOSITORY}/*",
        "--format={{.Repository}}:{{.Tag}}",
    ).split()
    for tag in sorted(set(tags) - named):
        succeeds("podman", "rmi", tag)
