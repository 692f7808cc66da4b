"""The versions of an account's policies are recorded once each time one comes into force."""

import threading
from dataclasses import replace

from sqlalchemy import func, insert, select

from connector.store.database import Database
from connector.store.documents import Source
from connector.store.tables import account, policy_version
from connector.store.versions import Recorded, record, recorded

SOURCE = Source(file="a.yaml", text="…", contracts=(("c.yaml", "…"),), time_zone=None)
FIRST = Recorded(
    policy="a", version="1", in_force_from=10.0, source=SOURCE, tags=frozenset({"sev_high"})
)
SECOND = replace(FIRST, version="2", in_force_from=20.0)
BACK = replace(FIRST, in_force_from=30.0)


def test_what_is_recorded_is_what_was_given(database: Database) -> None:
    with database.write() as conn:
        record(conn, "acme", [FIRST])
    with database.read() as conn:
        assert (recorded(conn, "acme"), recorded(conn, "other")) == ([FIRST], [])


def test_only_what_differs_from_the_newest_is_recorded(database: Database) -> None:
    other = replace(FIRST, policy="b")
    with database.write() as conn:
        for seen in (FIRST, replace(FIRST, in_force_from=15.0), SECOND, BACK, BACK):
            found = record(conn, "acme", [seen, other])
        assert found == recorded(conn, "acme") == [FIRST, other, SECOND, BACK]


def test_workers_that_start_together_record_a_version_once(database: Database) -> None:
    with database.write() as conn:
        conn.execute(insert(account).values(name="acme", kind="zendesk"))
    meet = threading.Barrier(4)

    def start() -> None:
        meet.wait(10)
        database.run(lambda conn: record(conn, "acme", [FIRST]))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    with database.read() as conn:
        assert conn.scalar(select(func.count()).select_from(policy_version)) == 1
