# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists all suites and groups of one version, in as few hellos as they can be listed.

Each answer names one suite and, with an ephemeral key, one group: both are taken off the next
hello, so that the two lists are found side by side. Where it stops being plain which of the two an
answer is about, the suites are asked on with all groups, and then the groups that are left with
suites that need one. Where all of these need an ECDSA key and the server follows its own order of
groups, only those up to the key's curve show. Signature schemes ride along (schemes.py).
Source: RFC 8446 section 4.1.1, 4.2.7 and 4.2.8, RFC 8422 section 5.1, RFC 5246 section 7.4.1.
Pure: hellos come out, and what they got comes in as model.Offer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

from ..model.observed import DhGroup, Listing, Offer
from . import suites as known
from .hello import HEARTBEAT, SSL30, STATUS_REQUEST, TLS10, TLS11, TLS12, TLS13, ClientHello
from .offers import HELLOS, dropped
from .schemes import Schemes

NAMES = {TLS13: "tls1.3", TLS12: "tls1.2", TLS11: "tls1.1", TLS10: "tls1.0", SSL30: "ssl3"}
"""The hello of offers.py that begins the list of each version."""
# OCSP without a list of responders (RFC 6066 section 8); a peer that may send (RFC 6520).
_EXTRAS = ((STATUS_REQUEST, b"\x01\0\0\0\0"), (HEARTBEAT, b"\x01"))


