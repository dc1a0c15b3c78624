"""What a process may cost while something happens to it: memory and time on the processor, from /proc. The bounds are
some ten times what was measured, so that no busy machine exceeds them, but a loop without a pause or a queue without an
end does. Each figure is printed."""

import contextlib
import os
import pathlib
import time

from programs import setting

#: Whether this is a build with sanitizers, which is some times slower and larger.
SANITIZED = "san" in pathlib.Path(setting("UVRELAY_BUILD")).name


def status_kib(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise AssertionError(f"process {pid} has ended")


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Cost:
    """Asserts at the end of its `with` that the process's memory has not grown by more KiB than this at any time, and
    that it has used no more time on the processor. With sanitizers memory is not the program's own, and time is not
    either."""

    def __init__(self, process, what, kib=None, processor=None):
        self.pid, self.what, self._kib, self._processor = getattr(process, "pid", process), what, kib, processor

    def __enter__(self):
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")  # the peak begins anew
        self._before, self._used, self._begin = status_kib(self.pid, "VmRSS"), processor_seconds(self.pid), time.monotonic()
        return self

    @property
    def grown(self):
        """KiB, at the peak."""
        return status_kib(self.pid, "VmHWM") - self._before

    @property
    def used(self):
        """Seconds on the processor."""
        return processor_seconds(self.pid) - self._used

    def __exit__(self, failure, *_):
        if failure is not None:
            return
        grown, used = self.grown, self.used
        print(f"{self.what}: {self._before} KiB and {grown} KiB more, {used:.2f} s on the processor in "
              f"{time.monotonic() - self._begin:.1f} s")
        if not SANITIZED:
            assert self._kib is None or grown <= self._kib, f"{self.what}: {grown} KiB more, of {self._kib}"
            assert self._processor is None or used <= self._processor, f"{self.what}: {used} s of {self._processor}"


def runnable_seconds(pid):
    """How long its threads have computed, or would have if they had got a processor. On a machine with much to do a
    loop without a pause shows in this alone."""
    total = 0
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # it may have ended
            computed, waited, _ = (thread / "schedstat").read_text().split()
            total += int(computed) + int(waited)
    return total / 1e9


def settle(process, timeout=60):
    """Waits until it does nothing more."""
    end = time.monotonic() + timeout
    while True:
        before = runnable_seconds(process.pid)
        time.sleep(0.2)
        if runnable_seconds(process.pid) - before < 0.02:
            return
        assert time.monotonic() < end, f"it still computes after {timeout} s"


def quiet(process, what, seconds=0.5, kib=300, share=0.4, tries=40):
    """Asserts that it neither computes nor grows while nothing happens. On a machine with much to do what is left may
    be waiting for a processor; a loop without a pause is never quiet, nor is one that goes on growing."""
    for _ in range(tries):
        with Cost(process, what + ", and then nothing") as cost:
            before = runnable_seconds(process.pid)
            time.sleep(seconds)
            used, grown = runnable_seconds(process.pid) - before, cost.grown
        if SANITIZED or (used <= share * seconds and grown <= kib):
            return
    raise AssertionError(f"{what}: it computes for {used:.2f} s and grows by {grown} KiB in {seconds} s, again and again")
