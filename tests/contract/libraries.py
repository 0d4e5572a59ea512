"""Programs that are run on a library of one's choice: linked with a stand-in that only has the
names, and given the real one when they start."""

import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "core" / "include"
DEBIAN = pathlib.Path("/usr/lib/x86_64-linux-gnu/libmimalloc.so.2.0")
# MIMALLOC_BUILDS: another folder with these in it
BUILD = pathlib.Path(os.environ.get("MIMALLOC_BUILDS", ROOT / "build"))
BUILDS = {
    "release": BUILD / "release" / "libmimalloc.so",
    "debug": BUILD / "debug" / "libmimalloc-debug.so",
    "secure": BUILD / "secure" / "libmimalloc-secure.so",
}
NO_SUCH_FUNCTION = 127  # the status with which the dynamic linker ends a program
TESTED = "libtested.so"


def run(*command, **options):
    words = [str(word) for word in command]
    result = subprocess.run(words, capture_output=True, text=True, **options)
    assert result.returncode == 0, f"{command}\n{result.stderr}"
    return result.stdout


class Program:
    """A program of one source file."""

    def __init__(self, source, folder, compiler, *flags):
        self.folder = folder
        self.path = folder / "program"
        objects, stand_in = folder / "program.o", folder / "stand-in.so"
        warnings = ["-Wall", "-Wextra", "-Werror"]
        run(compiler, *flags, *warnings, "-O1", "-g", "-I", INCLUDE, "-c", source, "-o", objects)
        names = re.findall(r"\bU (mi_\w+)", run("nm", "-u", objects))
        (folder / "stand-in.c").write_text("\n".join(f"void {name}(void) {{}}" for name in names))
        link = ["-shared", "-fPIC", "-w", f"-Wl,-soname,{TESTED}"]
        run("gcc", *link, folder / "stand-in.c", "-o", stand_in)
        run(compiler, objects, stand_in, "-pthread", "-Wl,-z,lazy", "-o", self.path)

    def run(self, library, *arguments, limit_seconds=600, **environment):
        """(status, stderr); a status below 0 is a signal, 9 after the time is over."""
        home = self.folder / f"on-{library.parent.name}-{library.name}"
        home.mkdir(exist_ok=True)
        link = home / TESTED
        if not link.is_symlink():
            link.symlink_to(library.resolve())
        environment = {
            "PATH": "/usr/bin:/bin",
            "LD_LIBRARY_PATH": str(home),
            "LD_PRELOAD": str(library.resolve()),
            **environment,
        }
        process = subprocess.Popen(
            [self.path, *arguments],
            env=environment,
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            text = process.communicate(timeout=limit_seconds)[1]
            return process.returncode, text
        except subprocess.TimeoutExpired:
            process.kill()
            return -9, f"stopped after {limit_seconds} s"
