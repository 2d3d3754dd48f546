"""Frozen, slotted data classes that cost nothing until they are used.

Promises what `dataclasses.dataclass(frozen=True, slots=True)` promises for plain fields (positional
and keyword construction, defaults, equality, hash, repr, `replace`), and that a class which
is never or seldom used compiles no code: `__init__` is generated once some instances have been
made. The standard module takes 18 ms to import and 0.75 ms a class, most of the start-up budget.
"""

from __future__ import annotations

# `typing` takes 4 ms to import: a tenth of the start-up of a one-liner.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar, dataclass_transform

    T = TypeVar("T")
else:

    def dataclass_transform(**_: Any) -> Any:
        return lambda decorator: decorator


_FIELDS = "__record_fields__"
_DEFAULTS = "__record_defaults__"
_MADE = "__record_made__"

_FEW = 12
"""Instances of a class up to which generating a constructor (80 µs) costs more than it saves."""


@dataclass_transform(frozen_default=True)
def record(cls: type[T]) -> type[T]:
    """Make `cls` a frozen slotted record of its annotated fields, base classes' fields first.

    Defaults must be immutable values. A method `__post_init__`, where there is one, is called at
    the end of construction and may only check. A plain base class that defines one of the generated
    methods (say `__eq__`, for identity) keeps it.
    """
    names = [n for n in cls.__dict__.get("__annotations__", {}) if not n.startswith("__")]
    namespace = {k: v for k, v in cls.__dict__.items() if k not in ("__dict__", "__weakref__", *names)}
    inherited: tuple[str, ...] = ()
    defaults: dict[str, Any] = {}
    for base in reversed(cls.__mro__[1:]):
        inherited += base.__dict__.get("__slots__", ()) if hasattr(base, _FIELDS) else ()
        defaults.update(base.__dict__.get(_DEFAULTS, {}))
    defaults.update({n: cls.__dict__[n] for n in names if n in cls.__dict__})
    namespace["__slots__"] = tuple(n for n in names if n not in inherited)
    namespace[_FIELDS] = inherited + namespace["__slots__"]
    namespace[_DEFAULTS] = defaults
    namespace["__match_args__"] = namespace[_FIELDS]
    plain = [base for base in cls.__mro__[1:-1] if not hasattr(base, _FIELDS)]
    for name, method in _METHODS.items():
        if not any(name in base.__dict__ for base in plain):
            namespace.setdefault(name, method)
    namespace["__qualname__"] = cls.__qualname__
    made: Any = type(cls)
    return made(cls.__name__, cls.__bases__, namespace)  # type: ignore[no-any-return]


def fields(item: object) -> tuple[str, ...]:
    """Names of the fields of a record or a record class, in order of construction."""
    names: tuple[str, ...] = getattr(item, _FIELDS)
    return names


def defaults(item: object) -> dict[str, Any]:
    """Default values of a record or a record class, by field."""
    values: dict[str, Any] = getattr(item, _DEFAULTS)
    return values


def replace(item: T, **changes: Any) -> T:
    """A copy of the record `item` with some fields changed."""
    values = {n: getattr(item, n) for n in fields(item)}
    unknown = changes.keys() - values.keys()
    if unknown:
        raise TypeError(f"{type(item).__name__} has no field {sorted(unknown)[0]!r}")
    return type(item)(**{**values, **changes})


def _compile_init(cls: type) -> Any:
    names, defaults = getattr(cls, _FIELDS), getattr(cls, _DEFAULTS)
    scope: dict[str, Any] = {}
    parameters = []
    for name in names:
        scope[f"_set_{name}"] = getattr(cls, name).__set__
        if name in defaults:
            scope[f"_default_{name}"] = defaults[name]
        parameters.append(f"{name}=_default_{name}" if name in defaults else name)
    body = [f" _set_{n}(self, {n})" for n in names]
    if hasattr(cls, "__post_init__"):
        body.append(" self.__post_init__()")
    text = f"def __init__({', '.join(['self', *parameters])}):\n" + "\n".join(body or [" pass"])
    exec(text, scope)
    return scope["__init__"]


def _slow_init(self: Any, *args: Any, **kwargs: Any) -> None:
    """The constructor of a class's first instances: slow, but there from the start. One that is made
    more often, or called wrongly, gets the quick one, which also words the errors."""
    cls = type(self)
    names, defaults = getattr(cls, _FIELDS), getattr(cls, _DEFAULTS)
    made = cls.__dict__.get(_MADE, 0)
    values = {**defaults, **dict(zip(names, args, strict=False)), **kwargs}
    wrong = len(values) != len(names) or len(args) + len(kwargs) > len(names)
    if made >= _FEW or wrong or not kwargs.keys().isdisjoint(names[: len(args)]):
        cls.__init__ = _compile_init(cls)
        cls.__init__(self, *args, **kwargs)
        return
    setattr(cls, _MADE, made + 1)
    for name, value in values.items():
        object.__setattr__(self, name, value)
    if hasattr(cls, "__post_init__"):
        self.__post_init__()


def _setattr(self: Any, name: str, value: Any) -> None:
    raise AttributeError(f"{type(self).__name__}.{name} is frozen")


def _delattr(self: Any, name: str) -> None:
    raise AttributeError(f"{type(self).__name__}.{name} is frozen")


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, n) for n in getattr(self, _FIELDS)])


def _eq(self: Any, other: Any) -> Any:
    if type(self) is not type(other):
        return NotImplemented
    return self is other or _values(self) == _values(other)


def _hash(self: Any) -> int:
    return hash((type(self), _values(self)))


def _repr(self: Any) -> str:
    return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)!r}' for n in fields(self))})"


def _reduce(self: Any) -> Any:
    return type(self), _values(self)


_METHODS = {
    "__init__": _slow_init,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
    "__eq__": _eq,
    "__hash__": _hash,
    "__repr__": _repr,
    "__reduce__": _reduce,
}
