"""What the README tells a newcomer to type does what it says, typed exactly so into bash against `passerelle up`."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.running import Process, free_port, passerelle
from tests.waiting import until

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
FENCED = re.compile(r"^```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)
END = "--- end of the line"


def blocks() -> list[str]:
    """The preparations, and the five lines, of "Five minutes with curl"."""
    return FENCED.findall(README.partition("## Five minutes with curl")[2].partition("\n## ")[0])


@dataclass
class Terminal:
    """A bash in which lines are typed one after the other; what each printed, errors included."""

    shell: subprocess.Popen[str]

    def type(self, line: str) -> str:
        assert self.shell.stdin and self.shell.stdout
        self.shell.stdin.write(f"{line}\necho '{END}'\n")
        self.shell.stdin.flush()
        said = []
        for each in self.shell.stdout:
            if END in each:
                return "".join(said) + each.partition(END)[0]
            said.append(each)
        raise AssertionError(f"bash ended: {''.join(said)}")


@pytest.fixture
def bash() -> str:
    for program in ("bash", "curl", "python3"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    return "bash"


@pytest.fixture
def demonstration(tmp_path: Path) -> Iterator[Process]:
    process = passerelle("up", "--demo", home=tmp_path / "home", port=free_port())
    process.ready = lambda: "Passerelle answers on" in process.log
    process.start()
    try:
        yield process.wait_ready()
    finally:
        assert process.stop() == 0


@pytest.fixture
def terminal(bash: str, demonstration: Process, tmp_path: Path) -> Iterator[Terminal]:
    settings = {name: demonstration.spec.env[name] for name in ("PATH", "PORT", "PASSERELLE_HOME")}
    with subprocess.Popen(
        [bash, "--norc"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=settings, cwd=tmp_path, text=True,
    ) as shell:  # fmt: skip
        yield Terminal(shell)


def test_a_newcomer_signs_in_looks_books_subscribes_and_cancels(terminal: Terminal) -> None:
    preparations, typed, invoices = blocks()
    for line in preparations.splitlines():
        assert terminal.type(line) == ""
    token, availability, booking, feed, cancel = [line for line in typed.splitlines() if "curl" in line]

    assert terminal.type(token) == ""
    assert '"free_units"' in terminal.type(availability)
    assert '"status":"confirmed"' in terminal.type(booking)
    made = terminal.type("echo $BOOKING").strip()
    assert terminal.type("sleep 1") == ""

    def seen_in_the_feed() -> str | None:
        calendar = terminal.type(feed)
        return calendar if f"UID:{made}" in calendar else None

    # A crowded machine may take longer to tell everyone. Each look opens a feed, and a person has at most twenty.
    calendar = until(seen_in_the_feed, within=30, every=2, describe=f"booking {made} is in the feed")
    assert "SUMMARY:First desk" in calendar
    assert '"status":"cancelled"' in terminal.type(cancel)
    assert "500" not in terminal.type(cancel).splitlines()[0], "cancelled again is still cancelled"

    listed, pdf = invoices.splitlines()
    assert '"number":"ATH-' in terminal.type(listed)
    until(lambda: terminal.type(pdf).strip() == "200", within=30, every=1, describe="the PDF is drawn")
    assert "%PDF-1.7" in terminal.type("head -c 8 invoice.pdf")


def test_the_readme_gives_exactly_five_lines_of_curl() -> None:
    assert sum("curl" in line for line in blocks()[1].splitlines()) == 5


def test_every_page_and_folder_the_readme_points_to_is_there() -> None:
    pages = re.findall(r"\]\((?!http)([^)]+)\)", README)
    named = re.findall(r"^\| (`.+?`) \|", README, re.MULTILINE)
    folders = [path for cell in named for path in re.findall(r"`([^`]+)`", cell)]
    assert [path for path in pages + folders if not (ROOT / path).exists()] == []
    assert len(folders) > 10
