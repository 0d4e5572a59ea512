"""What is measured: the allocators, the workloads, the real programs, and how each is started."""

import dataclasses
import glob
import os
import pathlib
import shutil
import subprocess
import sys

BENCH = pathlib.Path(__file__).resolve().parent
ROOT = BENCH.parent
BUILD = ROOT / "build" / "bench"

sys.path.insert(0, str(BENCH / "real"))
import generate  # noqa: E402

OURS = "ours"
REFERENCE = "libmimalloc2.0"

# Other builds of ours; measured when they are asked for by name.
VARIANTS = {
    "secure": ROOT / "build" / "secure" / "libmimalloc-secure.so",
    "hardened": ROOT / "build" / "hardened" / "libmimalloc-secure.so",
}

# Searched for in the folders of the dynamic linker; None: nothing is preloaded.
PEERS = {
    "glibc": None,
    REFERENCE: "libmimalloc.so.2.0",
    "jemalloc": "libjemalloc.so.2",
    "tcmalloc": "libtcmalloc_minimal.so.4",
}
# Peers that are measured when they are asked for by name: slow on purpose, since they check.
PEERS_ON_REQUEST = {
    "scudo": f"libclang_rt.scudo_standalone-{os.uname().machine}.so",
}
FOLDERS = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib",
           *sorted(glob.glob("/usr/lib/llvm-*/lib/clang/*/lib/linux"))]

CPU, WALL = "cpu", "wall"
WORKLOAD, REAL, MICRO = "workload", "real", "micro"

DEFAULT_SCALE = 40
QUICK_SCALE = 10


@dataclasses.dataclass
class Cell:
    """One program with its arguments. `{scale}` in an argument becomes percent of full length."""

    name: str
    group: str
    clock: str  # the clock that counts: CPU for one thread, WALL where threads wait for each other
    command: list
    environment: dict = dataclasses.field(default_factory=dict)
    stdin: str = None
    client: list = None  # run beside the program, without a preloaded allocator; its output counts
    # What to preload for "glibc" in a program that is linked with another allocator.
    glibc: str = None

    def arguments(self, scale):
        size = "quick" if scale < DEFAULT_SCALE else "full"
        stages = 0 if scale < DEFAULT_SCALE else 2
        return [a.format(scale=scale, size=size, stages=stages, bench=BENCH, build=BUILD,
                         commands=scale * 12000) for a in self.command]


def workload(name, clock, program, *arguments):
    return Cell(name, WORKLOAD, clock, [f"{{build}}/{program}", *arguments, "{scale}"])


def workloads():
    single = ["pairs", "batch", "churn", "strings", "tree", "factor", "minimise"]
    cells = [workload(name, CPU, name) for name in single]
    cells += [workload(f"handover-{n}", WALL, "handover", str(n)) for n in (2, 16)]
    cells += [workload(f"pipe-{shape}", WALL, "pipe", shape) for shape in ("1:1", "n:1", "1:n")]
    cells += [workload(f"storm-{n}", WALL, "storm", str(n)) for n in (2, 16, 64)]
    # breathe sleeps between its waves, so that its wall time says nothing.
    cells += [workload(name, CPU, name) for name in ("breathe", "grow", "big", "zero", "aligned")]
    return cells


def micro():
    return [Cell(name, MICRO, CPU, [f"{{build}}/{name}", "{scale}"])
            for name in ("side_by_side", "zero_pages")]


def debian_python():
    return "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable


