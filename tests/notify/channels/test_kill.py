"""A process that is killed while a vendor has its request tells it again when it is back, under the same id."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

from clew.control.contract import Change, Telling
from clew.control.database import open_database
from clew.control.incidents import SqlIncidents
from clew.control.outbox import SqlOutbox
from clew.model.incident import NoticeKind
from tests.fakes.server import Reply, running
from tests.fakes.webhook import FakeReceiver
from tests.notify.channels.notices import INCIDENT

CHILD = """
import sys, time
from pathlib import Path
from clew.control.database import open_database
from clew.control.outbox import SqlOutbox
from clew.notify.outbox import Courier
from tests.notify.channels.notices import open_channel

outbox = SqlOutbox(open_database(Path(sys.argv[1])))
line = "{kind: webhook, url: '%s', secret: env:S, allow_private: [127.0.0.1]}" % sys.argv[2]
courier = Courier(outbox, {"tool": open_channel(line, {"S": sys.argv[3]})}, {}, 0, time.time_ns)
while outbox.counts()["waiting"]:
    courier.step(time.time_ns())
    time.sleep(0.05)
courier.close()
"""


class Killing(FakeReceiver):
    """Kills who asks, on the first request, after it has taken it."""

    child = None

    def answer(self, request):
        said = super().answer(request)
        if self.child is not None:
            os.kill(self.child.pid, signal.SIGKILL)
            self.child = None
            return Reply(gone=True)
        return said


def test_a_kill_while_the_vendor_answers_costs_a_repeat_and_no_notice(tmp_path):
    database = open_database(tmp_path)
    tellings = tuple(Telling("tool", kind) for kind in (NoticeKind.OPENED, NoticeKind.RESOLVED))
    written = SqlIncidents(database).apply(Change(replace(INCIDENT, id=0), (), tellings))
    assert written is not None
    with running(Killing) as fake:
        command = [sys.executable, "-c", CHILD, str(tmp_path), f"{fake.url}/in", fake.secret]
        # It must not take its first step before the fake knows whom to kill.
        first = subprocess.Popen(["sh", "-c", 'read go && exec "$@"', "sh", *command], stdin=subprocess.PIPE)
        fake.child = first
        assert first.stdin is not None
        first.stdin.write(b"go\n")
        first.stdin.close()
        assert first.wait(120) == -signal.SIGKILL
        assert SqlOutbox(database).counts()["waiting"] == 2
        subprocess.run(command, check=True, timeout=120)
        assert [request.headers["clew-notice"] for request in fake.requests] == [
            f"clew-{written.id}-1", f"clew-{written.id}-1", f"clew-{written.id}-2",
        ]  # fmt: skip
        assert len(fake.documents) == 2
    assert SqlOutbox(database).counts() == {"waiting": 0, "sent": 2, "given_up": 0, "summed": 0}
    database.close()
