"""QEMU: the command line of a guest's machine, its process, its port and its monitor."""

from __future__ import annotations

import json
import select
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probee.base.errors import TargetError

from .initrd import make_initrd
from .kernel import Kernel, unpack_image
from .wire import Frames

if TYPE_CHECKING:
    from collections.abc import Iterator

QEMU = "qemu-system-x86_64"

# Half of these make a boot shorter: no tests of ciphers, no wait for random numbers or grace periods.
# Without randomised addresses emulation is three times quicker: translated code serves the next process, too.
PARAMETERS = (
    "console=ttyS0 panic=-1 quiet loglevel=4 nokaslr norandmaps mitigations=off nowatchdog tsc=reliable "
    "no_timer_check random.trust_cpu=on rcupdate.rcu_expedited=1 audit=0 init_on_alloc=0 cryptomgr.notests=1"
)


@dataclass(frozen=True)
class Settings:
    """`memory` as QEMU writes it; `parameters`: more of the kernel's; `modules` are loaded at boot."""

    cpus: int = 2
    memory: str = "2G"
    modules: tuple[str, ...] = ()
    parameters: str = ""


def find_qemu() -> Path:
    """Raises TargetError where it is not installed."""
    found = shutil.which(QEMU)
    if found is None:
        hint = "apt-get install -y --no-install-recommends qemu-system-x86"
        raise TargetError(f"guests run on {QEMU}, which is not here", hint=hint)
    return Path(found)


def machine_command(settings: Settings, kernel: Kernel, writable: Path | None) -> list[str]:
    """QEMU's command line, but for what differs from one start to the next."""
    shared = "security_model=none,multidevs=remap"
    command = [
        *(str(find_qemu()), "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-accel", "tcg,thread=multi,tb-size=512", "-machine", "q35"),
        # Page tables of five levels cost a fifth level in every walk, in software.
        *("-cpu", "max,-la57", "-smp", str(settings.cpus), "-m", settings.memory),
        *("-kernel", str(unpack_image(kernel)), "-initrd", str(make_initrd(kernel, list(settings.modules)))),
        *("-append", f"{PARAMETERS} {settings.parameters}".strip()),
        *("-serial", "chardev:console", "-device", "virtio-serial-pci"),
        *("-device", "virtserialport,chardev=control,name=guest.control"),
        *("-fsdev", f"local,id=root,path=/,readonly=on,{shared}"),
        *("-device", "virtio-9p-pci,fsdev=root,mount_tag=root"),
    ]
    if writable:
        command += ["-fsdev", f"local,id=out,path={writable.resolve()},{shared}"]
        command += ["-device", "virtio-9p-pci,fsdev=out,mount_tag=out"]
    return command


class Machine:
    """A QEMU process; `console` is the file where the guest's console goes. Closed, it is ended."""

    def __init__(self, command: list[str], console: Path, incoming: int | None = None) -> None:
        """`incoming` is the descriptor of a saved machine to start from."""
        self.console = console
        self.port, port = socket.socketpair()
        self._monitor, monitor = socket.socketpair()
        self._replies = self._monitor.makefile("r")
        self._frames = Frames()
        self._log = console.with_name("qemu.log")
        passed = [port.fileno(), monitor.fileno()]
        command = [
            # A guest must not outlive who started it, however that ends.
            *("setpriv", "--pdeathsig", "KILL", *command),
            *("-chardev", f"file,id=console,path={console}"),
            *("-chardev", f"socket,id=control,fd={passed[0]}"),
            *("-chardev", f"socket,id=monitor,fd={passed[1]}", "-mon", "chardev=monitor,mode=control"),
        ]
        if incoming is not None:
            passed.append(incoming)
            command += ["-incoming", f"fd:{incoming}"]
        with port, monitor, self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=passed
            )

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for end in (self._replies, self._monitor, self.port):
            end.close()

    def read_frames(self) -> Iterator[tuple[bytes, bytes]]:
        """What has come in: waits for something. Raises EOFError once the machine has ended."""
        try:
            data = self.port.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        if not data:
            raise EOFError
        return self._frames.parse(data)

    def wait_frame(self, kind: bytes, seconds: float) -> bool:
        """Until a frame of `kind` comes, the last for now; False if none does in time. Raises EOFError."""
        while select.select([self.port], [], [], max(seconds, 0))[0]:
            if any(found == kind for found, _ in self.read_frames()):
                return True
        return False

    def ask(self, name: str, **arguments: object) -> Any:
        """Ask the monitor, and wait for its answer. Raises EOFError at its end, TargetError at a refusal."""
        self._monitor.sendall(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        for line in self._replies:
            reply = json.loads(line)
            if "error" in reply:
                raise TargetError(f"QEMU's {name}: {reply['error']['desc']}")
            if "return" in reply:
                return reply["return"]
        raise EOFError

    def read_last_words(self) -> str:
        """What QEMU said, and the end of the console."""
        console = self.console.read_text(errors="replace") if self.console.exists() else ""
        return self._log.read_text(errors="replace") + console[-6000:]
