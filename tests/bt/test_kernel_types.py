"""Types and constants of the kernel, named in a script that defines none, on a kernel that is made up."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from builders.scripts import FakeFiles, Script, complaints, make_target
from probee import testing
from probee.base.errors import SourceError
from probee.base.record import replace
from probee.spec.target import Target
from probee.testing.types import DeclaredTypes

KERNEL = """
typedef int pid_t;
typedef struct { int counter; } atomic_t;
enum tcp_state { TCP_ESTABLISHED = 1, TCP_CLOSE = 7 };
union addr { unsigned int whole; unsigned char bytes[4]; };
struct qstr { union { struct { unsigned int hash; unsigned int len; }; unsigned long hash_len; };
              const unsigned char *name; };
struct dentry { struct qstr d_name; struct dentry *d_parent; };
struct file { unsigned int f_mode : 26; unsigned int f_more : 6; atomic_t f_count; struct dentry *f_dentry;
              char __user *f_user; int (*f_op)(int); union addr f_addrs[2]; enum tcp_state f_state; };
struct task_struct { pid_t pid; pid_t tgid; char comm[16]; struct task_struct *real_parent;
                     struct task_struct *group_leader; struct file *files; struct elsewhere *other; };
struct list { struct list *next; int number; struct tail { int a; } tails[0]; };
void trace_sched_switch(int preempt, struct task_struct *prev, struct task_struct *next);
int jiffies_twice;
"""
TASK, PARENT, FILE, DENTRY, NAME, USER = (0x10000 * n for n in range(1, 7))


def pack_task(pid: int, comm: bytes, parent: int = 0, leader: int = 0, files: int = 0) -> bytes:
    return struct.pack("=ii16sQQQQ", pid, pid, comm, parent, leader, files, 0)


MEMORY = {
    TASK: pack_task(23, b"child", PARENT, TASK, FILE),
    PARENT: pack_task(7, b"parent", 0, PARENT),
    FILE: struct.pack("=IiQQQ8sI4x", 5 | 9 << 26, 3, DENTRY, USER, 0, bytes(range(1, 9)), 7),
    DENTRY: struct.pack("=IIQQ", 99, 4, NAME, DENTRY),
    NAME: b"name\0" + bytes(60),
}


def kernel_target(text: str = KERNEL) -> Target:
    return replace(make_target(), types=DeclaredTypes(text))


def run_script(text: str, *params: str) -> Script:
    script = Script(text, *params, target=kernel_target())
    script.machine.kernel_memory = MEMORY
    script.machine.user_memory = {USER: b"user text\0" + bytes(60)}
    script.machine.task = TASK
    return script.run()


_T = f"$t = (struct task_struct *)kptr({TASK:#x});"

_VALUES: list[tuple[str, list[Any]]] = [
    (f"{_T} print($t->pid); print($t.comm); print($t->real_parent->comm);", [23, "child", "parent"]),
    (f"{_T} print($t->files->f_mode); print($t->files->f_more);", [5, 9]),
    (f"{_T} print($t->files->f_count.counter); print($t->files->f_addrs[1].bytes[2]);", [3, 7]),
    (
        f"{_T} print(str($t->files->f_dentry->d_name.name)); print($t->files->f_dentry->d_name.len);",
        ["name", 4],
    ),
    (f"{_T} print(str($t->files->f_user));", ["user text"]),
    (f"{_T} print($t->files->f_state == TCP_CLOSE); print($t->files->f_addrs[0].whole);", [True, 0x04030201]),
    (f"{_T} print($t->files->f_op == 0); $f = $t->files; $f++; print((uint64)$f - {FILE});", [True, 48]),
    (f"{_T} @t = $t; print(@t->comm); $p = @t->real_parent; print($p->pid);", ["child", 7]),
    (
        "print(sizeof(struct file)); print(sizeof(pid_t)); print(sizeof(atomic_t)); print(sizeof(u64));",
        [48, 4, 4, 8],
    ),
    ("print(sizeof(union addr)); print(sizeof(enum tcp_state)); print(sizeof(struct list));", [4, 4, 16]),
    ("print(sizeof(TCP_CLOSE));", [8]),
    ("print(offsetof(struct file, f_addrs)); print(offsetof(struct dentry, d_name.len));", [32, 4]),
    ("print(TCP_ESTABLISHED + 1); print(AF_INET6); print(EPERM); print(PAGE_SIZE);", [2, 10, 1, 4096]),
    (
        f"$l = (struct list *)kptr({FILE + 16:#x}); print($l->tails[1].a);"
        " @i = 1; print($l->tails[(uint64)@i].a);",
        [0x04030201, 0x04030201],
    ),
    ("$x = (pid_t)-3; print($x); print((size_t)7);", [-3, 7]),
    ("print(curtask->comm); print(curtask.real_parent.pid); if (curtask) { print(1); }", ["child", 7, 1]),
    ("print(ppid); print(pcomm); print(leader_tid); print(leader_comm);", [7, "parent", 23, "child"]),
    (
        f'{_T} print(ppid($t)); print(leader_comm($t->real_parent)); print(pcomm == "parent");',
        [7, "parent", True],
    ),
    ('$a = pcomm; @[pcomm] = 1; print($a); print(@["parent"]);', ["parent", 1]),
]


@pytest.mark.parametrize(("body", "values"), _VALUES)
def test_values(body: str, values: list[Any]) -> None:
    assert run_script(f"begin {{ {body} }}").values() == values


@pytest.mark.parametrize(
    ("text", "output"),
    [
        (f"begin {{ {_T} print($t->comm); }}", "child"),
        ('begin { print(TCP_CLOSE); printf("%d\\n", AF_INET); }', "TCP_CLOSE\n2"),
        (
            f"begin {{ print(*(union addr *)kptr({FILE + 32:#x})); }}",
            "{ .whole = 67305985, .bytes = [1,2,3,4] }",
        ),
        (f"begin {{ {_T} @t = $t; @f = *$t->files->f_dentry; clear(@f); }}", "@t: 0x10000"),
    ],
)
def test_output_on_the_vm(text: str, output: str) -> None:
    probe = testing.interval("s:1", memory=MEMORY)
    result = testing.run(text.replace("begin", "interval:s:1"), [probe], types=KERNEL)
    assert result.output.strip() == output


def test_own_definitions_come_first() -> None:
    text = "struct task_struct { short pid; char comm[4]; } enum { AF_INET6 = 1000 }"
    text += f" begin {{ {_T} print(sizeof(struct task_struct)); print($t->comm); print(AF_INET6); }}"
    script = Script(text, target=kernel_target())
    script.machine.kernel_memory = {TASK: b"\1\0abc\0" + bytes(8)}
    assert script.run().values() == [6, "abc", 1000]


def test_own_definitions_may_hold_the_kernels() -> None:
    text = "struct own { struct task_struct t; pid_t last; struct file *f; }"
    assert run_script(f"{text} begin {{ print(sizeof(struct own)); }}").values() == [72]


def test_constants_of_the_kernel_in_c_text() -> None:
    text = "struct own { char name[TASK_COMM_LEN]; int states[TCP_CLOSE]; }"
    assert run_script(f"{text} begin {{ print(sizeof(struct own)); }}").values() == [16 + 4 * 7]


def test_headers_of_the_kernel_are_not_needed() -> None:
    text = "#include <linux/sched.h>\n#ifndef BPFTRACE_HAVE_BTF\n#include <nosuch.h>\n#endif\n"
    assert run_script(f"{text} begin {{ print(sizeof(struct task_struct)); }}").values() == [56]


def test_a_struct_that_is_only_declared_is_the_one_of_that_name() -> None:
    later = replace(kernel_target(), types=DeclaredTypes(KERNEL + "struct elsewhere { int x; };"))
    script = Script(f"begin {{ {_T} print($t->other->x); }}", target=later)
    script.machine.kernel_memory = MEMORY
    assert script.run().values() == [0]


def test_arguments_of_a_raw_tracepoint() -> None:
    script = Script(
        "rawtracepoint:sched_switch {"
        " print(args.preempt); print(args.next.comm); print(args.prev == arg1); }",
        target=kernel_target(),
    )
    script.machine.kernel_memory = MEMORY
    script.run(context=struct.pack("=12Q", 0xFFFFFFFF00000001, PARENT, TASK, *range(9)))
    assert script.values() == [1, "child", True]


def test_a_tracepoint_points_to_types_of_the_kernel() -> None:
    format = """name: file_opened
