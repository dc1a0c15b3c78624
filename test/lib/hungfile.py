"""A file that cannot be opened, as on a network drive that is gone."""

import contextlib
import fcntl
import os
import signal


@contextlib.contextmanager
def hung(path):
    """A process that opens the file waits until this is over: the kernel asks the owner of a lease first, for up to 45
    s, and this one does not answer."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    descriptor = os.open(path, os.O_RDWR)
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    try:
        yield
    finally:
        os.close(descriptor)
        signal.signal(signal.SIGIO, before)
