"""What several processes of one machine have counted, in one answer.

By prometheus-client's own way: where PROMETHEUS_MULTIPROC_DIR names a directory before the first
import, each process counts in files of its own there, and whoever is asked adds them up.
"""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from filelock import FileLock
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

from connector.errors import SettingsError
from connector.telemetry import REGISTRY

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
KINDS = ("counter", "histogram")  # of connector/telemetry; a gauge would end with its process


def prepare(data_dir: Path, owner: str) -> Path:
    """An empty directory for the processes of `owner`. Raises `SettingsError`."""
    made = data_dir.absolute() / "metrics" / owner
    try:
        made.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in made.glob("*.db"):
            left.unlink()
    except OSError as error:
        raise SettingsError(
            f"{made} cannot be written: {error.strerror}; check the rights, "
            "or name another directory with --data-dir"
        ) from None
    return made


def start_again(data_dir: Path, owner: str) -> None:
    """Put the same command in the place of this process, with a directory to share.

    Nothing happens where there is one already; it is too late to name one after the import.
    """
    if VARIABLE not in os.environ:
        environment = {**os.environ, VARIABLE: str(prepare(data_dir, owner))}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606


def counted() -> Iterable[Metric]:
    """What this process has counted, and those that it shares a directory with."""
    shared = directory()
    if shared is None:
        return REGISTRY.collect()
    with _lock(shared):
        # also what nobody has counted yet: a family without figures says that it exists
        found = {one.name: one for one in REGISTRY.collect()}
        added = {one.name: one for one in MultiProcessCollector(None, str(shared)).collect()}
    return [added.get(name, _empty(one)) for name, one in found.items()]


def directory() -> Path | None:
    """The directory that this process shares; None: it counts for itself."""
    shared = os.environ.get(VARIABLE)
    return Path(shared) if shared else None


def keep(shared: Path | None, pid: int) -> None:
    """Add what a process counted that has ended to what others before it did.

    Its files would pile up otherwise, and without them a counter would go back.
    """
    if shared is None:
        return
    with _lock(shared):
        for kind in KINDS:
            ended = shared / f"{kind}_{pid}.db"
            if not ended.exists():
                continue
            kept = MmapedDict(str(shared / f"{kind}_ended.db"))
            for key, value, _, _ in MmapedDict.read_all_values_from_file(str(ended)):
                kept.write_value(key, kept.read_value(key)[0] + value, 0.0)
            kept.close()
            ended.unlink()


def _empty(one: Metric) -> Metric:
    return Metric(one.name, one.documentation, one.type)


def _lock(shared: Path) -> FileLock:
    return FileLock(shared / "lock", timeout=5)
