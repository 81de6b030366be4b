# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``postmaster-tls renew``: what nobody else does for a renewal on this host, hour by hour.

A timer of systemd calls it (roles/certificate), or cron. The self-signed stopgap is made anew when
it is due; it replaces nothing but what is self-signed, so whoever got a better one keeps it. With
``--certificate`` another client renews, and its hook calls this with ``--now``: what that failed to
put in force is tried again hour by hour, for no client calls a hook again before the next renewal,
when the certificate in force has ended. What no hook asked for is left alone: the role may have
refused it. Either goes the way of every certificate (deploy.py), and a failure is waited with.

Exit codes: 0 nothing to do or done, 1 it failed, or it failed before and is not tried again yet, 2
the command was not understood.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Callable

from . import bundle, deploy, deploy_command, issuance, material, metrics, renewal, selfsigned
from .deploy import Deployed, Wanted
from .deploy_command import host_name
from .issuance import Order
from .material import Source
from .renewal import Standing
from .text import clean

FAILED = (*deploy_command.FAILED, selfsigned.CannotMake)


def main(arguments: Sequence[str], clock: Callable[[], float] = time.time) -> int:
    """Renew as the arguments say; the exit code."""
    bundle.sources()  # while the program that this was started from is still the same
    options = _options(arguments)
    standing, now = renewal.read(options.order), clock()
    if standing.waits(now) and not options.now:
        until = material.moment(standing.until)
        return _fail(
            f"it failed {standing.failures} times and waits until {until}: {standing.reason}"
        )
    if options.certificate and not (standing.failures or options.now):
        _say("nothing is left to be done")
        return 0
    orders, wanted = _orders(options), _wanted(options)
    try:
        done = deploy.deploy(wanted) if options.certificate else _renewed(orders, wanted, standing)
    except FAILED as error:
        standing = renewal.read(options.order).failed(now, str(error))
        renewal.write(options.order, standing)
        notes = deploy_command.failed(options.textfile_directory, wanted)
        _count(options, standing, deploy.installed())
        return _fail(str(error), *notes)
    _say(*(deploy_command.told(one) for one in done if one.changed))
    renewal.write(options.order, Standing())
    notes = deploy_command.succeeded(options.textfile_directory, done)
    _count(options, Standing(), [one.product for one in done])
    for note in [*(note for one in done for note in one.notes), *notes]:
        sys.stderr.write(f"{note}\n")
    return 0


def _renewed(orders: Sequence[Order], wanted: Wanted, standing: Standing) -> tuple[Deployed, ...]:
    due = [(order, reason) for order in orders for reason in [issuance.due(order)] if reason]
    if not (due or standing.pending):
        _say(f"{orders[0].name} is not due")
        return ()
    other = next((leaf for leaf in deploy.in_force(wanted) if not leaf.self_issued), None)
    if other is not None:
        _say(f"the certificate of {other.title} is in force, which is no stopgap; it stays")
        return ()
    for order, reason in due:
        issuance.sign_itself(order)
        _say(f"{order.name} is made anew: {reason}")
    renewal.write(orders[0].name, Standing(standing.failures, reason=standing.reason, pending=True))
    return deploy.deploy(wanted)


def _orders(options: argparse.Namespace) -> list[Order]:
    """The order, and the one for RSA beside it (roles/certificate calls it so)."""
    first = "ecdsa" if options.key_type == "both" else options.key_type
    orders = [Order(options.order, tuple(options.name), first, selfsigned=True)]
    if options.key_type == "both":
        orders.append(Order(f"{options.order}-rsa", tuple(options.name), "rsa", selfsigned=True))
    return orders


def _wanted(options: argparse.Namespace) -> Wanted:
    names = tuple(options.name)
    sources = [Source(order.path, order.path, names) for order in _orders(options)]
    if options.certificate:
        pairs = [(options.certificate, options.key), (options.alt_certificate, options.alt_key)]
        sources = [
            Source(chain, key or chain, names, ca_file=options.ca_file)
            for chain, key in pairs
            if chain
        ]
    alt = sources[1] if len(sources) > 1 else None
    who = "postmaster-tls renew"
    return Wanted(sources[0], options.sni, options.product, who, options.wait, alt)


def _count(options: argparse.Namespace, standing: Standing, products: Sequence[str]) -> None:
    values = {metrics.RENEWAL_FAILURES: float(standing.failures)}
    for product in products:
        if options.product in (None, product):
            metrics.write(options.textfile_directory, product, options.sni or "", values)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(arguments)
    needed = {"alt_key": "alt_certificate", "alt_certificate": "certificate"}
    for option, other in needed.items():
        if getattr(options, option) and not getattr(options, other):
            words = (f"--{name.replace('_', '-')}" for name in (option, other))
            parser.error(" is for ".join(words))
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="postmaster-tls renew",
        description="Renew the self-signed certificate of this host when it is due, or put in "
        "force what the hook of another client could not.",
    )
    add = parser.add_argument
    add("--order", required=True, type=_order, help="its name: a file below the program's state")
    add("--name", action="append", required=True, type=host_name, help="a name that users enter")
    add("--certificate", metavar="FILE", help="the chain that another client renews")
    add("--key", metavar="FILE", help="its key; the same file where it is not given")
    add("--alt-certificate", metavar="FILE", help="the chain that it renews for the other kind")
    add("--alt-key", metavar="FILE", help="its key; the same file where it is not given")
    add("--ca-file", metavar="FILE", help="authorities to which the chain has to lead")
    add("--key-type", choices=(*selfsigned.KEYS, "both"), default="ecdsa")
    add("--sni", type=host_name, metavar="NAME", help="for clients that ask for this name")
    add("--product", choices=("dovecot", "courier"), help="only this server")
    add("--wait", type=float, default=deploy.WAIT, metavar="SECONDS", help="for another change")
    add("--textfile-directory", default=metrics.DIRECTORY, metavar="DIRECTORY", help="of metrics")
    add("--now", action="store_true", help="as a hook: wait for nothing")
    return parser


def _order(text: str) -> str:
    if not issuance.NAME.match(text):
        raise argparse.ArgumentTypeError(f"{clean(text, 64)!r} is no name for a file")
    return text


def _fail(*lines: str) -> int:
    for line in lines:
        sys.stderr.write(clean(f"postmaster-tls: {line}", deploy_command.SAID) + "\n")
    return 1


def _say(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
