"""Column types: what Python gives is what Python gets back, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import JSON, DateTime, Dialect, Float, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from mixdown.db import lossless


class UtcDateTime(TypeDecorator[datetime]):
    """A moment; SQLite has no time zones, so there it is kept as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The moment in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs its time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The moment, aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class AnyText(TypeDecorator[str]):
    """Text, with whatever strangers put in it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """The text as every database takes it."""
        return None if value is None else lossless.escape(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """The text as it was."""
        return None if value is None else lossless.unescape(value)


class Json(TypeDecorator[Any]):
    """A value as JSON, checked against its type when it is read. The engine's serializer is `lossless`."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def __init__(self, adapter: TypeAdapter[Any] | None = None) -> None:
        super().__init__()
        self.adapter = adapter

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """JSONB where there is such a thing."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(JSONB(none_as_null=True))
        return dialect.type_descriptor(JSON(none_as_null=True))

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """The value in its type."""
        return value if value is None or self.adapter is None else self.adapter.validate_python(value)


class Fraction(TypeDecorator[float]):
    """A float, also where it is whole: SQLite answers an UPDATE with the 1 that it stores."""

    impl = Float
    cache_ok = True

    def process_result_value(self, value: float | None, dialect: Dialect) -> float | None:
        """The number as a float."""
        return None if value is None else float(value)


class json_merge(FunctionElement[Any]):  # noqa: N801
    """One JSON object with the members of another one put in."""

    name = "json_merge"
    type = Json()
    inherit_cache = True


@compiles(json_merge, "postgresql")
def _merge_on_postgresql(element: json_merge, compiler: SQLCompiler, **options: Any) -> str:
    into, new = element.clauses
    return f"{compiler.process(into, **options)} || {compiler.process(new, **options)}"


@compiles(json_merge)
def _merge_on_sqlite(element: json_merge, compiler: SQLCompiler, **options: Any) -> str:
    # A function that `engine` gives to each connection.
    return f"json_merge({compiler.process(element.clauses, **options)})"
