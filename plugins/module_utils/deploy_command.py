# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``postmaster-tls deploy``: the deployment as a command, for the hooks of any ACME client.

Says in one line for each server what was done, or on standard error why nothing was. Exit codes:
0 the certificate is in force (it may have been before), 1 it is not and everything is as it was, 2
the command was not understood. A hook of certbot needs no argument: RENEWED_LINEAGE names the
folder (certbot documentation, "Renewing certificates", ``--deploy-hook``).
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Optional, TextIO

from . import bundle, deploy, material, metrics
from .deploy import Deployed, Wanted
from .ledger import Broken
from .text import clean

_HOST_NAME = re.compile(r"(?=.{1,253}\Z)(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9])?\Z")
FAILED = (*deploy.EXPECTED, Broken)
SAID = 2000


def main(arguments: Sequence[str], environment: Optional[Mapping[str, str]] = None) -> int:
    """Deploy as the arguments say; the exit code."""
    bundle.sources()  # while the program that this was started from is still the same
    parser = _parser()
    options = parser.parse_args(arguments)
    found = os.environ if environment is None else environment
    source = _source(options, found.get("RENEWED_LINEAGE", ""))
    if source is None:
        parser.error("--certificate is needed where no RENEWED_LINEAGE is given")
    who = f"postmaster-tls deploy by {found.get('SUDO_USER') or found.get('USER') or 'a hook'}"
    if options.alt_key and not options.alt_certificate:
        parser.error("--alt-key is for --alt-certificate")
    alt = _alt(options)
    wanted = Wanted(source, options.sni, options.product, clean(who, 100), options.wait, alt)
    try:
        done = deploy.deploy(wanted, options.check)
    except FAILED as error:
        _say(sys.stderr, clean(f"postmaster-tls: {error}", SAID))
        if not options.check:
            _say(sys.stderr, *failed(options.textfile_directory, wanted))
        return 1
    _say(sys.stdout, *(told(one, options.check) for one in done))
    _say(sys.stderr, *(note for one in done for note in one.notes))
    if not options.check:
        _say(sys.stderr, *succeeded(options.textfile_directory, done))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="postmaster-tls deploy",
        description="Put a certificate in force on the mail servers of this host, or leave all "
        "as it is.",
    )
    add = parser.add_argument
    add("--certificate", metavar="FILE", help="the chain as PEM, the server's own first")
    add("--key", metavar="FILE", help="the private key; the same file where it is not given")
    add("--alt-certificate", metavar="FILE", help="a second chain, for another kind of key")
    add("--alt-key", metavar="FILE", help="its key; the same file where it is not given")
    add("--password-file", metavar="FILE", help="holds the key's password in its first line")
    add("--chain", metavar="FILE", help="the issuers, where they are in a file of their own")
    add("--ca-file", metavar="FILE", help="authorities to which the chain has to lead")
    add("--name", action="append", default=[], type=host_name, help="a name that users enter")
    add("--sni", type=host_name, metavar="NAME", help="deploy for clients that ask for this name")
    add("--product", choices=("dovecot", "courier"), help="only this server")
    add("--wait", type=float, default=deploy.WAIT, metavar="SECONDS", help="for another change")
    add("--textfile-directory", default=metrics.DIRECTORY, metavar="DIRECTORY", help="of metrics")
    add("--check", action="store_true", help="say what would be done, and do nothing")
    return parser


def host_name(text: str) -> str:
    """A name for argparse, in lower case."""
    if not _HOST_NAME.match(text):
        raise argparse.ArgumentTypeError(f"{clean(text, 64)!r} is no host name in ASCII")
    return text.lower()


def _source(options: argparse.Namespace, lineage: str) -> Optional[material.Source]:
    certificate, key = options.certificate, options.key or options.certificate
    if certificate is None and lineage:
        certificate = os.path.join(lineage, "fullchain.pem")
        key = options.key or os.path.join(lineage, "privkey.pem")
    if certificate is None:
        return None
    made = material.Source(os.path.abspath(certificate), os.path.abspath(key))
    return replace(
        made,
        names=tuple(options.name),
        password_file=options.password_file,
        chain=options.chain,
        ca_file=options.ca_file,
    )


def _alt(options: argparse.Namespace) -> Optional[material.Source]:
    """The second certificate; its issuers are in its own file."""
    if options.alt_certificate is None:
        return None
    return material.Source(
        os.path.abspath(options.alt_certificate),
        os.path.abspath(options.alt_key or options.alt_certificate),
        names=tuple(options.name),
        password_file=options.password_file,
        ca_file=options.ca_file,
    )


def told(done: Deployed, check: bool = False) -> str:
    """What was done on one server, as a line."""
    where = f"{done.product}{f' for {done.sni}' if done.sni else ''}"
    which = f"the certificate of {clean(done.leaf.title, 100)}"
    until = material.moment(done.ends.not_after)
    if done.alt is not None:
        kinds = f"{done.leaf.key_type.upper()} and {done.alt.key_type.upper()}"
        which = f"{which} with a key for {kinds} each"
    verb = "would be" if check else "is"
    what = f"{verb} read again by the server" if done.reread else "is in force already"
    if done.paths:
        what = f"{verb} written to {', '.join(done.paths)} and served"
    return f"{where}: {which}, valid until {until}, {what}"


def succeeded(directory: str, done: Sequence[Deployed]) -> list[str]:
    """Write the metrics of what is in force; what could not be written, as sentences."""
    found = []
    for one in done:
        values = {
            metrics.SUCCESS: 1.0,
            metrics.AT: time.time(),
            metrics.BEGINS: one.ends.not_before,
            metrics.ENDS: one.ends.not_after,
        }
        found.append(metrics.write(directory, one.product, one.sni or "", values))
    return [words for words in found if words]


def failed(directory: str, wanted: Wanted) -> list[str]:
    """Write that it failed, for each server that it may have been."""
    products = [wanted.product] if wanted.product else deploy.installed()
    found = [
        metrics.write(directory, product, wanted.sni or "", {metrics.SUCCESS: 0.0})
        for product in products
    ]
    return [words for words in found if words]


def _say(where: TextIO, *lines: str) -> None:
    for line in lines:
        where.write(f"{line}\n")
