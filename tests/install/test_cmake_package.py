"""Consumers that take the library through CMake: find_package, FetchContent, add_subdirectory."""

import shutil

import pytest
from consumer_support import EXPECTED, ROOT, cmake_project, configure, run

TARGETS = ["mimalloc", "mimalloc-static", "mimalloc-obj"]
ALIASES = ["mimalloc::mimalloc", "mimalloc::static", "mimalloc::object"]


def use_installed(folder, prefix, package, target, language="C"):
    text = f"find_package({package})\n@USE@target_link_libraries(use PRIVATE {target})"
    project = cmake_project(folder / "project", text, language)
    configure(folder / "b", project, f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", folder / "b")
    return run(folder / "b" / "use")


@pytest.mark.parametrize("target", TARGETS + ALIASES)
def test_find_package(prefix, tmp_path, target):
    assert use_installed(tmp_path, prefix, "mimalloc 3.4 REQUIRED", target) == EXPECTED


@pytest.mark.parametrize("target", ALIASES)
def test_find_package_cpp(prefix, tmp_path, target):
    assert use_installed(tmp_path, prefix, "mimalloc REQUIRED", target, "CXX") == EXPECTED


def test_objects_expression(prefix, tmp_path):
    text = (
        "find_package(mimalloc REQUIRED)\n"
        "add_executable(use use.c $<TARGET_OBJECTS:mimalloc::object>)\n"
        "target_link_libraries(use PRIVATE Threads::Threads)\n"
        "target_include_directories(use PRIVATE ${MIMALLOC_INCLUDE_DIR})"
    )
    project = cmake_project(tmp_path / "project", text)
    configure(tmp_path / "b", project, f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", tmp_path / "b")
    assert run(tmp_path / "b" / "use") == EXPECTED


def test_components(prefix, tmp_path):
    package = "mimalloc 3.4 REQUIRED COMPONENTS shared static"
    assert use_installed(tmp_path, prefix, package, "mimalloc::static") == EXPECTED


def find_only(folder, prefix, request, fails):
    text = f"find_package(mimalloc {request} REQUIRED)\nmessage(STATUS found=${{mimalloc_VERSION}})"
    project = cmake_project(folder / "project", text)
    return configure(folder / "b", project, f"-DCMAKE_PREFIX_PATH={prefix}", fails=fails)


def test_unknown_component_is_refused(prefix, tmp_path):
    find_only(tmp_path, prefix, "COMPONENTS shared wasm", fails=True)


@pytest.mark.parametrize("request_", ["3", "3.0", "3.4", "3.4.3", "3.4.3 EXACT", "3.0...3.9"])
def test_version_accepted(prefix, tmp_path, request_):
    assert "found=3.4.3" in find_only(tmp_path, prefix, request_, fails=False)


@pytest.mark.parametrize("request_", ["2.0", "3.5", "3.4.4", "4", "3.4.2 EXACT", "3.4 EXACT"])
def test_version_refused(prefix, tmp_path, request_):
    find_only(tmp_path, prefix, request_, fails=True)


def test_variables(prefix, tmp_path):
    names = ["CMAKE", "VERSION", "LIBRARY", "INCLUDE", "OBJECT", "TARGET"]
    lines = [f"message(STATUS [{name}=${{MIMALLOC_{name}_DIR}}])" for name in names]
    project = cmake_project(tmp_path / "p", "\n".join(["find_package(mimalloc REQUIRED)", *lines]))
    output = configure(tmp_path / "b", project, f"-DCMAKE_PREFIX_PATH={prefix}")
    for expected in [
        f"[CMAKE={prefix}/lib/cmake]",
        "[VERSION=mimalloc-3.4]",
        f"[LIBRARY={prefix}/lib]",
        f"[INCLUDE={prefix}/include/mimalloc-3.4]",
        f"[OBJECT={prefix}/lib/mimalloc-3.4]",
        f"[TARGET={prefix}/lib]",
    ]:
        assert expected in output


def test_find_package_twice(prefix, tmp_path):
    package = "mimalloc 3.4 REQUIRED)\nfind_package(mimalloc REQUIRED"
    assert use_installed(tmp_path, prefix, package, "mimalloc::object") == EXPECTED


def test_moved_prefix(prefix, tmp_path):
    shutil.copytree(prefix, tmp_path / "elsewhere" / "opt", symlinks=True)
    moved = tmp_path / "elsewhere" / "opt"
    assert use_installed(tmp_path, moved, "mimalloc REQUIRED", "mimalloc") == EXPECTED
    rules = (tmp_path / "b" / "build.ninja").read_text()
    assert str(moved) in rules and str(prefix) not in rules


# ---- as part of the consumer's build -------------------------------------------------------------

LINK_ALL = """
add_executable(use use.c)
target_link_libraries(use PRIVATE mimalloc::mimalloc)
add_executable(use-static use.c)
target_link_libraries(use-static PRIVATE mimalloc::static)
add_executable(use-object use.c)
target_link_libraries(use-object PRIVATE mimalloc::object)
message(STATUS "build type: [${CMAKE_BUILD_TYPE}]")
install(TARGETS use)
"""


def check_embedded(folder, text):
    """Works, and puts no tests, install rules, warnings or build type on its parent."""
    project = cmake_project(folder / "project", text + LINK_ALL)
    output = configure(folder / "b", project, "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON")
    assert "build type: []" in output
    run("cmake", "--build", folder / "b")
    for name in ["use", "use-static", "use-object"]:
        assert run(folder / "b" / name) == EXPECTED
    assert "-Wconversion" not in (folder / "b" / "compile_commands.json").read_text()
    assert not list((folder / "b").rglob("test-*"))
    run("cmake", "--install", folder / "b", "--prefix", folder / "installed")
    installed = [path for path in (folder / "installed").rglob("*") if path.is_file()]
    assert [path.name for path in installed] == ["use"]
    assert "No tests were found" in run("ctest", "--test-dir", folder / "b", fails=False)


def test_add_subdirectory(tmp_path):
    check_embedded(tmp_path, f"add_subdirectory({ROOT} mimalloc EXCLUDE_FROM_ALL)\n")


def test_fetch_content(tmp_path):
    check_embedded(
        tmp_path,
        "include(FetchContent)\n"
        f"FetchContent_Declare(mimalloc SOURCE_DIR {ROOT})\n"
        "FetchContent_MakeAvailable(mimalloc)\n",
    )
