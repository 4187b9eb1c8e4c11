"""One small history, written in every format that Clew reads."""

import gzip
import json
import sqlite3
from xml.etree import ElementTree

import pyarrow
from pyarrow import parquet

from clew.history.sources import How, open_source
from clew.history.understand import Wishes, understand

ROWS = [
    {"order_id": "4711", "stage": "SUBMITTED", "at": "2024-01-02T10:00:00+00:00", "channel": "b2c", "amount": "12.5"},
    {"order_id": "4711", "stage": "SHIPPED", "at": "2024-01-05T08:30:00.25+00:00", "channel": "b2c", "amount": "12.5"},
    {"order_id": "Ä 12", "stage": "SUBMITTED", "at": "2024-01-03T10:00:00+01:00", "channel": "", "amount": ""},
]
EVENTS = [
    ("4711", "SUBMITTED", 1_704_189_600_000_000_000, "b2c", {"amount": "12.5"}),
    ("4711", "SHIPPED", 1_704_443_400_250_000_000, "b2c", {"amount": "12.5"}),
    ("Ä 12", "SUBMITTED", 1_704_272_400_000_000_000, "", {}),
]


def as_csv(rows, divider=","):
    lines = [divider.join(rows[0]), *(divider.join(row.values()) for row in rows)]
    return "".join(f"{line}\n" for line in lines).encode()


def as_json_lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_xes(rows, *, closing="</log>"):
    """Traces as the rows have them, one for each run of the same order."""
    parts, last = ['<?xml version="1.0"?>\n<log xes.version="1849-2016" xmlns="http://www.xes-standard.org/">\n'], None
    parts.append('<global scope="event"><string key="concept:name" value="none"/></global>\n')
    for row in rows:
        if row["order_id"] != last:
            parts.append("</trace>\n" if last else "")
            parts.append(f'<trace><string key="concept:name" value="{row["order_id"]}"/>')
            parts.append(f'<float key="amount" value="{row["amount"]}"/>\n' if row["amount"] else "\n")
            last = row["order_id"]
        parts.append(f'<event><string key="concept:name" value="{row["stage"]}"/>')
        parts.append(f'<date key="time:timestamp" value="{row["at"]}"/>')
        parts.append(f'<string key="channel" value="{row["channel"]}"/></event>\n')
    return ("".join(parts) + "</trace>" + closing).encode()


def as_cloud_events(rows):
    return [
        {
            "specversion": "1.0", "id": str(number), "source": "/shop", "type": row["stage"], "subject": row["order_id"],
            "time": row["at"], "channel": row["channel"], "data": {"amount": row["amount"]},
        }
        for number, row in enumerate(rows)
    ]  # fmt: skip


def as_ocel(rows):
    orders = dict.fromkeys(row["order_id"] for row in rows)
    amounts = {row["order_id"]: row["amount"] for row in rows}
    return {
        "objectTypes": [{"name": "order", "attributes": []}, {"name": "box", "attributes": []}],
        "eventTypes": [],
        "objects": [
            *(
                {
                    "id": order,
                    "type": "order",
                    "attributes": [
                        {"name": "amount", "time": "2024-02-01T00:00:00Z", "value": amounts[order]},
                        {"name": "amount", "time": "1970-01-01T00:00:00Z", "value": "0"},
                    ],
                }
                for order in orders
            ),
            {"id": "box 1", "type": "box"},
        ],
        "events": [
            {
                "id": f"e{number}", "type": row["stage"], "time": row["at"],
                "attributes": [{"name": "channel", "value": row["channel"]}],
                "relationships": [
                    {"objectId": row["order_id"], "qualifier": ""}, {"objectId": row["order_id"], "qualifier": ""},
                    {"objectId": "box 1", "qualifier": "in"},
                ],
            }
            for number, row in enumerate(rows)
        ],
    }  # fmt: skip


def as_ocel_xml(log):
    """The same log in the XML form of the standard."""
    root = ElementTree.Element("log")
    for kind in ("object", "event"):
        types = ElementTree.SubElement(root, f"{kind}-types")
        for name in dict.fromkeys(each["type"] for each in log[f"{kind}s"]):
            declared = ElementTree.SubElement(ElementTree.SubElement(types, f"{kind}-type", name=name), "attributes")
            ElementTree.SubElement(declared, "attribute", name="amount", type="string")
    for kind in ("object", "event"):
        section = ElementTree.SubElement(root, f"{kind}s")
        for each in log[f"{kind}s"]:
            said = {name: each[name] for name in ("id", "type", "time") if name in each}
            element = ElementTree.SubElement(section, kind, said)
            attributes = ElementTree.SubElement(element, "attributes")
            for one in each.get("attributes", []):
                named = {name: one[name] for name in ("name", "time") if name in one}
                ElementTree.SubElement(attributes, "attribute", named).text = one["value"]
            related = ElementTree.SubElement(element, "objects")
            for one in each.get("relationships", []):
                names = {"object-id": one["objectId"], "qualifier": one["qualifier"]}
                ElementTree.SubElement(related, "relationship", names)
    ElementTree.indent(root)
    return ElementTree.tostring(root, "utf-8", xml_declaration=True)


