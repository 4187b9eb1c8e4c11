"""The switch outside hears nothing of a Clew whose rules hang."""

import threading
from types import SimpleNamespace

from clew.control.incidents import SqlIncidents
from clew.model.secret import Secret
from clew.notify.channels.addresses import Reach
from clew.notify.channels.heartbeat import Heartbeat, Switch
from clew.notify.channels.http import Http
from clew.watch.cycle import Watch
from clew.watching import _hangs
from tests.fakes.server import FakeServer, Reply, running
from tests.notify.world import DEFAULT, MONDAY, SECOND, STUCK, quick


class DeadMan(FakeServer):
    def answer(self, request):
        return Reply(200, b"OK")


def test_the_switch_is_told_nothing_before_the_first_look_and_while_one_hangs(tmp_path, monkeypatch):
    database, clock, hangs, go_on = (
        quick(tmp_path),
        SimpleNamespace(now_ns=MONDAY),
        threading.Event(),
        threading.Event(),
    )
    monkeypatch.setattr("clew.watching.time", SimpleNamespace(time_ns=lambda: clock.now_ns))

    def look(rule, now_ns):
        if now_ns > MONDAY:
            hangs.set()
            assert go_on.wait(60)
        return []

    watch = Watch([STUCK], DEFAULT, SqlIncidents(database), look, lambda: clock.now_ns)
    with running(DeadMan) as switch:
        heart = Heartbeat(Switch(Secret(switch.url), SECOND, "POST", Http(Reach(True), 60)), lambda: _hangs(watch))

        def told():
            heart.step(clock.now_ns)
            return len(switch.requests)

        assert (told(), heart.problem) == (0, "rules did not look yet")
        watch.step()
        assert told() == 1
        clock.now_ns += 10 * SECOND
        hanging = threading.Thread(target=watch.step)
        hanging.start()
        assert hangs.wait(60)
        clock.now_ns += 100 * SECOND
        assert told() == 2
        clock.now_ns += 20 * SECOND
        assert told() == 2
        assert heart.problem == "rules last went through 2 min 10 s ago"
        go_on.set()
        hanging.join()
        assert told() == 3
    database.close()
