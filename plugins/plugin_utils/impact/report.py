# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forecast for readers: lines with numbers alone, and a document with as much of people as
asked. Pure.

User names and client addresses are data about people. The lines of a run never hold any. The
document holds them as ``counts`` (not at all), ``hashed`` (the same person has the same word within
one document) or ``full``.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Optional

from ...module_utils.model.configured import Product
from ...module_utils.model.observed import Service
from .changes import Change, Kind
from .forecast import Exposed, Forecast, Loss, Outcome

SCHEMA_VERSION = 1


class Names(enum.Enum):
    """How much of people a document holds."""

    COUNTS = "counts"
    HASHED = "hashed"
    FULL = "full"


Show = Callable[[str], str]


def lines(forecast: Forecast) -> list[str]:
    """The forecast in sentences of numbers; no name and no address."""
    found = [_line(outcome, len(forecast.users)) for outcome in forecast.outcomes]
    if not forecast.outcomes:
        found.append("nothing that clients use goes away")
    elif forecast.users:
        lost = _of(len(forecast.locked_out), len(forecast.users))
        found.append(f"in all {lost} would be locked out{_perhaps(forecast)}")
    if forecast.exposed:
        found.append(
            f"{_users(len(forecast.exposed))} sent a password without TLS and should be asked to "
            "change it (RFC 8314 section 4.1)"
        )
    if forecast.folded:
        found.append(
            f"{forecast.folded} logins are beyond what is kept apart, and known by number only"
        )
    return [*found, *forecast.gaps]


def _perhaps(forecast: Forecast) -> str:
    more = len(forecast.possibly_locked_out)
    return f", and up to {more} more of whom the log does not tell" if more else ""


def _line(outcome: Outcome, users: int) -> str:
    lost = outcome.lost
    words = [f"{outcome.title}: {_of(len(_people(lost)), users)}"]
    if lost:
        last = _day(max(loss.last for loss in lost))
        words.append(f"{_logins(sum(loss.count for loss in lost))}, the last on {last}")
    waived = len(_people([x for x in outcome.losses if x.waived]))
    expired = len(_people([x for x in outcome.losses if x.expired]))
    words += [f"{_users(waived)} waived"] if waived else []
    words += [f"{_users(expired)} whose exception has ended"] if expired else []
    if outcome.possible:
        count = sum(loss.count for loss in outcome.possible)
        words.append(f"not known for {_logins(count)} of {_users(len(_people(outcome.possible)))}")
    return ", ".join(words)


def _people(losses: Sequence[Loss]) -> set[str]:
    return {loss.user for loss in losses if loss.user is not None}


def _of(some: int, all_: int) -> str:
    share = f" ({100 * some / all_:.1f} %)" if all_ else ""
    return f"{some} of {_users(all_)}{share}"


def _users(count: int) -> str:
    return f"{count} user{'' if count == 1 else 's'}"


def _logins(count: int) -> str:
    return f"{count} login{'' if count == 1 else 's'}"


def _day(moment: int) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).date().isoformat()


# ---------------------------------------------------------------------------------------------
# The document


def document(
    host: str, forecast: Forecast, changes: Sequence[Change], names: Names, key: bytes
) -> dict[str, Any]:
    """The forecast of one host as JSON data. ``key`` hashes, and is never in it."""
    show = _shown(names, key)
    return {
        "schema_version": SCHEMA_VERSION,
        "host": host,
        "made_at": _time(forecast.until),
        "since": _time(forecast.since),
        "logs_reach_back_to": _time(forecast.reaches) if forecast.reaches is not None else None,
        "report_users": names.value,
        "users": len(forecast.users),
        "locked_out": len(forecast.locked_out),
        "possibly_locked_out": len(forecast.possibly_locked_out),
        "waived": len(forecast.waived),
        "share": forecast.share,
        "exposed": len(forecast.exposed),
        "folded_logins": forecast.folded,
        "changes": [
            {**_change(c, o, show), "share": _share(o, forecast)}
            for c, o in zip(changes, forecast.outcomes)
        ],
        "exposed_users": [_exposed(e, show) for e in forecast.exposed] if show else None,
        "gaps": list(forecast.gaps),
        "problems": list(forecast.problems),
    }


def _shown(names: Names, key: bytes) -> Optional[Show]:
    if names is Names.COUNTS:
        return None
    if names is Names.FULL:
        return str

    def hashed(text: str) -> str:
        return hmac.new(key, text.encode("utf-8"), hashlib.sha256).hexdigest()[:16]

    return hashed


def _change(change: Change, outcome: Outcome, show: Optional[Show]) -> dict[str, Any]:
    return {
        "kind": outcome.kind,
        "product": change.product.value,
        "services": sorted(service.value for service in change.services),
        "floor": change.floor,
        "suites": sorted(change.suites) if change.suites is not None else None,
        "suites13": sorted(change.suites13) if change.suites13 is not None else None,
        "tls_mode": change.tls_mode,
        "title": outcome.title,
        "users": len(_people(outcome.lost)),
        "logins": sum(loss.count for loss in outcome.lost),
        "last": _time(max((loss.last for loss in outcome.lost), default=None)),
        "used": _used(outcome),
        "unknown_logins": sum(loss.count for loss in outcome.possible),
        "unknown_users": len(_people(outcome.possible)),
        "waived": _reasons(outcome, "waived"),
        "expired": _reasons(outcome, "expired"),
        "losses": [_loss(loss, show) for loss in outcome.losses] if show else None,
        "unknown": [_loss(loss, show) for loss in outcome.unknown] if show else None,
    }


