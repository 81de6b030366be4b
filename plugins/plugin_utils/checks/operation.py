# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the server one to rely on, and was it seen at all? Checks of versions and of listeners.

A version number proves little: distributions repair without raising it. So the table below holds
only advisories that bear on TLS or on what is done before a login, and the verdict says so.

Sources: CVE-2021-38084 (Courier, STLS command injection; fixed in courier-imap 5.1.4); Dovecot NEWS
of 2.4.3 (CVE-2025-59028 and CVE-2026-27857, denial of service before login).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...module_utils.config.vocabulary import parse_version
from ...module_utils.model.configured import Listener, Product, ServerConfig
from ...module_utils.model.observed import EndpointObservation, Service, TlsMode
from ...module_utils.model.posture import Severity, Status
from .base import (
    CheckFunction,
    Subject,
    Verdict,
    about,
    at_stage,
    failed,
    failure_text,
    not_applicable,
    not_checked,
    on_servers,
    passed,
    unseen,
)


@dataclass(frozen=True)
class Advisory:
    """A known flaw: versions from ``since`` up to, not including, ``fixed``.

    ``services``: those it needs to be configured, ``()`` = any.
    """

    product: Product
    since: tuple[int, ...]
    fixed: tuple[int, ...]
    flaw: str
    severity: Severity
    services: tuple[Service, ...] = ()


ADVISORIES: tuple[Advisory, ...] = (
    Advisory(
        Product.COURIER,
        (0,),
        (5, 1, 4),
        "commands injected with STLS are answered inside TLS (CVE-2021-38084)",
        Severity.HIGH,
        (Service.POP3,),
    ),
    Advisory(
        Product.DOVECOT,
        (2, 4),
        (2, 4, 3),
        "login processes can be stopped before login (CVE-2025-59028, CVE-2026-27857)",
        Severity.LOW,
    ),
    Advisory(
        Product.DOVECOT,
        (0,),
        (2, 4),
        "the 2.3 branch gets no new releases from its makers",
        Severity.INFO,
    ),
)


def maintained(server: ServerConfig, _subject: Subject) -> Iterator[Verdict]:
    """OPS-01: no flaw is known of the server's version."""
    version = parse_version(server.version or "")
    if not version:
        yield unseen("the server's version")
        return
    known = [a for a in ADVISORIES if _concerns(a, server, version)]
    name = f"{server.product.value} {server.version}"
    if not known:
        yield passed(f"{name}: no flaw known to this release of the collection")
    for advisory in known[:1]:  # the table is ordered: the gravest first
        fixed = ".".join(str(number) for number in advisory.fixed)
        others = tuple(other.flaw for other in known[1:])
        yield failed(
            f"{name}: {advisory.flaw}",
            f"{fixed} or newer, or a package that the distribution has repaired",
            advisory.severity,
            others,
            f"Upgrade to {fixed} or newer; no setting cures it.",
        )


def _concerns(advisory: Advisory, server: ServerConfig, version: tuple[int, ...]) -> bool:
    if server.product is not advisory.product or not advisory.since <= version < advisory.fixed:
        return False
    served = {listener.service for listener in server.listeners}
    return not advisory.services or not served or bool(served & set(advisory.services))


# ---------------------------------------------------------------------------------------------
# Listeners


def reachable(server: ServerConfig, subject: Subject) -> Iterator[Verdict]:
    """OPS-02: each configured port answers, so that it can be proven."""
    if not server.listeners:
        yield not_checked("no listener is configured or was observed")
        return
    if server.units and all(u.enabled is False and u.active is False for u in server.units):
        yield not_applicable("the server is switched off")
        return
    done = set()
    for listener in server.listeners:
        key = (listener.service, listener.port, _is_local(listener))
        if key not in done:
            done.add(key)
            yield _listener(listener, server, subject)


def _listener(listener: Listener, server: ServerConfig, subject: Subject) -> Verdict:
    name = f"{listener.service.value} port {listener.port}"
    if _is_local(listener):
        verdict = not_applicable(f"it listens on {listener.address} only")
    else:
        seen = [e for e in subject.posture.endpoints if e.endpoint.port == listener.port]
        verdict = _answer(seen, listener, _any_open(server, subject))
    return about(verdict, f"{server.product.value} {name}")


def _answer(seen: list[EndpointObservation], listener: Listener, alive: bool) -> Verdict:
    """How a port met the probe. Without TLS at once, being closed to the outside is good manners
    (RFC 8314 section 3) as long as the server is seen to live on another port."""
    expected = "the port answers from outside"
    if not seen:
        return not_checked("nobody looked at this port")
    if any(e.open for e in seen):
        silent = [f for e in seen if e.open for f in at_stage(e, "greeting")]
        spoke = any(e.greeting is not None or e.handshake or e.offers for e in seen)
        if silent and not spoke:
            return failed(f"no greeting: {failure_text(silent[0])}", expected, Severity.HIGH)
        return passed("it answers")
    optional = alive and listener.tls_mode is not TlsMode.IMPLICIT
    causes = tuple(failure_text(f) for e in seen for f in at_stage(e, "connect"))
    why = f": {causes[0]}" if causes else ""
    if any(e.open is False for e in seen):
        return failed(
            f"the port is closed{why}", expected, Severity.LOW if optional else None, causes
        )
    if optional:
        return not_checked(f"the port could not be reached{why}")
    return Verdict(Status.ERROR, f"the port could not be reached{why}", expected, causes)


def _any_open(server: ServerConfig, subject: Subject) -> bool:
    ports = {listener.port for listener in server.listeners}
    return any(e.open for e in subject.posture.endpoints if e.endpoint.port in ports)


def _is_local(listener: Listener) -> bool:
    address = listener.address.strip("[]")
    return address in ("::1", "localhost") or address.startswith("127.")


TABLE: dict[str, CheckFunction] = {
    "OPS-01": on_servers(maintained),
    "OPS-02": on_servers(reachable),
}
