# cluster.py - the sandbox that a benchmark runs in, and psql and pgbench within it.
#
# Everything that is started belongs to one directory under /tmp, and is ended and removed by down(),
# which may be called at any time.
import glob
import os
import shutil
import subprocess
import tempfile


class CommandFailed(Exception):
    pass


def memory_bytes():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


# What anybody would set on a machine of its own for this: all data in shared_buffers, no checkpoint and no
# vacuum in the middle, memory and workers enough for pgvector to build in one go, by all cores.
def postgres_conf(cores):
    megabytes = memory_bytes() >> 20
    return f"""
shared_buffers = {min(4096, megabytes // 4)}MB
effective_cache_size = {megabytes // 2}MB
maintenance_work_mem = {min(2048, megabytes // 6)}MB
max_worker_processes = {cores + 16}
max_parallel_workers = {cores + 8}
max_parallel_maintenance_workers = {cores}
max_wal_size = 16GB
checkpoint_timeout = 1h
autovacuum = off
jit = off
"""


# Written to disk soon after it is ready, so that disk_bytes, and memory after it, are known.
VECTORD_TOML = '[checkpoint]\ninterval = "5s"\n'


class Cluster:
    def __init__(self, root, cores):
        self.root, self.cores = root, cores
        self.work = tempfile.mkdtemp(prefix="vector_fdw-bench.", dir="/tmp")
        os.chmod(self.work, 0o755)  # as root, user postgres lives in it
        self.env = None
        self.bin = subprocess.run([os.environ.get("PG_CONFIG") or "pg_config", "--bindir"], check=True,
                                  capture_output=True, text=True).stdout.strip()

    def up(self):
        conf, toml = os.path.join(self.work, "bench.conf"), os.path.join(self.work, "bench.toml")
        with open(conf, "w") as out:
            out.write(postgres_conf(self.cores))
        with open(toml, "w") as out:
            out.write(VECTORD_TOML)
        env = dict(os.environ, SANDBOX_PG_CONF=conf, SANDBOX_VECTORD_TOML=toml, SANDBOX_DATABASES="")
        self._sandbox("up", env)
        shown = subprocess.run(["bash", "-c", f". {self.work}/sandbox/env && env -0"], check=True,
                               capture_output=True, text=True).stdout
        self.env = dict(line.split("=", 1) for line in shown.split("\0") if "=" in line)
        self.env["PGCONNECT_TIMEOUT"] = "20"

    def down(self):
        if os.path.isdir(os.path.join(self.work, "sandbox")):
            self._sandbox("down", dict(os.environ))
        shutil.rmtree(self.work, ignore_errors=True)

    def _sandbox(self, verb, env):
        done = subprocess.run([os.path.join(self.root, "test/sandbox"), verb, os.path.join(self.work, "sandbox")],
                              env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True)
        if done.returncode != 0:
            raise CommandFailed(f"test/sandbox {verb} failed:\n{done.stderr}")

    def _with_settings(self, settings):
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        return dict(self.env, PGOPTIONS=options)

    def _psql(self):
        return [os.path.join(self.bin, "psql"), "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1"]

    # What the statements print. settings: of the session.
    def sql(self, text, settings={}):
        done = subprocess.run(self._psql(), env=self._with_settings(settings), input=text, capture_output=True,
                              text=True)
        if done.returncode != 0:
            raise CommandFailed(done.stderr.strip())
        return done.stdout

    def value(self, text, settings={}):
        return self.sql(text, settings).strip()

    # producer: a command that writes binary COPY data; None: the file `path` in text format
    def copy(self, table, producer=None, path=None):
        if producer is None:
            with open(path) as rows:
                self._copy(f"COPY {table} FROM STDIN", rows)
            return
        with subprocess.Popen(producer, stdout=subprocess.PIPE) as process:
            try:
                self._copy(f"COPY {table} FROM STDIN (FORMAT binary)", process.stdout)
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            raise CommandFailed(f"{' '.join(producer)} ended with status {process.returncode}")

    def _copy(self, statement, rows):
        done = subprocess.run(self._psql() + ["-c", statement], env=self.env, stdin=rows, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise CommandFailed(done.stderr.strip())

    # Milliseconds of every transaction, by pgbench's own log, and transactions per second. Of a run that lasts
    # some seconds the first quarter does not count: each session plans its first search, and with many clients
    # that is a good part of what the machine does then.
    def pgbench(self, script, clients, duration, settings):
        prefix, path = os.path.join(self.work, "log"), os.path.join(self.work, "script.sql")
        with open(path, "w") as out:
            out.write(script)
        command = [os.path.join(self.bin, "pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j",
                   str(min(clients, self.cores)), duration[0], str(duration[1]), "-l", f"--log-prefix={prefix}", "-f",
                   path]
        done = subprocess.run(command, env=self._with_settings(settings), capture_output=True, text=True)
        failed = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        if done.returncode != 0 or failed:
            raise CommandFailed("pgbench: " + (failed[0] if failed else done.stderr.strip()))
        ends = []  # (when it ended, in seconds; milliseconds it took)
        for log in glob.glob(prefix + ".*"):
            with open(log) as lines:
                for _, _, took, _, second, micros in (line.split()[:6] for line in lines):
                    ends.append((int(second) + int(micros) / 1e6, int(took) / 1000))
            os.remove(log)
        if not ends:
            raise CommandFailed("pgbench finished no transaction: " + done.stdout)
        first, last = min(ends)[0], max(ends)[0]
        begin = first + duration[1] / 4 if duration[0] == "-T" else first
        times = [took for end, took in ends if end > begin]
        if not times:
            raise CommandFailed("pgbench finished no transaction after the first: " + done.stdout)
        return times, len(times) / (last - begin)
