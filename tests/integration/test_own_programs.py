"""Small programs of our own, each for what real programs do to an allocator only now and then."""

import pytest
from preload_harness import scaled

CXX = ("-std=c++17", "-pthread")


def test_libc_users(preload, tmp_path):
    """NSS, resolver, locales, iconv, qsort, regcomp, stdio, popen, scandir, tsearch, obstacks."""
    preload.compare("libc users", [preload.compile("libc_users.c", "-pthread")], cwd=tmp_path)


def test_cpp_threads(preload, tmp_path):
    program = preload.compile("cpp_threads.cpp", *CXX)
    preload.compare("C++ threads", [program, scaled(20000)], cwd=tmp_path, timeout=120)


def test_new_handlers(preload, tmp_path):
    preload.need_ours()
    preload.compare("new handlers", [preload.compile("new_handlers.cpp", *CXX)], cwd=tmp_path)


def test_dlopen_in_threads(preload, tmp_path):
    plugin = preload.compile("plugin.cpp", "-shared", "-fPIC", *CXX, output="plugin.so")
    program = preload.compile("dlopen_thread.c", "-pthread")
    preload.compare("dlopen in threads", [program, plugin, scaled(300)], cwd=tmp_path)


@pytest.mark.parametrize("threads", [1, 3, 16])
def test_fork_while_threads_allocate(preload, tmp_path, threads):
    program = preload.compile("fork_threads.c", "-pthread")
    # The hardened build holds back much memory for each thread, all of which a fork copies.
    preload.compare(
        f"fork, {threads} threads", [program, scaled(300), threads], cwd=tmp_path, timeout=300
    )


@pytest.mark.parametrize(
    ("way", "status"),
    [
        ("return", 0),
        ("exit", 3),
        ("quick", 4),
        ("thread-exit", 5),
        ("main-thread-exit", 0),
        ("detached", 6),
        ("signal", -6),
    ],
)
def test_end_of_process(preload, tmp_path, way, status):
    """Allocation in destructors of threads, keys and static objects, however the process ends."""
    program = preload.compile("late_frees.cpp", *CXX)
    for _ in range(scaled(10)):
        preload.compare("ends of process", [program, way], cwd=tmp_path, status=status)
