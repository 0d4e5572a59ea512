"""git on a repository of 20,000 objects: import, clone, repack with threads, check."""

import pytest
from preload_harness import PROGRAMS, need, scaled

ENV = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "pack.threads",
    "GIT_CONFIG_VALUE_0": "2",
    "GIT_CONFIG_KEY_1": "gc.auto",
    "GIT_CONFIG_VALUE_1": "0",
}
COMMITS = 2900
OBJECTS = 20_000


@pytest.fixture(scope="module")
def git(preload, tmp_path_factory):
    """compare(table name, arguments...): one git command in both folders, in their present state."""
    program = need("git", "git")
    folder = tmp_path_factory.mktemp("git")

    def compare(name, *arguments, **options):
        return preload.compare(name, [program, *arguments], cwd=folder, env=ENV, **options)

    compare.folder = folder
    return compare


def test_everyday_work_of_a_repository(preload, git):
    """One after the other, since each needs what the one before left."""
    stream = git.folder / "stream"
    commits = scaled(COMMITS, most=10 * COMMITS)
    generator = ["/usr/bin/python3", PROGRAMS / "history.py", commits]
    stream.write_bytes(preload.run(generator, False, cwd=git.folder, timeout=120).stdout)

    git("git init", "init", "-q", "--bare", "first.git")
    first = ("--git-dir=first.git",)
    git("git fast-import", *first, "fast-import", "--quiet", stdin=stream, timeout=200)
    plain, _ = git("git rev-list", *first, "rev-list", "--objects", "--all", timeout=120)
    assert len(plain.stdout.splitlines()) >= OBJECTS * commits // COMMITS

    # --no-local: packs, sends and indexes the objects, rather than to link the files.
    clone = ("clone", "-q", "--bare", "--no-local", "first.git", "second.git")
    git("git clone", *clone, timeout=200)
    second = ("--git-dir=second.git",)
    git("git repack", *second, "repack", "-a", "-d", "-f", "-q", timeout=280)
    git("git fsck", *second, "fsck", "--full", "--strict", "--no-progress", timeout=200)
    every = ("cat-file", "--batch-all-objects", "--batch-check")
    git("git cat-file", *second, *every, timeout=120)
    git("git log", *second, "log", "--stat", "-p", "-n", scaled(300), "main", timeout=200)
    git("git blame", *second, "blame", "main", "--", "folder-3/file-3", timeout=120)
    git("git archive", *second, "archive", "--format=tar", "main", timeout=120)