def _share(outcome: Outcome, forecast: Forecast) -> Optional[float]:
    """Those who lose something by one change, as a share of all users."""
    return len(_people(outcome.lost)) / len(forecast.users) if forecast.users else None


def _used(outcome: Outcome) -> dict[str, int]:
    found: dict[str, int] = {}
    for loss in outcome.lost:
        found[loss.used] = found.get(loss.used, 0) + loss.count
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _reasons(outcome: Outcome, field: str) -> dict[str, int]:
    """Reason of an exception → how many users it answers for, or did."""
    reasons = sorted({getattr(x, field) for x in outcome.losses if getattr(x, field)})
    return {
        reason: len(_people([x for x in outcome.losses if getattr(x, field) == reason]))
        for reason in reasons
    }


def _loss(loss: Loss, show: Show) -> dict[str, Any]:
    return {
        "user": show(loss.user) if loss.user is not None else None,
        "service": loss.service,
        "used": loss.used,
        "logins": loss.count,
        "last": _time(loss.last),
        "clients": [
            {"address": show(c.address), "logins": c.count, "last": _time(c.last)}
            for c in loss.clients
        ],
        "more_clients": loss.more_clients,
        "waived": loss.waived,
        "expired": loss.expired,
    }


def _exposed(exposed: Exposed, show: Show) -> dict[str, Any]:
    return {"user": show(exposed.user), "logins": exposed.count, "last": _time(exposed.last)}


def _time(moment: Optional[int]) -> Optional[str]:
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="seconds")


def changes_of(document: Mapping[str, Any]) -> tuple[Change, ...]:
    """The changes that a document is about. Raises ValueError for what is none of ours."""
    try:
        return tuple(_read(entry) for entry in document["changes"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no forecast: {error!r}") from None


def _read(entry: Mapping[str, Any]) -> Change:
    suites, suites13 = (
        frozenset(int(code) for code in entry[name]) if entry[name] is not None else None
        for name in ("suites", "suites13")
    )
    return Change(
        Kind(entry["kind"]),
        Product(entry["product"]),
        frozenset(Service(name) for name in entry["services"]),
        entry["floor"],
        suites,
        suites13,
        entry["tls_mode"],
    )


def made_at(document: Mapping[str, Any]) -> int:
    """When the forecast was made, in seconds since 1970. Raises ValueError."""
    return int(datetime.fromisoformat(str(document.get("made_at"))).timestamp())


# ---------------------------------------------------------------------------------------------
# The guard


class LimitError(ValueError):
    """A limit that is neither a number, nor a share, nor ``any``."""


class Unknown(enum.Enum):
    """What logins are to the guard of which the log does not say what they used."""

    COUNT = "count"
    IGNORE = "ignore"


def exceeded(forecast: Forecast, limit: object, unknown: Unknown) -> Optional[str]:
    """Why hardening must not go on, or ``None``. ``limit``: a number, ``5%``, or ``any``.

    A forecast that nothing was known for is not below a limit, and neither is one that may be above
    it: who may be locked out counts as locked out, unless ``unknown`` is ignored. A login without a
    name may be another user's than every other. Raises :class:`LimitError`.
    """
    text = str(limit).strip()
    if text.lower() == "any":
        return None
    allowed, share = _limit(text)
    if not forecast.outcomes:
        return None
    so = f"mail_tls_max_locked_out is {text}"
    if forecast.reaches is None:
        return f"{so}, and no login line was found to tell who logs in"
    lost, users = len(forecast.locked_out), len(forecast.users)
    if _over(lost, users, allowed, share):
        return f"{_of(lost, users)} would be locked out, and {so}"
    if unknown is Unknown.IGNORE:
        return None
    may = len(forecast.possibly_locked_out) + forecast.unnamed
    if _over(lost + may, users + forecast.unnamed, allowed, share):
        return f"{_of(lost, users)} would be locked out and up to {may} more{_WHOSE}, and {so}"
    if forecast.problems:
        return f"{so}, and the log could not be read whole ({forecast.problems[0]})"
    return None


_WHOSE = ", of whom the log does not say what they used"


def _over(lost: int, users: int, allowed: float, share: bool) -> bool:
    return 100 * lost > allowed * users if share else lost > allowed


def _limit(text: str) -> tuple[float, bool]:
    share = text.endswith("%")
    try:
        number = float(text.rstrip("%").strip())
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise LimitError(
            f"mail_tls_max_locked_out is {text!r}; write a number, a share like 5%, or any"
        )
    return number, share


def where_named(names: Names, path: str) -> str:
    """Where the names are, for the message that may not hold them."""
    return {
        Names.COUNTS: "Set mail_tls_report_users to full to have the users named in a file",
        Names.HASHED: f"The users are in {path}, hashed",
        Names.FULL: f"The users are in {path}",
    }[names]
