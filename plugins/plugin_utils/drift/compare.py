# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drift: what is otherwise than was accepted, and where policy, disk and served disagree now.

Pure: two postures in, differences out. A difference has a fingerprint of host, side and subject,
and so is the same one for as long as it is open, whatever its value is meanwhile. What could not be
seen makes no difference and ends none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ..fingerprint import finding as fingerprint
from ..history.rows import DRIFT, Item
from .direction import Direction, direction
from .facts import DISK, POLICY, SERVED, Fact, Facts, Host, Key, blind, facts

BASELINE, ACROSS = "baseline", "across"
"""What a difference is to: the accepted baseline, or the other sides of today."""
_ORDER = tuple(Direction)


@dataclass(frozen=True)
class Difference:
    """Something that is otherwise.

    ``before`` and ``after`` are words (``before`` is what the baseline, or the other side, says);
    ``place`` a file and line, a file, a unit or a port. ``writer`` says who wrote the file, as far
    as the host tells, ``since`` when: ISO 8601, UTC; both ``None`` where it does not.
    """

    fingerprint: str
    host: str
    to: str
    side: str
    subject: str
    name: str
    before: str
    after: str
    direction: Direction
    place: str
    since: Optional[str] = None
    writer: Optional[str] = None

    @property
    def drifted(self) -> bool:
        """Whether it counts as drift. What is better than was accepted is told, and is none."""
        return self.direction is not Direction.STRONGER

    def item(self) -> Item:
        """As the history keeps it; the moments are the history's to fill in."""
        about = f"{self.subject}: {self.name}"
        written = f"; {self.writer}, {self.since}" if self.writer else ""
        words = f"{self.before} -> {self.after} ({self.place}{written})"
        grade = self.direction.value
        return Item(self.fingerprint, "", DRIFT, self.host, self.side, about, grade, words, "")


def differences(host: Host, baseline: Optional[Host]) -> tuple[Difference, ...]:
    """All differences of a host, what got weaker first.

    That a file has other bytes is told where nothing else tells what changed in it, and where this
    collection was not the one who wrote it.
    """
    now = facts(host)
    found = list(_across(host, now))
    if baseline is not None:
        found += _since_baseline(host, now, facts(baseline))
    told = {file["path"]: file for file in host.get("written") or ()}
    explained = {_file(each.place) for each in found if each.name != "content"}
    explained |= {path for path, file in told.items() if file["change"]}
    return tuple(
        sorted(
            (
                _with_writer(d, told)
                for d in found
                if d.name != "content" or d.subject not in explained
            ),
            key=lambda d: (_ORDER.index(d.direction), d.side, d.subject, d.name),
        )
    )


def may_recover(host: Host) -> Callable[[Item], bool]:
    """Whether an item of a host that is no longer found was looked for."""
    sides, subjects = blind(host)

    def looked(item: Item) -> bool:
        return item.what not in sides and item.subject.rsplit(": ", 1)[0] not in subjects

    return looked


# ---------------------------------------------------------------------------------------------
# To the baseline


def _since_baseline(host: Host, now: Facts, then: Facts) -> Iterator[Difference]:
    sides, subjects = blind(host)
    for key in sorted(now.keys() | then.keys()):
        new, old = now.get(key), then.get(key)
        if new is None and (key.side in sides or key.subject in subjects or _unseen(key, now)):
            continue
        if old is None and (key.name == "content" or _new_door(key, then)):
            continue  # told by the settings of that file, and by the port itself
        old = old or _around(key, then)
        new = new or _around(key, now)
        if (old and old.value) != (new and new.value):
            yield _difference(host["host"], key, old, new)


def _new_door(key: Key, then: Facts) -> bool:
    """Whether a fact is of a port that was not open: that it is open now is told once."""
    port = then.get(Key(SERVED, key.subject, "port"))
    return key.side == SERVED and key.name != "port" and (port is None or port.value != "open")


def _unseen(key: Key, now: Facts) -> bool:
    """Whether a fact may be missing only because it was not learned this time."""
    if key.side != SERVED:
        return key.name == "content" or " by " in key.name
    port = now.get(Key(SERVED, key.subject, "port"))
    return port is not None and port.value == "open"


def _around(key: Key, those: Facts) -> Optional[Fact]:
    """What was in force where a scope had no value of its own: that of the scope around it."""
    product, blank, scope = key.subject.partition(" ")
    if key.side != DISK or not blank or "=" not in scope:
        return None
    filters = scope.split(",")
    while filters:
        filters.pop()
        around = those.get(key._replace(subject=f"{product} {','.join(filters)}".strip()))
        if around is not None:
            return around
    return None


