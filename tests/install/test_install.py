"""The installed files, pkg-config, and consumers that use neither CMake nor pkg-config."""

import os
import shutil
import subprocess

import pytest
from consumer_support import CONSUMER, EXPECTED, ROOT, configure, run

USE_C = CONSUMER / "use.c"
USE_CPP = CONSUMER / "use.cpp"

LIBRARIES = {
    "lib/libmimalloc.so",
    "lib/libmimalloc.so.3",
    "lib/libmimalloc.so.3.4",
    "lib/mimalloc-3.4/libmimalloc.a",
    "lib/mimalloc-3.4/mimalloc.o",
    "lib/cmake/mimalloc-3.4/mimalloc.cmake",
    "lib/cmake/mimalloc-3.4/mimalloc-release.cmake",
    "lib/cmake/mimalloc-3.4/mimalloc-config.cmake",
    "lib/cmake/mimalloc-3.4/mimalloc-config-version.cmake",
    "lib/pkgconfig/mimalloc.pc",
}


def files_below(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_symlink() or p.is_file()}


def headers():
    return {path.name for path in (ROOT / "core" / "include").glob("*.h*")}


def pkg_config(prefix, *options):
    env = {"PKG_CONFIG_PATH": str(prefix / "lib" / "pkgconfig")}
    return run("pkg-config", *options, "mimalloc", env=env).split()


def compile_and_run(folder, source, *flags, library_path=None):
    compiler = "c++" if source.suffix == ".cpp" else "cc"
    run(compiler, source, "-o", folder / "use", *flags)
    env = {"LD_LIBRARY_PATH": str(library_path)} if library_path else {}
    return run(folder / "use", env=env)


# ---- layout --------------------------------------------------------------------------------------


def test_installed_files(prefix):
    expected = LIBRARIES | {f"include/mimalloc-3.4/{name}" for name in headers()}
    assert files_below(prefix) == expected


def test_links_and_soname(prefix):
    assert os.readlink(prefix / "lib/libmimalloc.so") == "libmimalloc.so.3"
    assert os.readlink(prefix / "lib/libmimalloc.so.3") == "libmimalloc.so.3.4"
    assert "[libmimalloc.so.3]" in run("readelf", "-d", prefix / "lib/libmimalloc.so")


def test_no_trace_of_the_build_folder(prefix, build):
    for name in files_below(prefix):
        assert str(build).encode() not in (prefix / name).read_bytes(), name


def test_toplevel_layout(tmp_path):
    configure(tmp_path / "b", ROOT, "-DMI_BUILD_TESTS=OFF", "-DMI_INSTALL_TOPLEVEL=ON")
    run("cmake", "--build", tmp_path / "b")
    prefix = tmp_path / "usr"
    run("cmake", "--install", tmp_path / "b", "--prefix", prefix)
    found = files_below(prefix)
    assert {"include/mimalloc.h", "lib/libmimalloc.a", "lib/mimalloc.o"} <= found
    assert not any("mimalloc-3.4" in name for name in found)
    flags = pkg_config(prefix, "--cflags", "--libs")
    assert compile_and_run(tmp_path, USE_C, *flags, library_path=prefix / "lib") == EXPECTED


def test_destdir(build, tmp_path):
    run("cmake", "--install", build, "--prefix", "/opt/x", env={"DESTDIR": str(tmp_path / "stage")})
    assert LIBRARIES <= files_below(tmp_path / "stage" / "opt" / "x")
    assert not os.path.exists("/opt/x")


def test_uninstall(tmp_path):
    configure(tmp_path / "b", ROOT, "-DMI_BUILD_TESTS=OFF", f"-DCMAKE_INSTALL_PREFIX={tmp_path}/usr")
    run("cmake", "--build", tmp_path / "b")
    run("cmake", "--install", tmp_path / "b")
    foreign = tmp_path / "usr" / "lib" / "foreign.txt"
    foreign.write_text("keep me")
    assert len(files_below(tmp_path / "usr")) > len(LIBRARIES)
    run("cmake", "--build", tmp_path / "b", "--target", "uninstall")
    assert files_below(tmp_path / "usr") == {"lib/foreign.txt"}
    assert not list((tmp_path / "usr").rglob("mimalloc-3.4"))


