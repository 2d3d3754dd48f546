"""The form of golden files. `parse_file` and `write_file` are each other's reverse."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent
INPUTS = ("script", "params", "options", "files", "types", "events")
_UNFINISHED = "\n\\\n"
OUTPUTS = ("text", "said", "json", "warnings", "errors")


@dataclass
class Case:
    """One case: what it is given and what is to come out, by the name of the section."""

    title: str
    sections: dict[str, str] = field(default_factory=dict)

    @property
    def expected(self) -> dict[str, str]:
        return {name: text for name, text in self.sections.items() if name in OUTPUTS}

    @property
    def options(self) -> list[str]:
        return self.sections.get("options", "").split()


@dataclass
class GoldenFile:
    path: Path
    about: str
    cases: list[Case]

    @property
    def name(self) -> str:
        return str(self.path.relative_to(FOLDER).with_suffix(""))


def parse_file(path: Path) -> GoldenFile:
    """Raises ValueError for what is no golden file."""
    about, cases, lines = [], [], iter(path.read_text().splitlines())
    section: list[str] = about
    sections: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("=== "):
            section = []
            sections = {"script": section}
            cases.append((line[4:], sections))
        elif line.startswith("--- "):
            if line[4:] in sections or line[4:] not in INPUTS + OUTPUTS:
                raise ValueError(f"{path.name}: unexpected section {line[4:]!r}")
            section = sections[line[4:]] = []
        else:
            section.append(line)
    texts = [Case(title, {n: _join(part) for n, part in found.items()}) for title, found in cases]
    return GoldenFile(path, "".join([line + "\n" for line in about]), texts)


def write_file(golden: GoldenFile) -> None:
    parts = [golden.about]
    for case in golden.cases:
        for name, text in case.sections.items():
            parts.append(f"=== {case.title}\n" if name == "script" else f"--- {name}\n")
            parts.append(_split(text))
    golden.path.write_text("".join(parts))


def _join(lines: list[str]) -> str:
    text = "".join([line + "\n" for line in lines])
    return text[: -len(_UNFINISHED)] if text.endswith(_UNFINISHED) else text


def _split(text: str) -> str:
    return text if not text or text.endswith("\n") else text + _UNFINISHED


def iter_files() -> list[GoldenFile]:
    return [parse_file(path) for path in sorted(FOLDER.glob("*/*.txt"))]
