"""The manual is current: its generated parts, and what it says of verbs and options."""

import os
import re
import subprocess

import pytest
from support.gateway import BINARY, TOP, run

DOCS = TOP / "docs"
PAGES = [DOCS / "man/popgate.1", DOCS / "man/popgate.yaml.5"]
REFERENCE = BINARY.parent / "popgate_reference"
# "  -c, --config FILE", and more of them on the same line
OPTION_LINE = re.compile(r"^ +-\w, --[a-z].*", re.MULTILINE)
OPTION = re.compile(r"(?<![\w-])-(\w), --([a-z-]+)")


def help_of(*verb: str) -> str:
    done = run(*verb, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def options_of(text: str) -> set[tuple[str, str]]:
    return {option for line in OPTION_LINE.findall(text) for option in OPTION.findall(line)}


def helps(verb: str) -> list[str]:
    """The help of a verb, or of each of its words where these have their own."""
    text = help_of(verb)
    if "WORD --help" not in text:
        return [text]
    words = re.findall(rf"^[U ][a-z: ]* popgate {verb} ([a-z]+)", text, re.MULTILINE)
    assert len(words) > 1
    return [help_of(verb, word) for word in words]


def verbs() -> list[str]:
    return re.findall(r"^  ([a-z]+) {2,}", help_of(), re.MULTILINE)


@pytest.fixture(scope="module")
def sections() -> dict[str, str]:
    """popgate(1), by the headings of its verbs; "" is what all have in common."""
    description = PAGES[0].read_text().partition(".Sh DESCRIPTION\n")[2].partition("\n.Sh ")[0]
    common, *rest = re.split(r"^\.Ss ", description, flags=re.MULTILINE)
    return {"": common} | {text.split("\n", 1)[0]: text for text in rest}


@pytest.mark.parametrize("form, file", [("markdown", "configuration.md"), ("man", "man/popgate.yaml.5")])
def test_the_reference_is_what_the_table_of_keys_gives(form, file, directory):
    for target in ([], [directory / "written"]):
        done = subprocess.run([REFERENCE, form, *target], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        written = target[0].read_text() if target else done.stdout
        assert written == (DOCS / file).read_text(), f"docs/{file} is old: ninja -C build/asan docs"


def test_the_reference_holds_every_key_of_the_example():
    text = (DOCS / "configuration.md").read_text()
    example = (TOP / "config/popgate.example.yaml").read_text()
    names = set(re.findall(r"^[ -]*([a-z_0-9]+):", example, re.MULTILINE))
    assert len(names) > 100
    told = {part for name in re.findall(r"`([a-z_0-9.]+)`", text) for part in name.split(".")}
    assert names - told == set()


def test_the_reference_program_says_how_it_is_used():
    for arguments in ([], ["html"], ["man", "a", "b"]):
        done = subprocess.run([REFERENCE, *arguments], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("Usage: popgate_reference ")
    done = subprocess.run([REFERENCE, "man", "/no/such/folder/page"], capture_output=True, text=True)
    assert done.returncode == 1 and "/no/such/folder/page: No such file" in done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_man_pages_are_well_formed(page):
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page],
                          capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    done = subprocess.run(["man", "--warnings=w", "-l", page], capture_output=True, text=True,
                          env={**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8"})
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) > 100


def test_the_page_tells_of_every_verb_and_no_other(sections):
    assert len(verbs()) >= 7
    assert sorted(sections) == sorted(["", *verbs()])
    synopsis = PAGES[0].read_text().partition(".Sh SYNOPSIS\n")[2].partition("\n.Sh ")[0]
    assert set(re.findall(r"^\.Nm\n\.Cm (\w+)", synopsis, re.MULTILINE)) == set(verbs())


@pytest.mark.parametrize("verb", verbs())
def test_the_page_tells_of_every_option_and_no_other(sections, verb):
    text = sections[""] + sections[verb]
    told = {(short, long) for short, long in re.findall(r"^\.It Fl (\w) , Fl -([a-z-]+)", text,
                                                        re.MULTILINE)}
    had = set().union(*map(options_of, helps(verb)))
    assert ("h", "help") in had
    # Not every verb has what most have.
    assert had <= told and told - had <= {("c", "config")}


@pytest.mark.parametrize("verb", verbs())
def test_every_help_has_the_same_form(verb):
    for text in helps(verb):
        assert text.startswith(f"Usage: popgate {verb} ")
        assert "\nExit status: 0 " in text
        assert max(len(line) for line in text.splitlines()) <= 90
        for long in set(re.findall(r"\[--([a-z-]+)", text)):
            assert long in {name for _, name in options_of(text)}, f"--{long} is not explained"
