# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists the signature schemes that a server signs its handshake with, beside its suites and groups.

In TLS 1.2 ServerKeyExchange names the scheme. Each hello puts those first that were not seen yet:
who follows the client's order shows another one each time, and nothing is refused for it. One that
is seen again then tells that its kind of key has no more; whoever keeps an order of its own has to
be asked, once more, with the rest alone.
TLS 1.3 hides the scheme behind the key exchange. But a server picks it before it asks for another
key share, and refuses who offers none that it can use: so one scheme is offered alone in hellos
that are asked anyway, and where such a hello is refused, it is sent again with all of them.
Source: RFC 8446 section 4.2.3, 4.1.1 and 9.2, RFC 5246 section 7.4.1.4.1. Pure.
"""

from __future__ import annotations

from typing import Optional

from ..model.observed import Offer
from .hello import TLS12, TLS13
from .offers import dropped

INTERNAL_ERROR = 80
PSS = (0x0804, 0x0805, 0x0806)
LIKELY = (*PSS, 0x0403)
"""What most servers of TLS 1.3 sign with: RSA-PSS by their usual key, or ECDSA on P-256."""
SURE_SUITES = 3
"""Hardly any server has less suites of TLS 1.3: up to that many, a hello is likely accepted."""


def in_13(scheme: int) -> bool:
    """Whether TLS 1.3 signs with this scheme; it lists others only for certificates."""
    return scheme >> 8 in (0x08, 0x09) or scheme in (0x0403, 0x0503, 0x0603)


def kind(scheme: int) -> str:
    """The kind of key that makes a signature of this scheme."""
    if scheme in (0x0807, 0x0808):
        return f"eddsa {scheme:#06x}"
    if scheme >> 8 == 0x08:
        return "rsa" if scheme < 0x0809 else "rsa-pss" if scheme < 0x0810 else "brainpool"
    return {1: "rsa", 2: "dsa", 3: "ecdsa"}.get(scheme & 0xFF, f"{scheme:#06x}")


class Schemes:
    """The schemes of one version, out of those ``offered``; ``found`` in the order of finding.

    ``seen`` is one that the server made in another version: its key is of that kind.
    """

    def __init__(self, version: int, offered: tuple[int, ...], seen: Optional[int] = None) -> None:
        self._version = version
        self._all = self._asked = offered
        self._left = [s for s in offered if version < TLS13 or in_13(s)]
        self._never = tuple(s for s in offered if s not in self._left)
        self._likely = [s for s in LIKELY if s in offered] if version == TLS13 else []
        if seen is not None:
            self._likely = [s for s in self._likely if kind(s) == kind(seen)]
        self._doubt: Optional[int] = None  # it stood alone in a hello that was refused
        self._wary = False  # that hello was then refused with all of them, too
        self._settled: set[str] = set()  # kinds of key that are known to have no more
        self._sets: Optional[list[tuple[int, ...]]] = None  # what is left to ask, for TLS 1.3
        self._passed_over = version < TLS12  # something was not told
        self._done = self._never_asked = False
        self.found: list[int] = []

    @property
    def complete(self) -> bool:
        """Whether what was not found is refused."""
        return self._done and not self._passed_over

    # -----------------------------------------------------------------------------------------
    # In the hellos of the lists

    def ride(self, suites_found: int, sure: bool = False) -> tuple[int, ...]:
        """The schemes for the next hello of the lists; ``sure``: it is otherwise accepted."""
        self._asked = self._all
        if self._version == TLS12:
            self._asked = (*self._left, *self.found)
        elif self._likely and self._doubt is None:
            likely = sure or (suites_found < SURE_SUITES and not self._wary)
            self._asked = (self._likely[0],) if likely else self._all
        return self._asked

    def add(self, offer: Offer) -> bool:
        """Takes in what a hello of the lists got; whether to send it again with other schemes."""
        if self._version == TLS13:
            return self._hidden(offer)
        if offer.accepted and offer.signature is not None:
            self._shown(offer.signature)
            return False
        alert = offer.failure.alert if offer.failure is not None else None
        if alert != INTERNAL_ERROR or self._asked[:1] != tuple(self._left[:1]):
            return False
        # It chose a scheme, and then its library did not make it.
        self._passed_over = bool(self._left)
        return bool(self._left and self._left.pop(0))

    def _shown(self, scheme: int) -> None:
        of_kind = [s for s in self.found if kind(s) == kind(scheme)]
        if scheme in self._left:
            self._found(scheme)
        elif len(of_kind) > 1:
            self._settled.add(kind(scheme))

    def _hidden(self, offer: Offer) -> bool:
        alone = self._asked[0] if len(self._asked) == 1 else None
        doubt = self._doubt
        if offer.accepted is None and not dropped(offer):
            return False  # unheard: it was not refused for its schemes
        if alone is not None and offer.accepted:
            self._found(alone)
        elif alone is None and doubt is not None and offer.accepted:
            self._left.remove(doubt)
            self._likely = [s for s in self._likely if kind(s) != kind(doubt)]
        self._wary = self._wary or (doubt is not None and not offer.accepted)
        self._doubt = None if alone is None or offer.accepted else alone
        return self._doubt is not None

    def _found(self, scheme: int) -> None:
        self.found.append(scheme)
        self._left.remove(scheme)
        self._likely = [s for s in self._likely if s != scheme and kind(s) == kind(scheme)]

    # -----------------------------------------------------------------------------------------
    # In hellos of their own, when the lists are done

    def alone(self) -> Optional[tuple[int, ...]]:
        """The schemes for the next hello that asks for nothing else; ``None`` for no more."""
        if self._version == TLS12:
            kinds = {kind(scheme) for scheme in self.found}
            more = [] if kinds <= self._settled else [tuple(self._left)]
        elif self._sets is None:
            ones = [s for s in self._likely if kind(s) == kind(self._likely[0])]
            rest = tuple(s for s in self._left if s not in ones)
            more = self._sets = [*((scheme,) for scheme in ones), rest]
        else:
            more = self._sets
        self._done = self._done or not any(more)
        self._asked = () if self._done else more[0]
        return self._asked or None

    def answered(self, accepted: Optional[bool], signature: Optional[int] = None) -> None:
        """Takes in what that hello got; no answer (``None``) ends the asking."""
        if self._sets is not None:
            self._sets.pop(0)
        if accepted is None:
            self._done = self._passed_over = True
        elif self._version == TLS12:
            again = accepted and signature in self._left
            self._done = not again
            if signature is not None and again:
                self._found(signature)
        elif accepted:
            self._accepted(self._asked)

    def _accepted(self, asked: tuple[int, ...]) -> None:
        """TLS 1.3 took one of these: which one, or does it not look at them before it retries?"""
        middle, before = len(asked) // 2, self._sets or []
        if asked == self._never:
            self._done = self._passed_over = True
            self.found.clear()
        elif middle == 0:
            self._found(asked[0])
        else:
            first = [] if self._never_asked else [self._never]
            self._never_asked = True
            self._sets = [*first, asked[:middle], asked[middle:], *before]
