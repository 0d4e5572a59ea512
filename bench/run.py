#!/usr/bin/env python3
"""Measures the library beside other allocators: time, peak memory and average memory.

    bench/run.py                        everything: about 15 minutes
    bench/run.py --quick                a rough picture: about 3 minutes
    bench/run.py --only churn,pipe      cells whose names contain one of these
    bench/run.py --only churn --repetitions 15 --append FILE.json
    bench/run.py --instructions --only factor       callgrind counts in place of times
    bench/run.py --allocators secure,hardened,scudo,glibc,libmimalloc2.0    beside release, "ours"

For each repetition, for each cell, every allocator has its turn, so that what disturbs one disturbs
all. Nothing is dropped. bench/launch.c says what a run used. Output: a table, FILE.json with every
raw value, and FILE.png. docs/BENCHMARKS.md explains how to read them.
"""

import argparse
import hashlib
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile
import time

import programs
import report

CLEARED = ["LD_PRELOAD", "MALLOC_CONF", "GLIBC_TUNABLES", "PYTHONMALLOC", "MAKEFLAGS", "MFLAGS"]
RUN_SECONDS_MOST = 300
INSTRUCTION_SCALE = 5


def clean_environment():
    """No setting of the caller's may reach an allocator."""
    environment = {name: value for name, value in os.environ.items() if name not in CLEARED
                   and not name.startswith(("MIMALLOC_", "MALLOC_", "TCMALLOC_", "GIT_"))}
    environment["LC_ALL"] = "C"
    return environment


def output_of(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def describe(arguments, chosen):
    cpu = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())
    huge = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")
    versions = {}
    for name, path in chosen.items():
        package = output_of(["dpkg-query", "-S", os.path.realpath(path)]) if path else "libc6:"
        package = package.split(":")[0]
        versions[name] = output_of(["dpkg-query", "-W", "-f=${Package} ${Version}", package]) \
            if package and name != programs.OURS and name not in programs.VARIANTS else ""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "machine": {
            "cpu": cpu.group(1) if cpu else platform.machine(),
            "cpus": os.cpu_count(),
            "memory_mib": int(memory.group(1)) // 1024 if memory else 0,
            "kernel": platform.release(),
            "huge_pages": huge.read_text().strip() if huge.exists() else "",
        },
        "compiler": output_of(["gcc", "--version"]).splitlines()[0],
        "commit": output_of(["git", "-C", str(programs.ROOT), "rev-parse", "--short=12", "HEAD"]),
        "modified": bool(output_of(["git", "-C", str(programs.ROOT), "status", "--porcelain",
                                    "-uno", "core", "bindings"])),
        "library": hashlib.sha256(arguments.library.read_bytes()).hexdigest()[:16],
        "variants": {name: hashlib.sha256(path.read_bytes()).hexdigest()[:16]
                     for name, path in programs.VARIANTS.items() if name in chosen},
        "command": " ".join(["bench/run.py", *sys.argv[1:]]),
        "scale": arguments.scale,
        "allocators": versions,
    }


