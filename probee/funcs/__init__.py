"""Every callable of the languages, one `@func` object each, and what their lowering stands on.

    func.py        what a function is: parameters, typing hook, lowering hook; the `@func` decorator
    emit.py        a program in the making: records, counters, variables
    unit.py        what the programs of one script share: events, counters, maps
    globals.py     the layout of the globals map
    stored.py      where a script's variables live
    text.py        text in memory: storing, copying, comparing
    memory.py      memory of the traced system
    loops.py       loops that functions make
    merged.py      an aggregate as one number, inside a program
    aggregate.py   count sum min max avg stats
    histogram.py   hist lhist
    tseries.py     tseries
    percentiles.py p50 p99 p99_9 …
    output.py      printf errorf warnf print time cat system
    join.py        join
    control.py     exit clear zero unwatch
    entries.py     delete has_key find len
    strings.py     str
    counted.py     text that knows its length, of Go and Rust
    search.py      strlen strncmp strstr strcontains str_concat
    buffers.py     buf
    address.py     ntop pton macaddr
    pointers.py    kptr uptr bswap container_of
    codes.py       strerror signal_name syscall_name
    clock.py       nsecs elapsed strftime
    process.py     pid tid
    task.py        uid gid username comm cpu
    lookup.py      a task by its id
    kin.py         ppid pcomm leader_tid leader_comm
    kaddr.py       kaddr percpu_kaddr
    system.py      rand ncpus numaid jiffies usermode curtask cgroup
    registers.py   arg0 … argN retval reg
    context.py     args
    ctx.py         ctx
    golang.py      goid
    usdt.py        argN of probes that say where their arguments are
    place.py       func probe probetype
    predicates.py  is_str is_ptr is_array is_integer is_unsigned_integer is_literal is_err
    asserts.py     assert static_assert fail
    compare.py     strcap default_str_length assert_str memcmp
    settings.py    config __builtin_safe_mode __builtin_arch
    child.py       cpid has_cpid __builtin_cpid
    options.py     getopt
    signals.py     signal signal_thread
    changes.py     override write_user
    cgroups.py     cgroup_path cgroupid
    debug.py       debugf
    kfunc.py       kfunc_exist kfunc_allowed
    tracing.py     path skboutput socket_cookie
    stack.py       kstack ustack stack_len
    symbol.py      ksym usym uaddr
    unwind.py      dw_ustack
    cpython.py     py_ustack

`find("printf")` imports output.py and nothing else. A new function is an object, and its name here.
"""

from __future__ import annotations

import re
from importlib import import_module

from ..base.registry import near_misses
from .func import FUNCS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .func import Func

_NAMES = {
    "aggregate": "count sum min max avg stats",
    "histogram": "hist lhist",
    "tseries": "tseries",
    "output": "printf errorf warnf print time cat system",
    "join": "join",
    "control": "exit clear zero unwatch",
    "entries": "delete has_key find len",
    "strings": "str",
    "search": "strlen strncmp strstr strcontains str_concat",
    "buffers": "buf",
    "address": "ntop pton macaddr",
    "pointers": "kptr uptr bswap container_of",
    "codes": "strerror signal_name syscall_name",
    "clock": "nsecs elapsed strftime",
    "process": "pid tid",
    "task": "uid gid username comm cpu",
    "kin": "ppid pcomm leader_tid leader_comm",
    "kaddr": "kaddr percpu_kaddr",
    "system": "rand ncpus numaid jiffies usermode curtask cgroup",
    "registers": "retval reg",
    "context": "args",
    "ctx": "ctx",
    "golang": "goid",
    "place": "func probe probetype",
    "predicates": "is_str is_ptr is_array is_integer is_unsigned_integer is_literal is_scalar is_err",
    "asserts": "assert static_assert fail",
    "compare": "strcap default_str_length assert_str memcmp",
    "settings": "config __builtin_safe_mode __builtin_arch",
    "child": "cpid has_cpid __builtin_cpid",
    "options": "getopt",
    "signals": "signal signal_thread",
    "changes": "override write_user",
    "cgroups": "cgroup_path cgroupid",
    "debug": "debugf",
    "kfunc": "kfunc_exist kfunc_allowed",
    "tracing": "path skboutput socket_cookie",
    "stack": "kstack ustack stack_len",
    "symbol": "ksym usym uaddr",
    "unwind": "dw_ustack",
    "cpython": "py_ustack",
}

_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}

_BUILTIN = "__builtin_"
_BUILT = "dw_ustack comm config cpu elapsed func ncpus probe probetype retval uaddr usermode"
_BUILTINS = frozenset([_BUILTIN + name for name in _BUILT.split()])
"""What the macros of bpftrace's library are made of, by the names that it has there."""

_ARGUMENT = re.compile(r"arg(0|[1-9]\d{0,2})")
_PERCENTILE = re.compile(r"p(0|[1-9]\d?|100)(?:_(\d{1,3}))?")


def find(name: str) -> Func | None:
    """The function or builtin called `name`, or None."""
    found = FUNCS.find(name)
    if found is not None:
        return found
    module = _MODULES.get(name)
    if module is None and name in _BUILTINS:
        return find(name.removeprefix(_BUILTIN))
    if module is not None:
        import_module(f".{module}", __name__)
    elif match := _PERCENTILE.fullmatch(name):
        percentiles = import_module(".percentiles", __name__)
        percentiles.add_percentile(name, int(match[1]), match[2] or "")
    elif match := _ARGUMENT.fullmatch(name):
        registers = import_module(".registers", __name__)
        registers.add_argument(int(match[1]))
    return FUNCS.find(name)


def find_near(name: str) -> list[str]:
    """Names of functions that look like `name`, nearest first."""
    return near_misses(name, [*_MODULES, "arg0"])


def iter_names() -> list[str]:
    """All names, argN left out, in the order of the modules."""
    return list(_MODULES)