def _difference(host: str, key: Key, old: Optional[Fact], new: Optional[Fact]) -> Difference:
    at = new or old
    return Difference(
        fingerprint=fingerprint(host, f"DRIFT {key.side}", str(key)),
        host=host,
        to=BASELINE,
        side=key.side,
        subject=key.subject,
        name=key.name,
        before=old.shown if old else "not there",
        after=new.shown if new else "not there",
        direction=direction(key.name, old and old.value, new and new.value),
        place=at.place if at else "",
    )


# ---------------------------------------------------------------------------------------------
# Disk to served, today


def _across(host: Host, now: Facts) -> Iterator[Difference]:
    for server in host["servers"]:
        on_disk = {
            f["path"]: f["chain"][0]["sha256"]
            for f in server["files"]
            if f["chain"] and f["exists"]
        }
        ports = {listener["port"] for listener in server["listeners"]}
        for endpoint in host["endpoints"]:
            if endpoint["open"] and endpoint["port"] in ports:
                yield from _certificate(host, server, endpoint, on_disk, now)
                yield from _floor(host, server, endpoint, now)


def _certificate(
    host: Host, server: Host, endpoint: Host, on_disk: Mapping[str, str], now: Facts
) -> Iterator[Difference]:
    """A certificate that no file holds: the server was not told of a new one.

    Its place is the file that the configuration names for the port.
    """
    served = endpoint["chain"][0]["sha256"] if endpoint["chain"] else None
    if served is None or not on_disk or served in on_disk.values():
        return
    named = _in_force(now, server, endpoint, "certificate")
    path = named.value if named is not None and named.value in on_disk else min(on_disk)
    yield _disagreement(
        host["host"],
        Key(SERVED, endpoint["url"], "certificate and disk"),
        f"on disk {on_disk[path][:16]}",
        f"served {served[:16]}",
        path,
    )


def _floor(host: Host, server: Host, endpoint: Host, now: Facts) -> Iterator[Difference]:
    """A port that speaks what its configuration forbids: not reloaded, or overruled."""
    spoken = set(endpoint["versions"])
    floor = _in_force(now, server, endpoint, "protocol_min")
    if floor is None:
        return
    older = sorted(
        v for v in spoken if direction("protocol_min", floor.value, v) is Direction.WEAKER
    )
    if older:
        key = Key(SERVED, endpoint["url"], "versions and disk")
        words = f"served {' '.join(older)}"
        yield _disagreement(host["host"], key, floor.shown, words, floor.place)


def _in_force(now: Facts, server: Host, endpoint: Host, field: str) -> Optional[Fact]:
    """What the configuration says for a port: of its protocol (Courier: its service), or of all."""
    service = endpoint["service"]
    for scope in (f"protocol={service}", f"service={service}", ""):
        found = now.get(Key(DISK, f"{server['product']} {scope}".strip(), field))
        if found is not None:
            return found
    return None


def _disagreement(host: str, key: Key, disk: str, served: str, place: str) -> Difference:
    return Difference(
        fingerprint=fingerprint(host, f"DRIFT {key.side}", str(key)),
        host=host,
        to=ACROSS,
        side=key.side,
        subject=key.subject,
        name=key.name,
        before=disk,
        after=served,
        direction=Direction.WEAKER if key.name.startswith("versions") else Direction.NEUTRAL,
        place=place,
    )


# ---------------------------------------------------------------------------------------------
# Who wrote it


def _with_writer(difference: Difference, told: Mapping[str, Any]) -> Difference:
    file = told.get(_file(difference.place))
    if file is None or not file["exists"]:
        return difference
    values = {**vars(difference), "since": file["modified"], "writer": writer(file)}
    return Difference(**values)


def _file(place: str) -> str:
    """The file of a place; lines are numbers."""
    path, _colon, line = place.rpartition(":")
    return path if line.isdigit() else place


def writer(file: Mapping[str, Any]) -> str:
    """Who wrote a file, in words."""
    if file["change"]:
        return f"change {file['change']} of postmaster.tls by {file['by']}"
    owned = f"owner {file['owner']}"
    if file["package"] is None:
        return owned
    if file["shipped"]:
        return f"{owned}, as {file['package']} ships it"
    return f"{owned}, changed since {file['package']} shipped it"


def paths(host: Host) -> tuple[str, ...]:
    """The files that decide on a host: whose words are in force, and certificates."""
    found = set()
    for server in host["servers"]:
        found |= {setting["origin"]["file"] for setting in server["settings"]}
        found |= {row["origin"]["file"] for row in server["effective"] if row["origin"]}
        found |= {file["path"] for file in server["files"]}
    return tuple(sorted(path for path in found if path.startswith("/")))


__all__ = ["ACROSS", "BASELINE", "DISK", "POLICY", "SERVED", "Difference", "differences", "paths"]