class Runner:
    def __init__(self, chosen, scale):
        self.allocators = chosen
        self.scale = scale
        self.environment = clean_environment()
        self.checks = {}  # cell -> the checksum that every run must show

    def preload_of(self, cell, allocator):
        path = self.allocators[allocator]
        if path is None and cell.glibc:
            return programs.find_library(cell.glibc) or "/lib/x86_64-linux-gnu/" + cell.glibc
        return path

    def launch(self, cell, allocator, prefix=()):
        """One run of one cell: the launcher's figures, laps and notes, and the checksum."""
        command = [str(programs.BUILD / "launch")]
        preload = self.preload_of(cell, allocator)
        command += ["-p", preload] if preload else []
        for name, value in cell.environment.items():
            command += ["-e", f"{name}={value}"]
        with tempfile.NamedTemporaryFile(mode="r", suffix=".json") as figures:
            command += ["-o", figures.name, *prefix, *cell.arguments(self.scale)]
            stdin = open(self.fill(cell, cell.stdin)) if cell.stdin else subprocess.DEVNULL
            process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, env=self.environment)
            client = None
            if cell.client:
                client = subprocess.run([self.fill(cell, a) for a in cell.client],
                                        capture_output=True, env=self.environment)
                if client.returncode != 0:
                    process.terminate()
            try:
                output, errors = process.communicate(timeout=RUN_SECONDS_MOST)
            except subprocess.TimeoutExpired:
                process.kill()
                return {"failure": f"no end after {RUN_SECONDS_MOST} s"}
            text = figures.read()
        if process.returncode != 0 or (client and client.returncode != 0):
            message = (client.stderr if client else b"") + errors
            return {"failure": message.decode(errors="replace").strip()[-300:]
                    or f"status {process.returncode}"}
        result = json.loads(text)
        result["errors"] = errors.decode(errors="replace")
        self.read_output(result, client.stdout if client else output)
        return result

    def fill(self, cell, text):
        size = "quick" if self.scale < programs.DEFAULT_SCALE else "full"
        return text.format(build=programs.BUILD, size=size, commands=self.scale * 12000)

    @staticmethod
    def read_output(result, output):
        lines = output.decode(errors="replace").splitlines() if len(output) < 100000 else []
        laps = {}
        for line in lines:
            words = line.split()
            if len(words) == 3 and words[0] == "lap":
                laps[words[1]] = round(laps.get(words[1], 0) + float(words[2]), 6)
        notes = [line[5:] for line in lines if line.startswith("note ")]
        checks = [line for line in lines if line.startswith("check")]
        result["check"] = checks[-1] if checks else hashlib.sha256(output).hexdigest()[:16]
        if laps:
            result["laps"] = laps
        if notes:
            result["notes"] = notes

    def run(self, cell, allocator, repetition):
        result = self.launch(cell, allocator)
        result.update(cell=cell.name, allocator=allocator, repetition=repetition)
        result.pop("errors", None)
        result.pop("status", None)
        if "failure" in result:
            print(f"bench: {cell.name} with {allocator}: {result['failure']}", file=sys.stderr)
            return result
        expected = self.checks.setdefault(cell.name, result["check"])
        if result["check"] != expected:
            result["failure"] = f"result {result['check']}, others {expected}"
            print(f"bench: {cell.name} with {allocator}: {result['failure']}", file=sys.stderr)
        return result

    def instructions(self, cell, allocator):
        valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        result = self.launch(cell, allocator, valgrind)
        match = re.search(r"Collected : (\d+)", result.get("errors", ""))
        return int(match.group(1)) if match else None


