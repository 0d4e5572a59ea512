"""redis-server under load, with background saves (fork) meanwhile, a reload and a restart.

What a fixed list of commands leaves behind must have the same digest without and with the library;
what redis-benchmark leaves behind is random, and must survive reload and restart.
"""

import random
import socket
import subprocess
import time

import pytest
from preload_harness import kill_group, need, patience, scaled

BENCHMARK_TESTS = "set,get,incr,lpush,rpop,sadd,hset,spop,zadd,zpopmin,lrange_100,mset"


class Client:
    """As much of the redis protocol as is needed here."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=patience(120))
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    @staticmethod
    def _encode(command):
        parts = [part if isinstance(part, bytes) else str(part).encode() for part in command]
        return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts)

    def _reply(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self._reply() for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest

    def ask(self, *command):
        self.socket.sendall(self._encode(command))
        return self._reply()

    def ask_many(self, commands, at_once=200):
        waiting = []
        for command in commands:
            waiting.append(self._encode(command))
            if len(waiting) == at_once:
                self._flush(waiting)
        self._flush(waiting)

    def _flush(self, waiting):
        self.socket.sendall(b"".join(waiting))
        for _ in waiting:
            self._reply()
        waiting.clear()


def commands(count):
    """Every type, growing and shrinking, in small and in large encodings; always the same."""
    chance = random.Random(6379)
    text = lambda most: bytes(chance.choices(b"abcdefgh0123", k=chance.randrange(1, most)))
    for i in range(count):
        key = chance.randrange(count // 10)
        member = chance.randrange(3000)
        yield chance.choice(
            [
                ("SET", f"string:{key}", text(2000)),
                ("APPEND", f"string:{key}", text(300)),
                ("SETRANGE", f"range:{key % 50}", chance.randrange(100_000), text(100)),
                ("DEL", f"string:{chance.randrange(count // 10)}"),
                ("LPUSH", f"list:{key % 100}", text(60), text(10)),
                ("RPOP", f"list:{key % 100}"),
                ("LTRIM", f"list:{key % 100}", 0, 400),
                ("HSET", f"hash:{key % 100}", f"field{member}", text(120)),
                ("HDEL", f"hash:{key % 100}", f"field{chance.randrange(3000)}"),
                ("SADD", f"set:{key % 100}", member, text(5)),
                ("SREM", f"set:{key % 100}", chance.randrange(3000)),
                ("ZADD", f"ranking:{key % 100}", chance.randrange(10_000), f"member{member}"),
                ("ZREMRANGEBYRANK", f"ranking:{key % 100}", 0, 2),
                ("XADD", f"stream:{key % 20}", f"{i + 1}-1", "name", text(40)),
                ("PFADD", f"count:{key % 20}", text(10)),
                ("SUNIONSTORE", f"union:{key % 20}", f"set:{key % 100}", f"set:{member % 100}"),
                ("EVAL", "return redis.call('incrby', KEYS[1], string.len(ARGV[1]))", 1,
                 f"sum:{key % 50}", text(50)),
            ]
        )


class Server:
    def __init__(self, preload, preloaded, folder):
        self.preload, self.preloaded, self.folder = preload, preloaded, folder
        folder.mkdir(exist_ok=True)
        self.program = need("redis-server", "redis-server")

    def __enter__(self):
        for _ in range(5):  # another program may take the port between the look and the use
            self.port = _free_port()
            if self._start():
                return self
        pytest.fail(f"redis-server does not start:\n{self.log()}")

    def _start(self):
        argv = [self.program, "--port", self.port, "--bind", "127.0.0.1", "--dir", self.folder]
        argv += ["--save", "", "--appendonly", "no", "--enable-debug-command", "yes"]
        argv += ["--daemonize", "no", "--loglevel", "notice"]
        log = open(self.folder / "server.log", "ab")
        self.child = self.preload.start(
            argv, self.preloaded, self.folder, stdout=log, stderr=subprocess.STDOUT
        )
        log.close()
        deadline = time.monotonic() + patience(30)
        while time.monotonic() < deadline and self.child.poll() is None:
            try:
                self.client = Client(self.port)
                self.client.ask("PING")
                return True
            except (OSError, RuntimeError):  # not yet, or still loading its data
                time.sleep(0.05)
        self._kill()
        return False

    def __exit__(self, kind, *_):
        if kind is not None:
            self._kill()
            return
        try:
            self.client.socket.sendall(Client._encode(["SHUTDOWN", "NOSAVE"]))
            self.child.wait(patience(60))
        finally:
            self._kill()
        run = self.preload.finish(self.child)
        self.preload.record("redis-server", run, self.preloaded)
        assert run.status == 0, f"{run.command}\nexit status {run.status}\n{self.log()}"
        assert run.loaded == self.preloaded, f"loaded: {run.loaded}\n{run.command}"

    def _kill(self):
        kill_group(self.child.pid)
        self.child.wait()

    def log(self):
        return (self.folder / "server.log").read_text(errors="replace")[-6000:]

    def ask(self, *command):
        return self.client.ask(*command)

    def digest(self):
        return self.ask("DEBUG", "DIGEST").decode()

    def persistence(self):
        text = self.ask("INFO", "persistence").decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def wait_for_save(self):
        deadline = time.monotonic() + patience(60)
        while self.persistence()["rdb_bgsave_in_progress"] != "0":
            assert time.monotonic() < deadline, f"the saving child hangs\n{self.log()}"
            time.sleep(0.02)
        assert self.persistence()["rdb_last_bgsave_status"] == "ok", self.log()

    def save_while_busy(self):
        """redis-benchmark in database 1, and one background save after the other meanwhile."""
        benchmark = need("redis-benchmark", "redis-tools")
        argv = [benchmark, "-h", "127.0.0.1", "-p", self.port, "--dbnum", 1, "-q", "-P", 16]
        argv += ["-n", scaled(40_000), "-r", 5000, "-d", 200, "-t", BENCHMARK_TESTS]
        saves = 0
        load = subprocess.Popen(list(map(str, argv)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            while load.poll() is None:
                self.ask("BGSAVE")
                self.wait_for_save()
                saves += 1
            told = load.stdout.read().decode(errors="replace")
        finally:
            load.kill()
            load.wait()
            load.stdout.close()
        assert load.returncode == 0 and "rror" not in told, f"{told}\n{self.log()}"
        assert saves >= 2, "the load ended before the second save"


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def life_of_a_server(preload, preloaded, folder):
    with Server(preload, preloaded, folder) as server:
        server.client.ask_many(commands(scaled(60_000)))
        fixed = server.digest()
        server.save_while_busy()
        all_data = server.digest()
        assert all_data != fixed, "redis-benchmark left nothing behind"
        server.ask("DEBUG", "RELOAD")
        assert server.digest() == all_data, "DEBUG RELOAD changed the data"
        server.ask("MEMORY", "PURGE")
        server.ask("MEMORY", "STATS")
        server.ask("SAVE")
    with Server(preload, preloaded, folder) as server:
        assert server.digest() == all_data, "a restart changed the data"
        server.ask("SELECT", 1)
        server.ask("FLUSHDB", "ASYNC")
        assert server.digest() == fixed, "the fixed part of the data changed"
    return fixed


def test_same_data(preload, tmp_path):
    need("redis-benchmark", "redis-tools")
    plain = life_of_a_server(preload, False, tmp_path / "without")
    loaded = life_of_a_server(preload, True, tmp_path / "with")
    assert plain == loaded