format:
\tfield:struct file * file;\toffset:8;\tsize:8;\tsigned:0;
\tfield:const char *const * argv;\toffset:16;\tsize:8;\tsigned:0;
"""

    class Names:
        def find_format(self, category: str, event: str) -> str | None:
            return format if event == "file_opened" else None

    target = replace(kernel_target(), names=Names())  # type: ignore[arg-type]
    script = Script(
        "tracepoint:fs:file_opened { print(args.file->f_count.counter); print(str(args.argv[0])); }",
        target=target,
    )
    pointers = 0x90000
    script.machine.kernel_memory = MEMORY | {pointers: struct.pack("=QQ", NAME, 0)}
    assert script.run(context=struct.pack("=QQQ", 0, FILE, pointers)).values() == [3, "name"]


@pytest.mark.parametrize(
    ("body", "marked", "message"),
    [
        ("$x = (struct nosuch *)0;", "struct nosuch *", 'Cannot resolve unknown type "struct nosuch"'),
        (
            "print(curtask->nosuch);",
            "curtask->nosuch",
            "Struct/union of type 'struct task_struct' does not contain a field named 'nosuch'",
        ),
        (
            "print(curtask->other->x);",
            "curtask->other->x",
            "Can not access field 'x': nothing is known of 'struct elsewhere' but its name",
        ),
        ("print(NO_SUCH_CONSTANT);", "NO_SUCH_CONSTANT", "Unknown identifier: 'NO_SUCH_CONSTANT'"),
        (
            'ppid("text");',
            '"text"',
            "ppid() expects a pointer to a task_struct, got string[5]",
        ),
    ],
)
def test_errors(body: str, marked: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        Script(f"begin {{ {body} }}", target=kernel_target())
    (found,) = caught.value.diagnostics
    assert found.span is not None
    assert (found.span.text, found.message) == (marked, message)


def test_a_kernel_without_types_says_so() -> None:
    class Nothing(DeclaredTypes):
        missing = "this kernel has no BTF"

    target = replace(make_target(), types=Nothing(""))
    for body in ("print(curtask->comm);", "print(ppid);", "$x = (struct sock *)0;"):
        with pytest.raises(SourceError) as caught:
            Script(f"begin {{ {body} }}", target=target)
        assert [d.hint for d in caught.value.diagnostics] == ["this kernel has no BTF"]
    assert complaints("rawtracepoint:sched_switch { print(args.next); }") != []


def test_scripts_that_name_no_type_ask_for_none() -> None:
    class Refusing(DeclaredTypes):
        def find_type(self, kind: str, name: str) -> Any:
            raise AssertionError(name)

        def find_enum(self, constant: str) -> Any:
            raise AssertionError(constant)

        def find_event(self, name: str, module: str = "") -> Any:
            raise AssertionError(name)

    target = replace(make_target(), types=Refusing(""), files=FakeFiles())
    for text in (
        "begin { print((pid, tid, comm, cpu, nsecs, curtask, probe)); @x = (uint64)3; }",
        "uprobe:/bin/program:main { @[str(arg0), ustack] = count(); @y = (size_t)arg1; }",
        "#define A 3\nstruct foo { u64 x; } begin { print(A); print(((struct foo *)0)->x); }",
    ):
        Script(text, target=target)
