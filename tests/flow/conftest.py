"""A real engine in a process of its own: an engine serves one data path a process, and other tests have theirs."""

import json
import subprocess
import sys

import pytest

_SERVER = """
import json, sys
import chdb
connection = chdb.connect(":memory:")
for line in sys.stdin:
    try:
        answer = {"rows": json.loads(connection.query(json.loads(line), "JSONCompact").bytes())["data"]}
    except Exception as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
connection.close()
"""


class Engine:
    """Sends SQL to the process and reads rows back."""

    def __init__(self, process):
        self._process = process

    def rows(self, sql):
        self._process.stdin.write(json.dumps(sql) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["rows"]

    def value(self, sql):
        return self.rows(sql)[0][0]


@pytest.fixture(scope="session")
def engine():
    command = [sys.executable, "-c", _SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Engine(process)
        process.stdin.close()
        process.wait(timeout=30)
