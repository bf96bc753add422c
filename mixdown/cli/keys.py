"""`mixdown keys`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from mixdown.cli.shared import AsJson, err, in_sentences, out, print_json
from mixdown.keys import SCOPES
from mixdown.settings import Settings

if TYPE_CHECKING:
    from mixdown.keys import Key, KeyStore

app = typer.Typer(help="Make, list and revoke the keys of the API.", add_completion=False)

_DAY_S = 86_400.0


@app.callback(invoke_without_command=True)
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_keys()


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is, or what for.", show_default=False)],
    scopes: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="SCOPE", help=f"{', '.join(SCOPES)}; repeat. Default: read and write."),
    ] = None,
    days: Annotated[
        float | None, typer.Option("--days", metavar="N", help="It expires after so many days.", min=0.001)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown this once; only its hash is kept."""
    with in_sentences():
        key, secret = _store().create(
            name, scopes or ("read", "write"), within_s=None if days is None else days * _DAY_S
        )
    if as_json:
        print_json({**_document(key), "key": secret})
        return
    err.print("Keep this key where secrets are kept: it is shown this once.")
    out.print(secret, markup=False, highlight=False, soft_wrap=True)


@app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List the keys, the newest first."""
    with in_sentences():
        keys = _store().list()
    if as_json:
        print_json([_document(key) for key in keys])
        return
    if not keys:
        out.print("No keys yet. Make one with: mixdown keys create NAME")
        return
    table = Table("key", "name", "for", "created", "last used", "state", box=None, pad_edge=False)
    for key in keys:
        table.add_row(
            f"{key.prefix}…",
            escape(key.name),
            ", ".join(each for each in SCOPES if each in key.scopes),
            f"{key.created_at.astimezone():%Y-%m-%d}",
            f"{key.last_used_at.astimezone():%Y-%m-%d %H:%M}" if key.last_used_at else "never",
            _state(key),
        )
    out.print(table)


@app.command()
def revoke(
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="How it begins, as listed, or its id.", show_default=False)
    ],
) -> None:
    """Make a key open nothing any more, for good. Jobs asked for with it go on."""
    with in_sentences():
        revoked = _store().revoke(key.strip().rstrip("…"))
    out.print(f"{revoked.prefix}… ({revoked.name}) opens nothing any more.", markup=False, highlight=False)


def _store() -> KeyStore:
    from mixdown.keys import KeyStore
    from mixdown.studio import open_jobs

    settings = Settings()
    settings.home.mkdir(parents=True, exist_ok=True)
    return KeyStore(open_jobs(settings.effective_database_url).engine)


def _state(key: Key) -> str:
    from datetime import UTC, datetime

    if key.revoked_at:
        return f"revoked {key.revoked_at.astimezone():%Y-%m-%d}"
    if not key.is_usable(datetime.now(UTC)):
        return "expired"
    return f"until {key.expires_at.astimezone():%Y-%m-%d}" if key.expires_at else ""


def _document(key: Key) -> dict[str, Any]:
    return {
        "id": str(key.id),
        "name": key.name,
        "prefix": key.prefix,
        "scopes": [each for each in SCOPES if each in key.scopes],
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
    }