def python_cell(name):
    return Cell(f"python-{name.replace('_', '-')}", REAL, CPU,
                [debian_python(), "-S", f"{{bench}}/real/{name}.py", "{scale}"],
                {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"})


def gcc_command():
    """The compiler proper: the driver only starts it, and would hide its memory."""
    compiler = subprocess.run(["gcc", "-print-prog-name=cc1plus"], capture_output=True,
                              text=True).stdout.strip()
    target = subprocess.run(["gcc", "-print-multiarch"], capture_output=True,
                            text=True).stdout.strip()
    return [compiler, "-quiet", "-imultiarch", target, "-D_GNU_SOURCE", "-std=c++17", "-O1",
            "-DSTAGES={stages}", "{bench}/real/templates.cpp", "-o", "-"]


def real_programs():
    socket = str(BUILD / "redis.sock")
    cells = [
        Cell("redis", REAL, CPU,
             ["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly",
              "no", "--enable-debug-command", "yes", "--loglevel", "warning", "--dir",
              "{build}"],
             client=["{build}/redis_client", socket, "{commands}"], glibc="libc.so.6"),
        Cell("sqlite3", REAL, CPU, ["sqlite3", ":memory:"], stdin="{build}/data/{size}.sql"),
        *[python_cell(name) for name in ("json_load", "dicts", "lists", "strings")],
        Cell("gcc", REAL, CPU, gcc_command()),
        Cell("clang++", REAL, CPU, ["clang++", "-std=c++17", "-O1", "-DSTAGES={stages}", "-S",
                                    "{bench}/real/templates.cpp", "-o", "-"]),
        # The part of `git repack` that takes the time, in one process.
        Cell("git-repack", REAL, CPU,
             ["git", "-C", "{build}/data/{size}.git", "pack-objects", "--all", "--threads=1",
              "--no-reuse-delta", "--no-reuse-object", "--stdout", "-q"]),
        Cell("lua", REAL, CPU, ["lua5.4", "{bench}/real/objects.lua", "{scale}"]),
        Cell("perl", REAL, CPU, ["perl", "{bench}/real/records.pl", "{scale}"],
             {"PERL_HASH_SEED": "0"}),
        Cell("z3", REAL, CPU, ["z3", "{build}/data/{size}.smt2"]),
        Cell("gs", REAL, CPU, ["gs", "-q", "-dBATCH", "-dNOPAUSE", "-sDEVICE=ppmraw", "-r72",
                               "-o", "-", "{build}/data/{size}.ps"]),
        Cell("node", REAL, CPU, ["node", "{bench}/real/buffers.js", "{scale}"]),
    ]
    return [cell for cell in cells if shutil.which(cell.command[0])]


def find_library(name):
    for folder in FOLDERS:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return path
    return None


def allocators(library, names=None):
    """{name: path to preload, or None}; peers that are not installed are left out, and said so."""
    found = {OURS: str(library)}
    peers = {**PEERS, **PEERS_ON_REQUEST}
    unknown = set(names or ()) - {OURS, *peers, *VARIANTS}
    if unknown:
        sys.exit(f"bench: no allocator of the name {', '.join(sorted(unknown))}; there are "
                 f"{', '.join([*peers, *VARIANTS])}")
    for name in names or ():
        if name in VARIANTS and not VARIANTS[name].exists():
            sys.exit(f"bench: {VARIANTS[name]} is missing: cmake --preset {name} && "
                     f"cmake --build --preset {name} --target mimalloc")
    found.update({name: str(path) for name, path in VARIANTS.items() if name in (names or ())})
    for name, file in peers.items():
        if name not in (PEERS if names is None else names):
            continue
        path = find_library(file) if file else None
        if file and path is None:
            print(f"bench: {name} is not installed: left out", file=sys.stderr)
        else:
            found[name] = path
    return found


def build():
    """Compiles launcher, workloads and client into build/bench; makes the inputs."""
    BUILD.mkdir(parents=True, exist_ok=True)
    common = ["-O2", "-g", "-Wall", "-Wextra", "-pthread"]
    # The compiler may not drop a pair of malloc and free that it sees through.
    c_flags = ["-std=gnu11", "-fno-builtin-malloc", "-fno-builtin-free", "-fno-builtin-calloc"]
    headers = sorted((BENCH / "workloads").glob("*.h"))
    sources = [*(BENCH / "workloads").glob("*.c*"), *(BENCH / "micro").glob("*.c"),
               BENCH / "real" / "redis_client.c", BENCH / "launch.c"]
    for source in sources:
        target = BUILD / source.stem
        newest = max(path.stat().st_mtime for path in [source, *headers])
        if target.exists() and target.stat().st_mtime > newest:
            continue
        compiler = ["g++", "-std=c++17"] if source.suffix == ".cpp" else ["gcc", *c_flags]
        static = ["-static"] if source.stem == "launch" else []
        subprocess.run([*compiler, *common, *static, "-o", str(target), str(source)], check=True)
    generate.ensure(BUILD / "data")