def test_plain_build_without_cmocka(tmp_path):
    """The three commands that everybody types, where the tests' library is not installed."""
    env = {"PKG_CONFIG_LIBDIR": "/nonexistent", "CMAKE_BUILD_PARALLEL_LEVEL": "2"}
    hide = "-DCMAKE_DISABLE_FIND_PACKAGE_cmocka=ON"
    build = tmp_path / "build"
    output = run("cmake", "-S", ROOT, "-B", build, hide, env=env)
    assert "libcmocka-dev" in output
    assert "CMAKE_BUILD_TYPE is not set: building Release" in output
    run("cmake", "--build", build, env=env)
    run("cmake", "--install", build, "--prefix", tmp_path / "usr", env=env)
    assert LIBRARIES <= files_below(tmp_path / "usr")


def test_tests_asked_for_without_cmocka(tmp_path):
    env = {"PKG_CONFIG_LIBDIR": "/nonexistent"}
    hide = "-DCMAKE_DISABLE_FIND_PACKAGE_cmocka=ON"
    output = configure(tmp_path, ROOT, hide, "-DMI_BUILD_TESTS=ON", env=env, fails=True)
    assert "install libcmocka-dev" in output


# ---- pkg-config ----------------------------------------------------------------------------------


def test_pkg_config_version(prefix):
    assert pkg_config(prefix, "--modversion") == ["3.4.3"]


@pytest.mark.parametrize("source", [USE_C, USE_CPP], ids=["c", "cpp"])
def test_pkg_config_shared(prefix, tmp_path, source):
    flags = pkg_config(prefix, "--cflags", "--libs")
    assert compile_and_run(tmp_path, source, *flags, library_path=prefix / "lib") == EXPECTED
    assert "libmimalloc.so.3" in run("readelf", "-d", tmp_path / "use")


@pytest.mark.parametrize("source", [USE_C, USE_CPP], ids=["c", "cpp"])
def test_pkg_config_static(prefix, tmp_path, source):
    flags = pkg_config(prefix, "--static", "--cflags", "--libs")
    assert compile_and_run(tmp_path, source, "-static", *flags) == EXPECTED
    assert "INTERP" not in run("readelf", "-l", tmp_path / "use")


def test_pkg_config_archive(prefix, tmp_path):
    flags = pkg_config(prefix, "--cflags") + pkg_config(prefix, "--variable=archive")
    assert compile_and_run(tmp_path, USE_C, *flags) == EXPECTED
    assert "libmimalloc" not in run("readelf", "-d", tmp_path / "use")


def test_pkg_config_moved_prefix(prefix, tmp_path):
    moved = tmp_path / "new-home"
    shutil.copytree(prefix, moved, symlinks=True)
    flags = pkg_config(moved, "--cflags", "--libs")
    assert any(str(moved) in flag for flag in flags) and not any(str(prefix) in f for f in flags)
    assert compile_and_run(tmp_path, USE_C, *flags, library_path=moved / "lib") == EXPECTED


def test_pkg_config_multiarch_libdir(build, tmp_path):
    """A library folder two levels deep, as Debian has it: the .pc file still finds its prefix."""
    folder = tmp_path / "b"
    configure(folder, ROOT, "-DMI_BUILD_TESTS=OFF", "-DCMAKE_INSTALL_LIBDIR=lib/some-linux-gnu")
    run("cmake", "--build", folder)
    prefix = tmp_path / "usr"
    run("cmake", "--install", folder, "--prefix", prefix)
    env = {"PKG_CONFIG_PATH": str(prefix / "lib/some-linux-gnu/pkgconfig")}
    flags = run("pkg-config", "--cflags", "--libs", "mimalloc", env=env).split()
    library_path = prefix / "lib/some-linux-gnu"
    assert compile_and_run(tmp_path, USE_C, *flags, library_path=library_path) == EXPECTED


