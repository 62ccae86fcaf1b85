"""Processes that the bench starts: pinned, measured through /proc, and certain to end with it."""
import contextlib
import ctypes
import glob
import os
import signal
import subprocess
import time

from .machine import Trouble

_TICK = os.sysconf("SC_CLK_TCK")
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_running = []


def run_first(pid=0):
    """Let a process, or the caller, run whenever it can, where the system allows it."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))


class Process:
    """One program and all its children, which share a session of their own and a set of cores."""

    def __init__(self, name, argv, cores, folder):
        self.name = name
        self.output = os.path.join(folder, f"{name}.out")
        cores = {cores} if isinstance(cores, int) else set(cores)

        def prepare():
            os.sched_setaffinity(0, cores)
            # Should the bench be killed outright, the kernel asks its children to go.
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

        with open(self.output, "ab") as out:
            self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder,
                                          start_new_session=True, preexec_fn=prepare)
        _running.append(self)

    def check(self):
        """Trouble, with the last lines it printed, if the program has ended."""
        code = self.child.poll()
        if code is not None:
            raise Trouble(f"{self.name} ended with {code}: {self.tail() or 'it printed nothing'}")

    def tail(self):
        with open(self.output, "rb") as file:
            file.seek(max(0, os.path.getsize(self.output) - 600))
            return " / ".join(file.read().decode("utf-8", "replace").strip().splitlines()[-4:])

    def cpu(self):
        """Seconds of (user, system) time of every thread and child so far; the kernel counts in 10 ms steps."""
        self.check()
        user = system = 0
        for _, fields in self._members():
            user, system = user + int(fields[11]), system + int(fields[12])
        return user / _TICK, system / _TICK

    def memory(self):
        """Bytes of (resident, proportional) memory of the program and its children."""
        self.check()
        resident = proportional = 0
        for pid, _ in self._members():
            try:
                with open(f"/proc/{pid}/smaps_rollup") as file:
                    for line in file:
                        if line.startswith("Rss:"):
                            resident += int(line.split()[1]) * 1024
                        elif line.startswith("Pss:"):
                            proportional += int(line.split()[1]) * 1024
            except (FileNotFoundError, ProcessLookupError):
                continue
        return resident, proportional

    def settled_memory(self, limit=5.0):
        """`memory()` once two readings half a second apart differ by less than 1 %, or after `limit` seconds."""
        last, end = self.memory(), time.monotonic() + limit
        while True:
            time.sleep(0.5)
            now = self.memory()
            if abs(now[1] - last[1]) < 0.01 * last[1] or time.monotonic() > end:
                return now
            last = now

    def run_first(self):
        """Let the program run whenever it can, before others on its cores, where the system allows it."""
        for pid, _ in self._members():
            run_first(pid)

    def outweigh(self):
        """Let the program go before other sessions, where the system allows it. Its threads share as ever."""
        with contextlib.suppress(OSError), open(f"/proc/{self.child.pid}/autogroup", "w") as file:
            file.write("-19")

    def waited(self, thread):
        """Seconds that threads of this name have waited for a core so far."""
        waited = 0
        for task in glob.glob(f"/proc/{self.child.pid}/task/*/"):
            with contextlib.suppress(OSError), open(task + "comm") as name, open(task + "schedstat") as stat:
                if name.read().startswith(thread):
                    waited += int(stat.read().split()[1])
        return waited / 1e9

    def descriptors(self):
        """How many files and sockets the program and its children have open."""
        count = 0
        for pid, _ in self._members():
            try:
                count += len(os.listdir(f"/proc/{pid}/fd"))
            except FileNotFoundError:
                continue
        return count

    def _members(self):
        """(pid, the fields of /proc/PID/stat after the name) of every live process in this one's session."""
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                with open(f"/proc/{entry}/stat") as file:
                    fields = file.read().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[3]) == self.child.pid and fields[0] != "Z":
                yield int(entry), fields

    def stop(self):
        """End the program and its children: asked first, then made to."""
        if self in _running:
            _running.remove(self)
        _signal_group(self.child.pid, signal.SIGTERM)
        end = time.monotonic() + 2
        while time.monotonic() < end and (self.child.poll() is None or any(True for _ in self._members())):
            time.sleep(0.01)
        _signal_group(self.child.pid, signal.SIGKILL)
        self.child.wait()


def stop_all():
    """End everything that is still running, the latest first."""
    for process in reversed(list(_running)):
        process.stop()


def _signal_group(group, number):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
