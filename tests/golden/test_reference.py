"""The reference can be made of the headers without a warning, and tells of every function; the
manual page is well formed."""

import pathlib
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

from test_abi import NAMES, OWN_HEADERS, ROOT, declared

MANUAL = ROOT / "docs" / "man" / "mimalloc.7"


@pytest.fixture(scope="module", name="reference")
def make_reference(tmp_path_factory):
    """All documented members: {name: text of the documentation}."""
    if not shutil.which("doxygen"):
        pytest.skip("doxygen is not installed")
    folder = tmp_path_factory.mktemp("reference")
    settings = f"@INCLUDE = docs/Doxyfile\nOUTPUT_DIRECTORY = {folder}\n"
    settings += "GENERATE_HTML = NO\nGENERATE_XML = YES\n"
    run = subprocess.run(["doxygen", "-"], input=settings, cwd=ROOT, capture_output=True, text=True)
    assert run.stderr.replace(f"{ROOT}/", "") == ""
    assert run.returncode == 0
    members = {}
    for path in pathlib.Path(folder, "xml").glob("*.xml"):
        root = ElementTree.parse(path).getroot()
        for member in [*root.iter("memberdef"), *root.iter("enumvalue")]:
            texts = [member.find("briefdescription"), member.find("detaileddescription")]
            text = " ".join("".join(part.itertext()) for part in texts if part is not None)
            members[member.findtext("name")] = " ".join(text.split())
    return members


def test_every_function_is_in_the_reference(reference):
    names = NAMES | set().union(*map(declared, OWN_HEADERS))
    assert sorted(name for name in names if len(reference.get(name, "")) < 10) == []


def test_macros_types_and_options_are_in_the_reference(reference):
    names = """MI_MALLOC_VERSION MI_SMALL_SIZE_MAX MI_STAT_VERSION mi_malloc_tp mi_heap_recalloc_tp
    mi_stats_t_decl mi_stats_init mi_option_purge_delay mi_arena_id_t mi_block_visit_fun""".split()
    assert [name for name in names if not reference.get(name)] == []


def test_the_manual_page_is_well_formed():
    if not shutil.which("man"):
        pytest.skip("man is not installed")
    command = ["man", "--warnings", "-E", "UTF-8", "-l", str(MANUAL)]
    environment = {"PATH": "/usr/bin:/bin", "MANWIDTH": "80", "LC_ALL": "C.UTF-8"}
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (run.returncode, run.stderr) == (0, "")
    sections = [line for line in run.stdout.splitlines() if line and not line[0].isspace()]
    for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "ENVIRONMENT", "SEE ALSO"):
        assert section in sections