# ---- by hand -------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [USE_C, USE_CPP], ids=["c", "cpp"])
def test_single_object(prefix, tmp_path, source):
    include = f"-I{prefix}/include/mimalloc-3.4"
    single = prefix / "lib/mimalloc-3.4/mimalloc.o"
    assert compile_and_run(tmp_path, source, include, single, "-pthread") == EXPECTED


def test_single_object_hides_its_internals(prefix):
    symbols = run("nm", "--defined-only", "-g", prefix / "lib/mimalloc-3.4/mimalloc.o")
    names = {line.split()[-1] for line in symbols.strip().split("\n")}
    assert "mi_malloc" in names and not [name for name in names if name.startswith("mic_")]


@pytest.mark.parametrize("source", [USE_C, USE_CPP], ids=["c", "cpp"])
def test_fully_static_executable(prefix, tmp_path, source):
    include = f"-I{prefix}/include/mimalloc-3.4"
    archive = prefix / "lib/mimalloc-3.4/libmimalloc.a"
    assert compile_and_run(tmp_path, source, "-static", include, archive, "-pthread") == EXPECTED


PLUGIN_C = "#include <mimalloc.h>\nvoid *plugin(void) { return mi_malloc(100); }\n"
HOST_C = """
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static pthread_barrier_t loaded, unloaded;
static void on_fault(int number) { _exit(number != SIGSEGV); }
static void *(*plugin)(void);
static void *thread(void *arg) {
    plugin();
    pthread_barrier_wait(&loaded);
    pthread_barrier_wait(&unloaded);
    return arg; /* what the plugin left for the end of threads must not be called any more */
}
int main(int argc, char **argv) {
    signal(SIGSEGV, on_fault);
    if (argc == 3) setenv("MIMALLOC_GUARDED_SAMPLE_RATE", "10", 1);
    pthread_barrier_init(&loaded, NULL, 2);
    pthread_barrier_init(&unloaded, NULL, 2);
    for (int i = 0; i < 3; i++) {
        void *library = dlopen(argv[argc - 1], RTLD_NOW);
        if (library == NULL) return 1;
        plugin = (void *(*)(void))dlsym(library, "plugin");
        pthread_t t;
        if (plugin() == NULL || pthread_create(&t, NULL, thread, NULL) != 0) return 2;
        pthread_barrier_wait(&loaded);
        if (dlclose(library) != 0) return 3;
        if (dlopen(argv[argc - 1], RTLD_NOW | RTLD_NOLOAD) != NULL) return 4;
        pthread_barrier_wait(&unloaded);
        pthread_join(t, NULL);
        int status = 0;
        if (fork() == 0) {
            raise(SIGSEGV);
            _exit(1);
        }
        if (wait(&status) < 0 || status != 0) return 5;
    }
    puts("unloaded");
}
"""


@pytest.mark.parametrize("how", [[], ["sampled"]], ids=["plain", "sampled"])
def test_archive_in_a_library_that_is_unloaded(prefix, tmp_path, how):
    """Threads that used it end afterwards, the process forks, and the handler of faults is that of
    the program, also if the library had one to explain them."""
    (tmp_path / "plugin.c").write_text(PLUGIN_C)
    (tmp_path / "host.c").write_text(HOST_C)
    plugin, host = tmp_path / "plugin.so", tmp_path / "host"
    archive = prefix / "lib/mimalloc-3.4/libmimalloc.a"
    include = f"-I{prefix}/include/mimalloc-3.4"
    inside = ["-Wl,--exclude-libs,ALL", "-Wl,-Bsymbolic", "-pthread"]
    run("gcc", "-shared", "-fPIC", include, tmp_path / "plugin.c", archive, *inside, "-o", plugin)
    run("gcc", tmp_path / "host.c", "-pthread", "-ldl", "-o", host)
    assert run(host, *how, plugin) == "unloaded\n"


