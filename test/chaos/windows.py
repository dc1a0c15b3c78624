"""A chaos with the Windows program: real pipes on both sides, under Wine or in WSL.

Stations V and W are `uvrelay.exe serve`, whose far end is `uvrelay.exe mux`; V is never killed. Station L is the Linux
program with that far end.
Their targets are TCP ports of ends.py and pipes of test/peers/pipe_server.c; clients are those of ends.py and
test/peers/pipe_client.c.
"""

import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess

import bytestream
import judge
import plan as plans
from driver import Run, address, begun, first_number, lanes
from processes import Failure, Lane, LinuxStation, Station, Worker
from programs import SOON, peer, unique_name, unique_pipe, uvrelay_exe, windows_command, windows_path
from serving import wait_for
from via import marked
from winpeers import PipeServer
from winserving import PipeClient, Serve

#: As SILENT, but there is no slow carrier here, and ends that Wine never tells are waited for.
SILENT_HERE = 20

#: What the log target sends to each client.
LOG_BYTES, LOG_SEED = 200_000, 5


def handles(name):
    """How many handles the processes of this file name have, in the order of their process ids."""
    told = subprocess.run(windows_command(peer("handles"), name), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=3 * SOON, check=True).stdout
    return [int(line.split()[2]) for line in told.splitlines()]


def has_begun(pid):
    """Whether a program has more than its first thread. A process whose parent is killed while it makes it may stay,
    under Wine, without having run a line of its program; uvrelay.exe mux has several threads from the start."""
    with contextlib.suppress(OSError):
        return len(os.listdir(f"/proc/{pid}/task")) > 1
    return False


def kill_all(mark):
    for pid, _ in marked(mark):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class PipeTarget:
    """A process of pipe_server with several instances, as a worker that can be killed."""

    def __init__(self, name, *actions, **options):
        self.name, self._actions, self._options = name, actions, options
        self.pipe = unique_pipe("chaos")
        self.start()

    def start(self):
        self._server = PipeServer(*self._actions, name=self.pipe, repeat=1_000_000, limit=100_000, **self._options)

    @property
    def pid(self):
        return self._server.pid

    def kill(self, _):
        """Ends it at once: Windows knows no other signal."""
        assert self._server.running, f"{self.name} has ended: {self._server.events[-5:]}"
        self._server.kill()

    def pause(self):
        self._server.events.clear()

    def wait_idle(self, _):
        return True

    def end(self):
        if not self._server.running:
            raise Failure(f"{self.name} has ended by itself: {self._server.stderr}")
        self._server.kill()


class WindowsStation(Station):
    """`uvrelay.exe serve` with these routes, as LinuxStation. Its programs have file names of their own, by which their
    handles are counted. TCP ports are chosen again at each start, and written to files. A byte-type pipe whose TCP
    client has closed shows nothing of it, so `linger` is short."""

    far_most = 45
    #: Events, and threads that wait for the readers of pipes: as many as were needed at a time.
    kept = 8

    def __init__(self, run, name, routes, directory):
        self.run, self.name, self.routes = run, name, routes
        self.base, self.resident, self.restarts, self._marks, self._programs = None, None, 0, [], []
        for role in ("serve", "mux"):
            program = pathlib.Path(directory) / f"{unique_name(role)}.exe"
            shutil.copy(uvrelay_exe(), program)
            self._programs.append(program)
        self.start()

    def start(self):
        mark = unique_name("mark") + "."
        self._marks.append(mark)
        self.serve = Serve(*(text for _, text in self.routes.values()), program=self._programs[0],
                           options=["--drain=0.3", "--linger=1", "--via", f'"{windows_path(self._programs[1])}" mux'],
                           env={"UVRELAY_TEST_MARK": mark})
        for (route, _), where in zip(self.routes.values(), self.serve.listens):
            if route.address.startswith("file:"):
                file = route.address.removeprefix("file:")
                pathlib.Path(file + ".new").write_text(where)
                os.replace(file + ".new", file)

    @property
    def pid(self):
        return self.serve.pid

    def far_ends(self):
        return sorted(pid for pid, command in marked(self._marks[-1]) if re.search(r"mux-.*exe\S* mux$", command))

    def kill(self, _):
        assert self.serve.running, f"{self.name} has ended: {self.serve.stderr[-3000:]}"
        self.serve.kill()
        self.restarts += 1

    def descriptors(self):
        found = []
        wait_for(lambda: found.extend(handles(self._programs[0].name)) or found, f"{self.name} has handles")
        assert len(found) == 1, found
        return found[0]

    def far_descriptors(self, _):
        return max(handles(self._programs[1].name), default=0)

    def none_is_left(self, timeout=SOON):
        for mark in self._marks[:-1]:
            wait_for(lambda: not [pid for pid, _ in marked(mark) if has_begun(pid)],
                     f"the far end of a killed serve {self.name} has ended", timeout)
            kill_all(mark)
        del self._marks[:-1]

    def end(self):
        self.check_running()
        self.serve.kill()
        self._marks.append(None)
        self.none_is_left()

    def end_all(self):
        self.serve.kill()
        for mark in filter(None, self._marks):
            kill_all(mark)


class ExeFarStation(LinuxStation):
    """The Linux program, whose far end is a copy of uvrelay.exe with a name of its own."""

    far_most = 45

    def __init__(self, run, name, routes, directory):
        self._program = pathlib.Path(directory) / f"{unique_name('far')}.exe"
        shutil.copy(uvrelay_exe(), self._program)
        super().__init__(run, name, routes, via=windows_command(self._program, "mux"))

    def far_descriptors(self, _):
        return max(handles(self._program.name), default=0)


