"""The relays that the bench compares, and what they run between: each is started with a generated configuration, listens
in the bench's directory or on a free port of the loopback interface, and ends with the bench.

Routes have two letters, for the listener and the target: u is a Unix socket, t a TCP port, and r the TCP port of Redis.
"""
import contextlib
import functools
import json
import os
import pathlib
import re
import resource
import shlex
import shutil
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROUTES = ("uu", "ut", "tu")
WINEPREFIX = ROOT / "build/bench/wine"
PROXYD = "/usr/lib/systemd/systemd-socket-proxyd"
WINE, SOCAT_EXEC = "uvrelay wine", "socat EXEC"
SOON = 60


class Missing(Exception):
    """A program that a figure needs is not here; the text says which."""


class Failed(Exception):
    """A program of the bench failed; the text says how."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def find(*names):
    """The path of the first of these programs that is installed; /usr/sbin is not on every user's PATH."""
    for name in names:
        if path := shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"):
            return path
    raise Missing(f"{names[0]} is not installed")


def children(pid):
    with contextlib.suppress(OSError):
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            yield from map(int, (task / "children").read_text().split())


def descendants(pid):
    for child in children(pid):
        yield child
        yield from descendants(child)


def resident_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1])
    raise Failed(f"process {pid} has no memory")


