"""The command line teaches, and refuses what can't work before anything is started."""

import pytest
from clew_demo import main
from clew_demo.faults import FAULTS
from clew_demo.running import FLOW
from clew_demo.services import pages
from clew_demo.story import STORY

from clew.flow import load_flow


def test_help_says_what_each_fault_does(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    printed = capsys.readouterr().out
    assert left.value.code == 0
    assert [name for name, fault in FAULTS.items() if name not in printed or fault.meaning not in printed] == []


def test_an_unknown_fault_is_refused(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--fault", "gremlins"])
    assert left.value.code == 2
    assert "worker-stops" in capsys.readouterr().err


def test_a_directory_with_something_in_it_is_left_alone(tmp_path, capsys):
    (tmp_path / "precious").touch()
    assert main(["--data", str(tmp_path)]) == 1
    assert "is not empty; give --data a new directory" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "url"),
    [
        ("--rabbitmq", "amqp://guest:secret@127.0.0.1:1/"),
        ("--rabbitmq", "rabbit"),
        ("--postgres", "postgresql://clew:secret@127.0.0.1:1/shop"),
        ("--postgres", "mysql://clew:secret@127.0.0.1/shop"),
    ],
)
def test_a_server_that_cannot_be_used_is_named_before_anything_starts(tmp_path, capsys, option, url):
    assert main([option, url, "--data", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert f"the demo can't go on: {option}" in printed
    assert "can't be used" in printed
    assert "secret" not in printed
    assert not (tmp_path / "clew").exists()


def test_the_story_has_every_fault_once_and_closes_the_workshop_last():
    told = [name for group in STORY for name in group]
    assert sorted(told) == sorted(FAULTS)
    assert STORY[-1] == ("consumer-stops",)


def test_the_demo_flow_has_the_stages_of_the_shipped_one():
    flow = load_flow(FLOW)
    assert (flow.name, len(flow.stages), set(flow.paths)) == ("jeweller", 11, {"b2c", "b2b"})


def test_pages_escape_what_customers_write():
    row = {"id": "B2C-1", "customer": "<script>", "metal": "gold", "state": "cart"}
    assert "<script>" not in pages.order(row)
    assert "&lt;script&gt;" in pages.order(row)