def test_preload(prefix):
    env = {**os.environ, "LD_PRELOAD": str(prefix / "lib/libmimalloc.so")}
    done = subprocess.run(["/bin/ls", "/"], env=env, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""


# ---- options -------------------------------------------------------------------------------------

MODES = [
    ("debug", "libmimalloc-debug.so"),
    ("secure", "libmimalloc-secure.so"),
    ("hardened", "libmimalloc-secure.so"),
]


@pytest.mark.parametrize(("preset", "library"), MODES, ids=[mode[0] for mode in MODES])
def test_preset_makes_library(tmp_path, preset, library):
    folder = tmp_path / "b"
    run("cmake", "--preset", preset, "-B", folder, "-DMI_BUILD_TESTS=OFF", cwd=ROOT)
    run("cmake", "--build", folder, "--target", "mimalloc")
    assert (folder / library).exists()
    run("cc", USE_C, "-o", tmp_path / "use", f"-I{ROOT}/core/include", folder / library)
    assert run(tmp_path / "use", env={"LD_LIBRARY_PATH": str(folder)}) == EXPECTED


NO_EFFECT = """
    MI_PADDING MI_NO_PADDING MI_FREE_IS_CHECKED MI_TRACK_VALGRIND MI_TRACK_ASAN MI_TRACK_ETW
    MI_USE_CXX MI_NO_USE_CXX MI_OPT_SIMD MI_TLS_MODEL_LOCAL MI_TLS_MODEL_PTHREADS
    MI_TLS_RECURSE_GUARD MI_WIN_DIRECT_TLS MI_WIN_INIT_USE_RAW_DLLMAIN MI_WIN_INIT_USE_TLS_DLLMAIN
    MI_WIN_USE_FLS
""".split()

WITH_EFFECT = """
    MI_XMALLOC MI_SHOW_ERRORS MI_GUARDED MI_NO_THP MI_SKIP_COLLECT_ON_EXIT MI_DEBUG
    MI_DEBUG_INTERNAL MI_DEBUG_FULL MI_CHECK_FULL MI_OPT_ARCH MI_LOCAL_DYNAMIC_TLS MI_LIBC_MUSL
    MI_USE_LIBATOMIC MI_SEE_ASM
""".split()


def test_options_without_effect_say_so(tmp_path):
    options = [f"-D{name}=ON" for name in NO_EFFECT] + ["-DMI_OSX_ZONE=OFF"]
    output = configure(tmp_path, ROOT, "-DMI_BUILD_TESTS=OFF", *options)
    for name in [*NO_EFFECT, "MI_OSX_ZONE"]:
        assert f"mimalloc: {name} has no effect: " in output
    assert "not used by the project" not in output


@pytest.mark.parametrize("name", [*WITH_EFFECT, "MI_EXTRA_CPPDEFS"])
def test_option_changes_the_commands(tmp_path, build, name):
    value = "EXTRA=1;MORE" if name == "MI_EXTRA_CPPDEFS" else "ON"
    configure(tmp_path / "a", ROOT, "-DMI_BUILD_TESTS=OFF")
    configure(tmp_path / "b", ROOT, "-DMI_BUILD_TESTS=OFF", f"-D{name}={value}")
    texts = [
        (tmp_path / letter / "build.ninja").read_text().replace(f"{tmp_path}/{letter}", "")
        for letter in "ab"
    ]
    assert texts[0] != texts[1]


def test_override_off(tmp_path):
    configure(tmp_path, ROOT, "-DMI_BUILD_TESTS=OFF", "-DMI_OVERRIDE=OFF")
    run("cmake", "--build", tmp_path, "--target", "mimalloc")
    symbols = run("nm", "-D", "--defined-only", tmp_path / "libmimalloc.so")
    names = {line.split()[-1] for line in symbols.strip().split("\n")}
    assert "mi_malloc" in names and "malloc" not in names


@pytest.mark.parametrize("product", ["SHARED", "STATIC", "OBJECT"])
def test_product_left_out(tmp_path, product):
    configure(tmp_path, ROOT, "-DMI_BUILD_TESTS=OFF", f"-DMI_BUILD_{product}=OFF")
    run("cmake", "--build", tmp_path)
    run("cmake", "--install", tmp_path, "--prefix", tmp_path / "usr")
    made = {path.name for path in tmp_path.glob("*mimalloc*")}
    names = {"SHARED": "libmimalloc.so", "STATIC": "libmimalloc.a", "OBJECT": "mimalloc.o"}
    for other, name in names.items():
        assert (name in made) == (other != product)