class Enumeration:
    """What one version has. ``first`` is what its hello of offers.py got; it was accepted.

    ``drops``: it is known that this server drops who it refuses, which may also become known while
    the list is made. ``signature`` is a scheme that it signed with in another version.
    """

    def __init__(
        self, version: int, first: Offer, drops: bool = False, signature: Optional[int] = None
    ) -> None:
        self.version = version
        self._hello = self._asked = HELLOS[NAMES[version]]
        self._left_suites = list(self._hello.suites)
        # Up to TLS 1.2 finite fields have suites of their own, and the answer names no group.
        fields = () if version == TLS13 else known.FF_GROUPS
        self._left_groups = [g for g in self._hello.groups if g not in fields]
        self._fields = tuple(g for g in self._hello.groups if g in fields)
        self._suites: list[int] = []
        self._groups: list[int] = []
        self._held: list[int] = []
        self._suites_done = self._groups_done = False
        self._narrow = True  # groups that were found are taken off while suites are asked for
        self._blamed = self._passed_over = self._again = False
        self._behind = False  # groups that were found stand behind those that are left
        self.drops = drops
        self._reversed: Optional[int] = None
        self._order_told = False
        self._schemes = Schemes(version, self._hello.signatures, signature)
        self.offers: list[Offer] = []
        self.complete = True
        self.add(first)

    def next_hello(self) -> Optional[ClientHello]:
        """The next hello to send, or ``None`` where nothing is left to ask."""
        if self._suites_done and self._groups_done:
            return None
        suites = self._with_group(self._suites) if self._suites_done else self._left_suites
        groups = [*self._groups, *self._left_groups]
        if self._narrow or self._suites_done:
            groups = [*self._left_groups, *(self._groups if self._behind else [])]
        self._asked = self._variant(suites, groups)
        return self._asked

    def _variant(self, suites: list[int], groups: list[int], sure: bool = False) -> ClientHello:
        return replace(
            self._hello,
            suites=tuple(suites),
            groups=(*groups, *self._fields),
            signatures=self._schemes.ride(len(self._suites), sure),
            extras=_EXTRAS if SSL30 < self.version < TLS13 else (),
        )

    def add(self, offer: Offer) -> None:
        """Takes in what the hello got."""
        if self._schemes.add(offer):
            return  # to be asked again: it may have been refused for its signature schemes
        if offer.accepted and offer.suite is not None:
            self._accepted(offer, offer.suite)
        elif offer.accepted is False or not self._retry(dropped(offer)):
            # Dropped twice where others are served, the hello is refused (offers.settle).
            self.complete = self.complete and (offer.accepted is False or dropped(offer))
            self._refused()
        self._settle()

    def _accepted(self, offer: Offer, suite: int) -> None:
        self.offers.append(offer)
        passed_over, self._passed_over, self._again = self._passed_over, False, False
        needs_group = bool(self._with_group([suite]))
        others = self._narrow and self._groups and self._with_group(self._left_suites)
        if others and not needs_group:
            # Were the others passed over for want of a group? Ask once more, with all groups.
            self._narrow, self._passed_over = False, True
            return
        if needs_group and not self._suites_done and (self._blamed or passed_over):
            # This suite was not to be had with the groups that are left.
            self._groups_done = suite not in known.ECDSA
        if suite in self._left_suites:
            self._left_suites.remove(suite)
            self._suites.append(suite)
        if offer.group in self._left_groups:
            self._left_groups.remove(offer.group)
            self._groups.append(offer.group)
        elif self._suites_done:
            self._groups_done = True

    def _refused(self) -> None:
        """What the refusal of the last hello means: no group is left, or no suite."""
        self._again = False
        if self._suites_done:
            # The curve of an ECDSA key must stay on offer: what was found is put behind.
            self._groups_done = self._behind or not self._only_ecdsa()
            self._behind = True
        elif self._narrow and self._groups and self._with_group(self._left_suites):
            self._narrow, self._blamed = False, True
        else:
            self._left_suites = []

    def _settle(self) -> None:
        if not self._left_suites and not self._suites_done:
            self._left_suites, self._held = self._held, []
            self._suites_done = not self._left_suites
        if not self._left_groups or (self._suites_done and not self._with_group(self._suites)):
            self._groups_done = True
        if self._groups_done:
            self._narrow = False

    def _retry(self, drops: bool) -> bool:
        """After a hello without an answer: whether another one is worth it.

        A server that prefers finite-field Diffie-Hellman and has no parameters drops who offers
        it (see offers.without_fields), so these suites are held back and asked last, unless one of
        them was accepted.
        """
        able = any(suite in known.EPHEMERAL_DH for suite in self._suites)
        held = [suite for suite in self._left_suites if suite in known.EPHEMERAL_DH]
        if held and not able and len(held) < len(self._left_suites) and not self._suites_done:
            self._left_suites = [suite for suite in self._left_suites if suite not in held]
            self._held += held
            return True
        first, self._again = not self._again and not (drops and self.drops), True
        self.drops = self.drops or (drops and not first)
        return first

    def _with_group(self, suites: list[int]) -> list[int]:
        return [s for s in suites if self.version == TLS13 or s in known.EPHEMERAL_EC]

    def _only_ecdsa(self) -> bool:
        return self.version < TLS13 and set(self._with_group(self._suites)) <= known.ECDSA

    # -----------------------------------------------------------------------------------------

    def about_order(self) -> Optional[ClientHello]:
        """The hello that tells whose order wins, where what was found does not; else ``None``."""
        if len(self._suites) < 2 or self._suites != self._in_our_order() or self._order_told:
            return None
        self._asked = self._variant(self._suites[::-1], self._groups, sure=True)
        return self._asked

    def confirm(self, offer: Offer) -> None:
        """Takes in what the hello about the order got; it may have to be asked again."""
        self._order_told = not self._schemes.add(offer)
        self._reversed = offer.suite if offer.accepted else None

    def about_signatures(self) -> Optional[ClientHello]:
        """The next hello that asks for signature schemes alone; ``None`` where none is needed."""
        suites = [s for s in self._with_group(self._suites) if s not in known.ANONYMOUS]
        suites = suites or [s for s in self._suites if s in known.EPHEMERAL_DH - known.ANONYMOUS]
        hello = self._variant(suites, self._groups)
        schemes = self._schemes.alone()
        if not suites or schemes is None:
            return None
        self._asked = replace(hello, signatures=schemes)
        return self._asked

    def signed(self, offer: Offer) -> None:
        """Takes in what that hello got; who is known to drop those whom it refuses refuses it."""
        refused = False if dropped(offer) and self.drops else offer.accepted
        self._schemes.answered(refused, offer.signature)

    def order(self) -> Optional[str]:
        """Whose order of suites wins: ``server`` or ``client``; ``None`` where that is open."""
        if len(self._suites) < 2:
            return None
        if self._suites != self._in_our_order():
            return "server"
        if self._reversed is None:
            return None
        return "client" if self._reversed == self._suites[-1] else "server"

    def _in_our_order(self) -> list[int]:
        return [suite for suite in self._hello.suites if suite in self._suites]

    def _fields_seen(self) -> set[DhGroup]:
        return {DhGroup(o.dh_bits, o.dh_prime) for o in self.offers if o.dh_bits and o.dh_prime}

    def listing(self) -> Listing:
        """What was found."""
        return Listing(
            version=self.version,
            suites=tuple(self._suites),
            order=self.order(),
            groups=tuple(self._groups),
            dh_bits=tuple(sorted({o.dh_bits for o in self.offers if o.dh_bits})),
            dh_groups=tuple(sorted(self._fields_seen())),
            signatures=tuple(self._schemes.found),
            complete=self.complete,
            all_signatures=self._schemes.complete,
        )
