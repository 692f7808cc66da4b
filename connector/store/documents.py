"""The documents: policies and contracts under the data dir, and those that are shipped."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from errno import ENOENT
from importlib.resources import files
from pathlib import Path
from typing import Any

from connector.errors import SettingsError
from connector.store.freezing import with_dates
from mappings.document.contract import Overlay, parse_contract
from mappings.document.policy import load_policy
from mappings.document.reading import DocumentError, Problem, decoded
from mappings.policy import Policy

YAML = (".yaml", ".yml")
_Text = tuple[str, str, Path | None]  # file, text and folder


@dataclass(frozen=True, kw_only=True, slots=True)
class Contract:
    """A contract file as it was written, and as it was read."""

    file: str
    text: str
    overlay: Overlay
    #: where it lies; None for a shipped one
    folder: Path | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Everything that a policy is loaded from; it needs no other file and no list of holidays."""

    file: str
    #: as it was written, or in JSON with its holidays as dates where it takes them from elsewhere
    text: str
    #: (file, text) of its contracts
    contracts: tuple[tuple[str, str], ...]
    #: the account's zone; None: nobody has decided
    time_zone: str | None

    def as_body(self) -> dict[str, Any]:
        """The source as JSON."""
        return {
            "file": self.file,
            "text": self.text,
            "contracts": [list(one) for one in self.contracts],
            "time_zone": self.time_zone,
        }


def source_of(body: Mapping[str, Any]) -> Source:
    """A source as `as_body` gave it."""
    return Source(
        file=body["file"],
        text=body["text"],
        contracts=tuple((file, text) for file, text in body["contracts"]),
        time_zone=body["time_zone"],
    )


def load(source: Source, prefix: str) -> Policy:
    """The policy of a source. Raises `MappingError`."""
    contracts = [parse_contract(text, file) for file, text in source.contracts]
    return load_policy(
        source.text, source.file, time_zone=source.time_zone, prefix=prefix, contracts=contracts
    )


def find_policy(
    name: str,
    data_dir: Path,
    contracts: Sequence[Contract],
    *,
    time_zone: str | None,
    prefix: str = "sla_",
) -> tuple[Source, Policy]:
    """A policy by its name (the data dir comes before what is shipped) or by its file.

    Contracts of other policies are passed over. iCalendar files lie beside the policy or the
    contract that names them. Raises `SettingsError` and `MappingError`.
    """
    text, file, folder = _policy_text(name, data_dir)
    read = _reader([folder, *(one.folder for one in contracts)])
    overlays = [one.overlay for one in contracts]
    policy = load_policy(
        text, file, time_zone=time_zone, prefix=prefix, contracts=overlays, read=read
    )
    own = [one for one in contracts if one.overlay.document.policy == policy.id]
    written = {one.file: one.text for one in own}
    text, layers = with_dates(
        text, file, [one.overlay for one in own], zone_name=policy.zone_name, read=read
    )
    kept = tuple((written | layers).items())
    return Source(file=file, text=text, contracts=kept, time_zone=time_zone), policy


def _reader(folders: Sequence[Path | None]) -> Callable[[str], str]:
    places = list(dict.fromkeys(one for one in folders if one is not None))

    def read(name: str) -> str:
        found = next((one / name for one in places if (one / name).is_file()), None)
        if found is None:
            raise FileNotFoundError(ENOENT, "it is not beside the policy, nor beside a contract")
        return found.read_text(encoding="utf-8")

    return read


def is_file(name: str) -> bool:
    """Whether a policy is named by its file and not by its name."""
    return name.endswith(YAML) or "/" in name


def _policy_text(name: str, data_dir: Path) -> tuple[str, str, Path | None]:
    if is_file(name):
        return text_of(Path(name)), name, Path(name).parent
    own = data_dir / "policies" / f"{name}.yaml"
    if own.is_file():
        return text_of(own), str(own), own.parent
    shipped = files("mappings") / "policies" / f"{name}.yaml"
    with suppress(FileNotFoundError):
        return shipped.read_text(encoding="utf-8"), f"policies/{name}.yaml", None
    known = sorted(
        one.name.removesuffix(".yaml") for one in (files("mappings") / "policies").iterdir()
    )
    raise SettingsError(
        f"policy '{name}' was not found; looked for {own} and among the shipped ones: "
        f"{', '.join(known)}"
    )


def find_contracts(
    data_dir: Path | None, given: Iterable[Path] = ()
) -> tuple[tuple[Contract, ...], tuple[Problem, ...]]:
    """Every contract that is shipped, lies under the data dir or is given; and what is wrong.

    A contract takes the place of one with the same name for the same policy that comes from
    further away: a shipped one gives way to the data dir's, and that to a given one.
    """
    problems: list[Problem] = []
    kept: list[Contract] = []
    own = data_dir / "contracts" if data_dir is not None else None
    for texts in (_shipped(), _texts(_in(own), problems), _texts(given, problems)):
        nearer = list(_parsed(texts, problems))
        replaced = {_key(one) for one in nearer}
        kept = [one for one in kept if _key(one) not in replaced] + nearer
    return tuple(kept), tuple(problems)


def _key(contract: Contract) -> tuple[str, str]:
    return contract.overlay.document.policy, contract.overlay.document.contract


def _parsed(texts: Iterable[_Text], problems: list[Problem]) -> Iterator[Contract]:
    for file, text, folder in texts:
        try:
            overlay = parse_contract(text, file)
            yield Contract(file=file, text=text, overlay=overlay, folder=folder)
        except DocumentError as error:
            problems.extend(error.problems)


def _shipped() -> list[_Text]:
    folder = files("mappings") / "contracts"
    found = sorted(folder.iterdir(), key=lambda one: one.name) if folder.is_dir() else []
    return [
        (f"contracts/{one.name}", one.read_text(encoding="utf-8"), None)
        for one in found
        if one.name.endswith(YAML)
    ]


def _in(folder: Path | None) -> list[Path]:
    if folder is None or not folder.is_dir():
        return []
    return sorted(one for one in folder.iterdir() if one.name.endswith(YAML))


def _texts(paths: Iterable[Path], problems: list[Problem]) -> Iterator[_Text]:
    for path in paths:
        try:
            yield str(path), decoded(path.read_bytes(), str(path)), path.parent
        except OSError as error:
            message = f"cannot be read: {error}"
            problems.append(Problem(file=str(path), line=0, column=0, grade="E", message=message))
        except DocumentError as error:
            problems.extend(error.problems)


def text_of(path: Path) -> str:
    """What a file says. Raises `SettingsError`."""
    try:
        return decoded(path.read_bytes(), str(path))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from None
    except DocumentError as error:
        raise SettingsError(str(error)) from None