class Process:
    """A process of the bench, which the kernel ends if the bench itself is killed."""

    def __init__(self, place, name, command, env=None, **options):
        self.name, self.log = name, place.directory / f"{name}.log"
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *map(str, command)], stderr=log,
                                          env={**os.environ, **(env or {})}, cwd=place.directory,
                                          **{"stdin": subprocess.DEVNULL, "stdout": log, **options})
        self.pid = self.popen.pid
        place.stack.callback(self.stop)

    def stop(self):
        """Ends it and what it has started. Tools such as strace report when the process that they run ends."""
        if self.popen.poll() is None:
            family = list(descendants(self.pid))
            first = family[0] if self.traced and family else self.pid
            for _ in range(20):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(first, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.popen.wait(1)  # some miss a signal that comes just before they wait
                    break
            else:
                self.popen.kill()
                self.popen.wait()
            for pid in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for stream in (self.popen.stdin, self.popen.stdout):
            if stream:
                stream.close()

    traced = False

    def wait_for(self, addresses):
        """Until it listens on these."""
        end = time.monotonic() + SOON
        for address in addresses:
            while not answers(address):
                if self.popen.poll() is not None or time.monotonic() > end:
                    raise Failed(f"{self.name} does not listen on {address}: {self.last_words()}")
                time.sleep(0.01)

    def last_words(self):
        return " ".join(self.log.read_text(errors="replace").split("\n")[-4:]).strip() or "it printed nothing"


def answers(address):
    """Whether something listens there, as the kernel says: connecting would start what socket activation starts."""
    scheme, _, where = address.partition(":")
    if scheme == "unix":
        # HAProxy listens under another name first and then renames the file; listeners have the flag 00010000.
        return os.path.exists(where) and bool(re.search(rf" 00010000 .* {re.escape(where)}[.\w]*$",
                                                        pathlib.Path("/proc/net/unix").read_text(), re.M))
    return f"0100007F:{int(where):04X} 00000000:0000 0A" in pathlib.Path("/proc/net/tcp").read_text()


class Place:
    """Where the programs of a figure run: a directory, the server behind all relays, and the relays, by name."""

    def __init__(self, directory, programs):
        self.directory, self.programs, self.stack = pathlib.Path(directory), programs, contextlib.ExitStack()
        self.directory.mkdir(parents=True, exist_ok=True)
        self._relays, self._count, self.wine = {}, 0, False
        self.server = Process(self, "target", [programs.bench / "target_unix", f"unix:{self.directory}/target", "tcp:0"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        line = self.server.popen.stdout.readline().split()
        if not line:
            raise Failed(f"the target did not start: {self.server.last_words()}")
        self.target = {"u": f"unix:{self.directory}/target", "t": f"tcp:{int(line[0])}"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def redis(self):
        """Redis, as the target `r`; started when it is first asked for."""
        if "r" not in self.target:
            port = free_port()
            Process(self, "redis", [find("redis-server"), "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly",
                                    "no", "--dir", self.directory]).wait_for([f"tcp:{port}"])
            self.target["r"] = f"tcp:{port}"

    def relay(self, name, routes=ROUTES, tool=(), fresh=False):
        """The running relay of this name; `fresh` starts another one, which `stop()` ends. `tool` runs it."""
        key = (name, tuple(routes))
        if not fresh and not tool and key in self._relays and self._relays[key].runs():
            return self._relays[key]
        self._count += 1
        relay = Relay(self, name, routes, tool, f"{name.replace(' ', '-')}-{self._count}")
        if not fresh and not tool:
            self._relays[key] = relay
        return relay


class Relay:
    """A running relay. `pids` are the processes whose time counts, or () where each connection has its own."""

    def __init__(self, place, name, routes, tool, label):
        self.place, self.name, self._traced = place, name, bool(tool)
        self.front = {route: f"unix:{place.directory}/{label}-{route}" if route[0] == "u" else f"tcp:{free_port()}"
                      for route in routes}
        pairs = [(self.front[route], place.target[route[1]]) for route in routes]
        start = STARTS.get(name) or (uvrelay_mux if name.endswith(" mux") else uvrelay)
        self.processes = [Process(place, f"{label}-{number}", [*tool, *command], env)
                          for number, (command, env) in enumerate(start(place, pairs, label, name))]
        for process in self.processes:
            process.traced = bool(tool) and "strace" in tool[0]
        for process, fronts in zip(self.processes, [list(self.front.values())] if len(self.processes) == 1 else
                                   [[front] for front in self.front.values()]):
            process.wait_for(fronts)

    @property
    def pids(self):
        if self.name in ("socat", SOCAT_EXEC) or self._traced:
            return ()
        return tuple(pid for process in self.processes for pid in (process.pid, *descendants(process.pid)))

    def runs(self):
        """Whether none of its processes has ended by itself."""
        return all(process.popen.poll() is None for process in self.processes)

    def resident_kib(self):
        return sum(map(resident_kib, self.pids))

    def stop(self):
        for process in self.processes:
            process.stop()

    def load(self, what, route, count, seconds=None, operations=None, anywhere=False):
        """Puts a load on one of its routes and gives what load_unix measured. What happens one after another runs on one
        core, and what happens at once has one core for the relay and one for the ends of its connections: where the
        system happens to put them would make more of a difference than the relay. What goes through several processes
        (`anywhere`) and Windows programs, which have many threads, use all cores."""
        pids, cores = self.pids, sorted(os.sched_getaffinity(0))
        alone = count == 1 and what not in ("down", "up")
        anywhere = anywhere or self.name in (WINE, SOCAT_EXEC)
        ours, ends = (cores, cores) if anywhere else (cores[:1], cores[:1] if alone else cores[-1:])
        for pid in pids:
            os.sched_setaffinity(pid, ours)
        os.sched_setaffinity(self.place.server.pid, ends)
        return load(self.place, what, self.front[route], count, pids, seconds, operations, ends)


def load_command(place, what, address, count, pids=(), seconds=None, operations=None, cores=()):
    command = [find("taskset"), "-c", ",".join(map(str, cores))] if cores else []
    command += [str(place.programs.bench / "load_unix")]
    command += [f"--cpu={','.join(map(str, pids))}"] if pids else []
    command += [f"--seconds={seconds}"] if seconds else []
    command += [f"--operations={operations}"] if operations else []
    return [*command, what, address, str(count)]


def load(place, what, address, count, pids, *rest):
    command = load_command(place, what, address, count, pids, *rest)
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    if result.returncode:
        raise Failed(result.stderr.strip() or f"load_unix ended with {result.returncode}")
    measured = json.loads(result.stdout)
    if not pids:
        del measured["cpu"]
    return measured


@contextlib.contextmanager
def loaded(place, relay, route, way):
    """Transfers at full speed in the background."""
    with subprocess.Popen(load_command(place, way, relay.front[route], 1, seconds=100), stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as transfer:
        try:
            time.sleep(0.1)  # until the buffers on the way are full
            if transfer.poll() is not None:
                raise Failed(f"the transfer through {relay.name} has ended")
            yield
        finally:
            transfer.kill()


@contextlib.contextmanager
def held(place, relay, route, count):
    """Holds this many connections, which have had one round trip each; gives what opening them cost."""
    with subprocess.Popen(load_command(place, "hold", relay.front[route], count, relay.pids), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as holder:
        try:
            line = holder.stdout.readline()
            if not line:
                raise Failed(holder.stderr.read().strip())
            yield json.loads(line)
        finally:
            holder.stdin.close()


# How each relay is started. A function gives the commands, each with its own environment: one for all routes, or one
# for each.

def url(address):
    scheme, _, where = address.partition(":")
    return f"unix://{where}" if scheme == "unix" else f"tcp://127.0.0.1:{where}"


def host(address):
    scheme, _, where = address.partition(":")
    return address if scheme == "unix" else f"127.0.0.1:{where}"


def uvrelay(place, pairs, _label, name):
    """Also another build of it, by the name that the bench was given for that."""
    program = place.programs.others.get(name, place.programs.uvrelay)
    yield [program, "serve", "--control=off", f"--max={most_connections()}",
           *(f"{url(front)}={url(back)}" for front, back in pairs)], {}


def uvrelay_mux(place, pairs, _label, name):
    """Also an older build's; a "wide" one takes more streams than the 1,024 that the default of --window-total allows."""
    program = place.programs.others.get(name.removesuffix(" mux").removesuffix(" wide"), place.programs.uvrelay)
    total = ["--window-total=1G"] if " wide" in name else []
    yield [program, "serve", "--control=off", f"--max={most_connections()}", "--eager", *total,
           "--via", shlex.join([str(program), "mux", *total]), *(f"{url(front)}=via:{url(back)}" for front, back in pairs)], {}


def uvrelay_wine(place, pairs, _label, _name):
    """The far end is the Windows program, which reaches TCP ports only."""
    far_end = shlex.join([*wine(), str(place.programs.windows), "mux"])
    yield [place.programs.uvrelay, "serve", "--control=off", "--eager", "--via", far_end,
           *(f"{url(front)}=via:{url(back)}" for front, back in pairs)], wine_environment()


def socat_wine(place, pairs, _label, _name):
    """What is usual with npiperelay: a Windows program for each connection."""
    for front, back in pairs:
        command = " ".join([*wine(), str(place.programs.windows), url(back).replace(":", "\\:")])
        yield [find("socat"), f"UNIX-LISTEN:{front.removeprefix('unix:')},fork,backlog=1024", f"EXEC:{command}"], wine_environment()


@functools.cache
def fixed_addresses():
    """What starts a program at fixed addresses, where that is allowed: the kernel puts the heap of Debian's wine64, which
    is linked at 0x7d000000, somewhere in the following GiB, and Wine fails to start if that covers 0x7ffe0000. That is so
    about once in 8,000 starts."""
    command = ["setarch", "-R"]
    try:
        tried = subprocess.run([*command, "true"], stderr=subprocess.DEVNULL, check=False)
    except OSError:
        return []
    return command if tried.returncode == 0 else []


def wine():
    """What runs a Windows program: nothing in WSL."""
    if "UVRELAY_RUN_EXE" in os.environ:
        return shlex.split(os.environ["UVRELAY_RUN_EXE"])
    direct = "/usr/lib/wine/wine64"  # as the shell script `wine` of Debian ends
    return [*fixed_addresses(), direct if os.access(direct, os.X_OK) else find("wine")]


def wine_environment():
    return {"WINEDEBUG": "-all", "WINEPREFIX": str(WINEPREFIX), "WINEDLLOVERRIDES": "winemenubuilder.exe,mscoree,mshtml=",
            "LC_ALL": "C.UTF-8", "DISPLAY": ""}


def raw(place, pairs, _label, _name):
    yield [place.programs.bench / "raw_relay_unix", *(address for pair in pairs for address in pair)], {}


def most_connections():
    """A little more than nine thousand, if the limit of descriptors allows that, which the programs raise themselves."""
    return min(9500, (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 200) // 2)


def haproxy(place, pairs, label, name):
    listens = "".join(f"listen l{number}\n  bind {'unix@' if front.startswith('unix') else ''}{host(front).removeprefix('unix:')}\n"
                      f"  server s {'unix@' if back.startswith('unix') else ''}{host(back).removeprefix('unix:')}\n"
                      for number, (front, back) in enumerate(pairs))
    most = most_connections() // (3 if "splice" in name else 1)  # splicing takes descriptors, too
    splice = "  option splice-request\n  option splice-response\n"
    config = place.directory / f"{label}.cfg"
    config.write_text(f"global\n  nbthread 1\n  maxconn {most}\ndefaults\n  mode tcp\n  maxconn {most}\n"
                      "  timeout connect 10s\n  timeout client 1h\n  timeout server 1h\n"
                      f"{splice if 'splice' in name else ''}{listens}")
    yield [find("haproxy"), "-db", "-f", config], {}


def nginx(place, pairs, label, _name):
    program, module = find("nginx"), pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")
    if not module.exists():
        raise Missing("nginx's stream module is not installed")
    servers = "".join(f"  server {{ listen {host(front)} backlog=4096; proxy_pass {host(back)}; proxy_timeout 1h; }}\n"
                      for front, back in pairs)
    config, log = place.directory / f"{label}.conf", place.directory / f"{label}-error.log"
    config.write_text(f"daemon off;\nmaster_process off;\nworker_rlimit_nofile {2 * most_connections() + 100};\n"
                      f"pid {place.directory}/{label}.pid;\nerror_log {log} crit;\nload_module {module};\n"
                      f"events {{ worker_connections {2 * most_connections() + 50}; }}\nstream {{\n{servers}}}\n")
    yield [program, "-p", place.directory, "-e", log, "-c", config], {}


def socat(_place, pairs, _label, _name):
    def word(address, unix, tcp):
        scheme, _, where = address.partition(":")
        return f"{unix}:{where}" if scheme == "unix" else f"{tcp}:{where}"
    for front, back in pairs:
        bind = ",bind=127.0.0.1,reuseaddr,nodelay" if front.startswith("tcp") else ""
        back = word(back, "UNIX-CONNECT", "TCP:127.0.0.1") + (",nodelay" if back.startswith("tcp") else "")
        yield [find("socat"), f"{word(front, 'UNIX-LISTEN', 'TCP-LISTEN')}{bind},fork,backlog=1024", back], {}


def socket_proxyd(_place, pairs, _label, _name):
    if not os.path.exists(PROXYD):
        raise Missing("systemd-socket-proxyd is not installed")
    for front, back in pairs:
        # As systemd starts it: without SIGPIPE, which would end it when a client leaves during a transfer.
        yield [find("env"), "--ignore-signal=PIPE", find("systemd-socket-activate"), "-l", host(front).removeprefix("unix:"), PROXYD,
               "--connections-max=9500", host(back).removeprefix("unix:")], {}


STARTS = {WINE: uvrelay_wine, SOCAT_EXEC: socat_wine, "raw epoll": raw, "HAProxy": haproxy, "HAProxy splice": haproxy,
          "nginx": nginx, "socat": socat, "systemd-socket-proxyd": socket_proxyd}
