"""Other places to run: valgrind, an emulated arm64 machine, another C library."""

import subprocess
import time
from pathlib import Path

import pytest

from fallback_harness import need, patience

ARM_ROOT = Path("/usr/aarch64-linux-gnu")


@pytest.mark.parametrize("tool,what", [("none", "work"), ("lackey", "trivial"), ("memcheck", "work")])
def test_valgrind(fallback, sample, tool, what):
    """Its own malloc replacement is off: the library is what runs."""
    command = [need("valgrind", "valgrind"), "-q", f"--tool={tool}"]
    command += ["--error-exitcode=9", "--undef-value-errors=no"] if tool == "memcheck" else []
    # the option goes through valgrind: LD_PRELOAD alone would be lost on the way in
    fallback.run([*command, sample, what], timeout=100).ok()


@pytest.fixture(scope="module")
def arm(fallback):
    """(command that runs an arm64 program, the same with the library preloaded, the program)"""
    qemu = need("qemu-aarch64", "qemu-user")
    compiler = need("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")
    folder = fallback.cmake("arm64", "-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64",
                            f"-DCMAKE_C_COMPILER={compiler}", target="mimalloc")
    program = fallback.compile("sample.c", compiler="aarch64-linux-gnu-gcc")
    plain = [qemu, "-L", ARM_ROOT]
    return plain, [*plain, "-E", f"LD_PRELOAD={folder}/libmimalloc.so"], program


def test_arm64_work(fallback, arm):
    _, loaded, program = arm
    fallback.run([*loaded, program, "work"], preload=False, timeout=100).ok()


def test_arm64_shortage(fallback, arm):
    _, loaded, program = arm
    fallback.run([*loaded, program, "short", 300], preload=False, timeout=100).ok()


@pytest.mark.parametrize("delay", [0, 10])
def test_arm64_moved(fallback, arm, delay):
    """The emulator takes memory that mremap leaves behind for unmapped, and then answers that it
    gave it back when it did not."""
    _, loaded, _ = arm
    program = fallback.compile("moved.c", compiler="aarch64-linux-gnu-gcc")
    with_delay = [*loaded, "-E", f"MIMALLOC_PURGE_DELAY={delay}"]
    fallback.run([*with_delay, program], preload=False, timeout=100).ok()


def test_arm64_starts_quickly(fallback, arm):
    """The system call that reserves a tebibyte takes 20 s there."""
    plain, loaded, program = arm

    def best(command):
        times = []
        for _ in range(7):
            done = fallback.run([*command, program, "trivial"], preload=False)
            done.ok()
            times.append(done.cpu_seconds)  # the machine may be busy
        return min(times)

    without, with_library = best(plain), best(loaded)
    print(f"qemu-aarch64: {without:.3f} s of CPU without, {with_library:.3f} with the library")
    assert with_library - without < 0.2


@pytest.fixture(scope="module")
def musl(fallback):
    compiler = need("musl-gcc", "musl-tools")
    return fallback.cmake("musl", f"-DCMAKE_C_COMPILER={compiler}", "-DMI_LIBC_MUSL=ON",
                          "-DMI_BUILD_SHARED=OFF", target="all")


@pytest.mark.parametrize("form", ["mimalloc.o", "libmimalloc.a"])
def test_musl_static(fallback, musl, form):
    program = fallback.compile("sample.c", "-static", compiler="musl-gcc", before=[musl / form]
                               if form.endswith(".o") else ["-Wl,--whole-archive", musl / form,
                                                            "-Wl,--no-whole-archive"])
    names = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout
    assert " T mi_malloc\n" in names or " t mi_malloc\n" in names
    for what in (["work"], ["short", "400"]):
        fallback.run([program, *what], preload=False).ok()


def test_musl_does_not_need_much_time(fallback, musl):
    program = fallback.compile("sample.c", "-static", compiler="musl-gcc", before=[musl / "mimalloc.o"])
    start = time.monotonic()
    for _ in range(20):
        fallback.run([program, "trivial"], preload=False).ok()
    assert time.monotonic() - start < patience(5)


@pytest.fixture(scope="module")
def musl_shared(fallback):
    """The preload library of a wheel for musl: built with the same options (python/CMakeLists.txt)."""
    compiler = need("musl-gcc", "musl-tools")
    folder = fallback.cmake("musl-shared", f"-DCMAKE_C_COMPILER={compiler}", "-DMI_LIBC_MUSL=ON",
                            "-DMI_BUILD_STATIC=OFF", "-DMI_BUILD_OBJECT=OFF", target="mimalloc")
    library = folder / "libmimalloc.so"
    needed = subprocess.run(["readelf", "-dW", library], capture_output=True, text=True, check=True).stdout
    assert "libc.so]" in needed and "libc.so.6" not in needed, needed
    assert "STATIC_TLS" not in needed, "musl refuses to load it late"
    return library


def test_musl_loaded_late(fallback, musl_shared):
    """As an interpreter loads an extension: musl has no room for static thread variables then."""
    program = fallback.compile("musl_late.c", compiler="musl-gcc")
    fallback.run([program, musl_shared], preload=False).ok()


@pytest.mark.parametrize("what", [["work"], ["short", "400"]])
def test_musl_preload(fallback, musl_shared, what):
    program = fallback.compile("sample.c", compiler="musl-gcc")
    fallback.run(["/usr/bin/env", f"LD_PRELOAD={musl_shared}", program, *what], preload=False).ok()
