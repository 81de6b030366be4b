# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values as JSON data and back: what goes between a node, the controller and a report.

Works for any frozen dataclass of texts, numbers, enums, tuples and other such dataclasses, and
knows none of them. Source: the ``dataclasses`` and ``typing`` chapters of the Python library.
"""

from __future__ import annotations

import enum
import functools
import typing
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """A model value as JSON data: dataclass → dict, enum → its value, tuple → list."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (tuple, list)):
        return [to_plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): to_plain(v) for k, v in value.items()}
    return value


def from_plain(cls: type[T], data: Any) -> T:
    """JSON data as the model value ``cls``.

    Unknown keys are ignored (a newer node may know more), missing ones take their default.
    Raises ValueError naming the class and the field for data of another shape.
    """
    return typing.cast(T, _build(cls, data, cls.__name__))


_NONE = None.__class__
_hints = functools.lru_cache(maxsize=None)(typing.get_type_hints)


def _build(kind: Any, data: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if origin is typing.Union:
        inner = next(a for a in typing.get_args(kind) if a is not _NONE)
        return None if data is None else _build(inner, data, where)
    if origin is tuple:
        if not isinstance(data, (list, tuple)):
            raise ValueError(f"{where}: expected a list, got {type(data).__name__}")
        inner = typing.get_args(kind)[0]
        return tuple(_build(inner, item, where) for item in data)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _enum(kind, data, where)
    if is_dataclass(kind):
        return _dataclass(kind, data, where)
    if not isinstance(data, kind):
        raise ValueError(f"{where}: expected {kind.__name__}, got {type(data).__name__}")
    return kind(data)


def _enum(kind: type[enum.Enum], data: Any, where: str) -> enum.Enum:
    try:
        return kind(data)
    except ValueError:
        raise ValueError(f"{where}: {data!r} is none of {[m.value for m in kind]}") from None


def _dataclass(kind: Any, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise ValueError(f"{where}: expected a mapping, got {type(data).__name__}")
    hints = _hints(kind).items()
    try:
        return kind(**{n: _build(h, data[n], f"{where}.{n}") for n, h in hints if n in data})
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from None
