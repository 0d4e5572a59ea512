"""Helpers of the consumer matrix: run a command, make a consumer project."""

import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONSUMER = pathlib.Path(__file__).resolve().parent / "consumer"
EXPECTED = "version 30403, malloc is ours\n"


def run(*command, cwd=None, env=None, fails=False):
    """Runs a command and returns its output; with fails=True it must not succeed."""
    inherited = {name: value for name, value in os.environ.items() if name != "DESTDIR"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**inherited, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    words = " ".join(str(word) for word in command)
    what = f"{words}\nexit status {done.returncode}\n{done.stdout}"
    assert (done.returncode != 0) == fails, what
    return done.stdout


def configure(build, source=ROOT, *options, **keywords):
    return run("cmake", "-S", source, "-B", build, "-G", "Ninja", *options, **keywords)


def cmake_project(folder, text, language="C"):
    """A consumer project in `folder`; @USE@ in `text` makes its program, `use`."""
    source = "use.c" if language == "C" else "use.cpp"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(CONSUMER / source, folder)
    text = text.replace("@USE@", f"add_executable(use {source})\n")
    head = "cmake_minimum_required(VERSION 3.21)\nproject(consumer LANGUAGES C CXX)\n"
    (folder / "CMakeLists.txt").write_text(head + text + "\n")
    return folder