def pipe_client(run, way, pipe, source):
    """A connection of pipe_client to a target that echoes: as many bytes as the seed says."""
    def connect(number):
        size, seed = source.choice([1, 1000, 65536, 65537, source.randrange(400_000)]), number % 20
        with PipeClient(pipe, f"both={size},65536,{seed},{size}", mode="byte", wait=30_000) as client:
            client.wait(SILENT_HERE + 2 * SOON)
            client._thread.join(SOON)
            received = client.all("recv-end")
            if not received:
                run.say(f"a client of {pipe} ended with {client.popen.returncode}: {client.events}; stderr: {client.stderr!r}")
                return way, False, None, 0
            count, hash_ = received[-1]["bytes"], received[-1]["sha256"]
            wrong = None if hash_ == bytestream.sha256(count, seed) else f"other bytes than were sent: {received[-1]}"
            return way, count == size and not wrong, wrong, 2 * count
    return connect


def log_client(way, file):
    """A client of a one-way pipe: it gets all and then the end."""
    def connect(number):
        data, where = b"", pathlib.Path(file).read_text().rpartition(":")[2]
        try:
            with socket.create_connection(("127.0.0.1", int(where)), SOON) as client:
                client.settimeout(SILENT_HERE)
                while piece := client.recv(1 << 16):
                    data += piece
        except (ConnectionError, TimeoutError):
            pass  # for the latter see judge.excused
        right = data == bytestream.data(len(data), LOG_SEED)
        return way, right and len(data) == LOG_BYTES, None if right else "other bytes than were sent", len(data)
    return connect


def windows_run(seed, directory, opens=4, say=print):
    run = Run(seed, say)
    return begun(run, lambda: _add(run, directory, opens))


def _add(run, directory, opens):
    plan_port, echo_port = run.port(), run.port()
    run.workers["target tcp"] = Worker(run, "target tcp", lambda life: {
        "role": "targets", "seed": run.seed, "limit": SILENT_HERE,
        "listen": [["tcp", plan_port, "plan"], ["tcp", echo_port, "echo"]]})
    for kind in ("byte", "message"):
        run.workers[f"target {kind}"] = PipeTarget(f"target {kind}", "try-echo-end", type=kind, instances=16,
                                                   at_once=16)
    run.workers["target log"] = PipeTarget("target log", f"try-send={LOG_BYTES},65536,{LOG_SEED}", type="byte",
                                           access="out", instances=4, at_once=4)
    tcp, echo = address("tcp", plan_port), address("tcp", echo_port)
    pipes = {kind: run.workers[f"target {kind}"].pipe for kind in ("byte", "message", "log")}
    # (listener, target's address, target's worker, kind of target)
    targets = [(tcp, "tcp", ""), (pipes["byte"], "byte", "echo"), (pipes["message"], "message", "echo-end")]
    of_clients = {}
    for station in "VW":
        routes = {}
        for far in (False, True):
            for where, target, kind in targets:
                name = f"{station} tcp->{'via:' * far}{target}"
                file = f"{directory}/{station}-{target}-{int(far)}"
                way = (f"serve {station}", f"target {target}", *([f"far {station}"] if far else []))
                # What a TCP end sees of a reset is Wine's to say.
                routes[name] = (judge.Route("tcp of Windows", "of Windows", way, f"file:{file}", kind,
                                            wine=True),
                                f"tcp://127.0.0.1:0={'via:' * far}{where}")
        of_clients.update({name: route for name, (route, _) in routes.items()})
        if station == "V":
            run.stations["serve V"] = WindowsStation(run, "serve V", routes, directory)
    log_file, listens = f"{directory}/W-log", {mode: unique_pipe("chaos-listen") for mode in ("byte", "message")}
    routes["W log"] = (judge.Route("tcp of Windows", "log", ("serve W", "target log"), f"file:{log_file}"),
                       f"tcp://127.0.0.1:0={pipes['log']}")
    for mode, pipe in listens.items():
        routes[f"W {mode}->tcp"] = (judge.Route("pipe", "tcp", ("serve W", "target tcp"), pipe, "echo"),
                                    f"{pipe}?mode={mode}={echo}")
    run.stations["serve W"] = WindowsStation(run, "serve W", routes, directory)
    routes = {}
    for where, target, kind in targets:
        for listener in ("unix", "tcp"):
            front = address(listener, f"{directory}/L-{target}" if listener == "unix" else run.port())
            way = ("serve L", f"target {target}", "far L")
            routes[f"L {listener}->via:{target}"] = (judge.Route(listener, "of Windows", way, front, kind, wine=True),
                                                     f"{front}=via:{where}")
    run.survivors.update({"serve L", "serve V"})
    run.stations["serve L"] = ExeFarStation(run, "serve L", routes, directory)
    of_clients.update({name: route for name, (route, _) in routes.items()})
    run.routes.update(of_clients)
    run.workers["client 1"] = Worker(run, "client 1", lambda life: {
        "role": "clients", "seed": run.seed, "limit": SILENT_HERE, "first": first_number(1, life),
        "lanes": lanes(of_clients, [(station, opens, plans.FAST) for station in "LVW"])})
    for mode, pipe in listens.items():
        source = random.Random(run.seed + len(mode))
        run.lanes.append(Lane(run, f"pipe client {mode}", pipe_client(run, ("serve W", "target tcp"), pipe, source)))
    run.lanes.append(Lane(run, "log client", log_client(("serve W", "target log"), log_file)))