def measure_startup(runner, runs):
    """/bin/true and an empty Python program: time, faults, and private memory at the exit."""
    found = {}
    cases = {"true": ["/bin/true"], "python": [programs.debian_python(), "-c", "pass"]}
    for name, command in cases.items():
        cell = programs.Cell(f"startup-{name}", "startup", programs.CPU, command)
        count = runs if name == "true" else max(5, runs // 4)
        for allocator in runner.allocators:
            found[f"{name}/{allocator}"] = {"wall": [], "cpu": [], "minor_faults": [],
                                            "peak_kib": [], "private_dirty_kib": []}
        for number in range(count):
            for allocator in runner.allocators:
                values = found[f"{name}/{allocator}"]
                result = runner.launch(cell, allocator)
                values["wall"].append(result["wall"])
                values["cpu"].append(round(result["user"] + result["system"], 6))
                values["minor_faults"].append(result["minor_faults"])
                values["peak_kib"].append(result["peak_kib"])
                if number < 5:
                    traced = runner.launch(cell, allocator, ["-m"])
                    values["private_dirty_kib"].append(traced["private_dirty_kib"])
    return found


def choose_cells(arguments):
    cells = [*programs.workloads(), *programs.real_programs(), *programs.micro()]
    if arguments.only:
        words = arguments.only.split(",")
        cells = [cell for cell in cells if any(word in cell.name for word in words)]
    if arguments.group:
        cells = [cell for cell in cells if cell.group in arguments.group.split(",")]
    if not cells:
        sys.exit("bench: no cell of that name")
    return cells


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three short repetitions")
    parser.add_argument("--repetitions", type=int, default=0, help="default 5, with --quick 3")
    parser.add_argument("--scale", type=int, default=0,
                        help="length of a run, percent (default 40, with --quick 10)")
    parser.add_argument("--only", help="parts of cell names, with commas")
    parser.add_argument("--group", help="workload, real, micro, startup, with commas")
    parser.add_argument("--allocators", help="builds and peers beside ours, with commas: secure, "
                        "hardened, scudo, ... (default: the peers that are installed, but scudo)")
    parser.add_argument("--library", type=pathlib.Path,
                        default=programs.ROOT / "build" / "release" / "libmimalloc.so")
    parser.add_argument("--output", type=pathlib.Path, help="default bench/results/DATE.json")
    parser.add_argument("--append", type=pathlib.Path, help="add repetitions to this result")
    parser.add_argument("--instructions", action="store_true", help="count with callgrind")
    arguments = parser.parse_args()
    arguments.quick = arguments.quick or os.environ.get("QUICK") == "1"
    arguments.repetitions = arguments.repetitions or (3 if arguments.quick else 5)
    arguments.scale = arguments.scale or (
        programs.QUICK_SCALE if arguments.quick else programs.DEFAULT_SCALE)
    if arguments.instructions:
        arguments.scale = INSTRUCTION_SCALE
    if not arguments.library.exists():
        sys.exit(f"bench: {arguments.library} is missing: make build")
    return arguments


def count_instructions(runner, cells):
    print(f"{'instructions, millions':24}" + "".join(f"{name:>16}" for name in runner.allocators))
    for cell in cells:
        counts = [runner.instructions(cell, name) for name in runner.allocators]
        print(f"{cell.name:24}" + "".join(f"{count / 1e6 if count else float('nan'):16.2f}"
                                          for count in counts), flush=True)


def main():
    arguments = parse_arguments()
    names = arguments.allocators.split(",") if arguments.allocators else None
    chosen = programs.allocators(arguments.library, names)
    programs.build()
    cells = choose_cells(arguments) if arguments.group != "startup" else []
    runner = Runner(chosen, arguments.scale)
    if arguments.instructions:
        count_instructions(runner, cells)
        return 0

    result = {"about": describe(arguments, chosen), "cells": {}, "runs": [], "startup": {}}
    first = 0
    if arguments.append:
        result = json.loads(arguments.append.read_text())
        if result["about"]["scale"] != arguments.scale:
            sys.exit("bench: --append needs the same --scale")
        result["about"]["command"] += "; " + " ".join(["bench/run.py", *sys.argv[1:]])
        first = 1 + max((run["repetition"] for run in result["runs"]), default=-1)
    for cell in cells:
        result["cells"][cell.name] = {"group": cell.group, "clock": cell.clock,
                                      "command": " ".join(cell.command)}
    loads = result["about"].setdefault("load", [])
    started = time.monotonic()
    for repetition in range(first, first + arguments.repetitions):
        loads.append(os.getloadavg()[0])
        for cell in cells:
            if arguments.quick and cell.group == programs.MICRO and repetition > first:
                continue
            for allocator in chosen:
                if (arguments.quick and cell.group == programs.MICRO
                        and allocator not in (programs.OURS, programs.REFERENCE)):
                    continue
                result["runs"].append(runner.run(cell, allocator, repetition))
        print(f"bench: repetition {repetition - first + 1} of {arguments.repetitions}, "
              f"{time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    if not arguments.only and (not arguments.group or "startup" in arguments.group):
        result["startup"] = measure_startup(runner, 25 if arguments.quick else 200)
    result["about"]["seconds"] = round(time.monotonic() - started)

    output = arguments.output or arguments.append or (
        programs.BENCH / "results" / time.strftime("%Y%m%d-%H%M%S.json"))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=1) + "\n")
    text = report.text(result)
    output.with_suffix(".txt").write_text(text)
    print(text)
    report.plot(result, output.with_suffix(".png"))
    print(f"bench: {output} (.txt, .png)", file=sys.stderr)
    failed = any("failure" in run for run in result["runs"] if run["allocator"] == programs.OURS)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
