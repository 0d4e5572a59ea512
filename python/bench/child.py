"""Runs one workload in this process and prints what it took, as one line of JSON.

    child.py NAME SIZE [raw|all]      the third: mimalloc.install() with it, first

Size 0 runs nothing: what is left is the start. Peak memory is VmHWM: ru_maxrss survives exec, so it
may be that of the process that started this one.
"""

import json
import resource
import sys

import workloads


def memory_kib(key):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(key):
                return int(line.split()[1])
    raise LookupError(key)


def main(name, size, domains=None):
    if domains:
        import mimalloc

        mimalloc.install(domains)
    run = workloads.WORKLOADS[name]
    start = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    result = run(int(size)) if int(size) else None
    user = resource.getrusage(resource.RUSAGE_SELF).ru_utime - start
    report = {"user": user, "peak_kib": memory_kib("VmHWM:"), "end_kib": memory_kib("VmRSS:")}
    print(json.dumps({**report, "result": repr(result)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