def write_ocel_sqlite(path, rows):
    base = sqlite3.connect(path)
    for table, columns in {
        "event": "ocel_id, ocel_type", "object": "ocel_id, ocel_type", "event_map_type": "ocel_type, ocel_type_map",
        "object_map_type": "ocel_type, ocel_type_map", "event_object": "ocel_event_id, ocel_object_id, ocel_qualifier",
        "object_Order": "ocel_id, ocel_time, ocel_changed_field, amount", "object_Box": "ocel_id",
        "event_SUBMITTED": "ocel_id, ocel_time, channel", "event_SHIPPED": "ocel_id, ocel_time TIMESTAMP, ocel:activity, channel",
    }.items():  # fmt: skip
        named = (column.partition(" ")[::2] for column in columns.split(", "))
        typed = ", ".join(f'"{name}" {kind or "TEXT"}' for name, kind in named)
        base.execute(f"CREATE TABLE {table} ({typed})")
    log = as_ocel(rows)
    put = base.executemany
    put("INSERT INTO event_map_type VALUES (?, ?)", [("SUBMITTED", "SUBMITTED"), ("SHIPPED", "SHIPPED")])
    put("INSERT INTO object_map_type VALUES (?, ?)", [("order", "Order"), ("box", "Box")])
    for each in log["objects"]:
        put("INSERT INTO object VALUES (?, ?)", [(each["id"], each["type"])])
        for said in each.get("attributes", []):
            put("INSERT INTO object_Order VALUES (?, ?, ?, ?)", [(each["id"], said["time"], None, said["value"])])
    for each in log["events"]:
        put("INSERT INTO event VALUES (?, ?)", [(each["id"], each["type"])])
        channel = each["attributes"][0]["value"]
        if each["type"] == "SHIPPED":  # as other programs write it: typed, with an offset, the type told twice
            told = (each["id"], each["time"].replace("T", " "), "SHIPPED", channel)
            put("INSERT INTO event_SHIPPED VALUES (?, ?, ?, ?)", [told])
        else:
            put("INSERT INTO event_SUBMITTED VALUES (?, ?, ?)", [(each["id"], utc(each["time"]), channel)])
        put(
            "INSERT INTO event_object VALUES (?, ?, ?)",
            [(each["id"], one["objectId"], one["qualifier"]) for one in each["relationships"]],
        )
    base.commit()
    base.close()


def utc(time):
    """A time as OCEL's SQLite form has it: in UTC, without saying so."""
    from datetime import UTC, datetime

    return datetime.fromisoformat(time).astimezone(UTC).replace(tzinfo=None).isoformat(" ")


def write_parquet(path, rows):
    from datetime import datetime

    columns = {name: [row[name] or None for row in rows] for name in rows[0]}
    moments = [datetime.fromisoformat(at) for at in columns["at"]]
    columns["at"] = pyarrow.array(moments, pyarrow.timestamp("us", "Europe/Berlin"))
    columns["channel"] = pyarrow.array(columns["channel"]).dictionary_encode()
    columns["amount"] = pyarrow.array([float(amount) if amount else None for amount in columns["amount"]])
    parquet.write_table(pyarrow.table(columns), path)


def write(folder, name, content):
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def read(path, how=None, **wishes):
    """All events of a file as (order, stage, time, path, attributes), its bad lines, and its remarks."""
    source = open_source(path, how or How())
    try:
        return events_of(source, Wishes(**wishes))
    finally:
        source.close()


def events_of(source, wishes):
    recogniser = understand(source, wishes).recogniser
    events, bad = [], []
    for batch in source.batches():
        found, wrong = recogniser.recognise(batch)
        bad += [(line.line, line.reason) for line in wrong]
        for line in found.encoded():
            order, stage, at_ns, path, *_, attributes = json.loads(line)
            events.append((order, stage, at_ns, path, attributes))
    return events, bad, source.remarks.told()
