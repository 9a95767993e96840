"""What runs in the workers of a server under test, and what goes wrong, as the bytes of a request say."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from scheduler.errors import AuditError, Violation
from scheduler.server.workers import Begun, Event, Incumbent, Job, Progress


def answer(job: Job, tell: Callable[[Event], None]) -> bytes:
    verb, *words = job.payload.decode().split()
    match verb:
        case "sleep":
            time.sleep(float(words[0]))
        case "linger":  # tells its process id in a file, and does not end
            Path(words[0]).write_text(str(os.getpid()))
            time.sleep(60)
        case "begun":  # says that it will take so long, and does what the other words say
            tell(Begun(float(words[0])))
            return answer(replace(job, payload=" ".join(words[1:]).encode()), tell)
        case "overrun":  # says that it will take a moment, and does not end
            tell(Begun(float(words[0])))
            time.sleep(60)
        case "incumbents":  # has that many answers, and then does what the other words say
            for count in range(int(words[0])):
                tell(Incumbent(f"plan {count}".encode()))
            return answer(replace(job, payload=" ".join(words[1:]).encode()), tell)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "raise":
            raise ValueError("the secret of the house")
        case "unsound":
            raise AuditError([Violation("plan.sites[0].grid_mw", "balance", "the secret of the house")])
        case "seconds":
            return str(job.seconds).encode()
        case "bytes":
            return b"x" * int(words[0])
        case "pid":
            return str(os.getpid()).encode()
        case "news":
            for count in range(int(words[0])):
                tell(Progress("solve", float(count), None, 0.0))
        case "print":
            os.write(1, b"solvers print\n")
    return b""
