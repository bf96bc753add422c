"""The settings of a process: the only place that reads the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, SecretStr, computed_field
from pydantic_settings import BaseSettings, SettingsConfigDict

from mixdown.model import Limits


def _cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Settings(BaseSettings):
    """Endpoints, limits and credentials. Every field is also `MIXDOWN_<NAME>` in the environment."""

    model_config = SettingsConfigDict(env_prefix="MIXDOWN_", frozen=True, extra="ignore", env_ignore_empty=True)

    home: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("mixdown")),
        description="Folder of everything Mixdown keeps by default.",
    )
    database_url: str = Field(
        default="",
        description="Job metadata: `postgresql+psycopg2://…` or `sqlite:///…`. Default: SQLite in home.",
    )
    results_url: str = Field(
        default="",
        description="Where masters go: a folder or `s3://bucket/prefix`. Default: `results` in home.",
    )
    scratch: Path | None = Field(
        default=None,
        description="Folder for work in progress: 1.4 GB per hour of stereo. Default: `scratch` in home.",
    )
    presets: Path | None = Field(
        default=None, description="Folder of presets of your own. Default: `presets` in home."
    )
    voices: Path | None = Field(
        default=None,
        description="Folder of voice models that came by other ways than wheels. Default: `voices` in home.",
    )
    speech_engines: SecretStr | None = Field(
        default=None,
        description="Cloud engines of speech, as JSON of names and what they are: "
        '`{"openai": {"kind": "openai", …}}`.',
    )
    max_cost: float | None = Field(
        default=None,
        ge=0,
        description="Most that one job may cost at paid engines; a request may ask for less. Default: any amount.",
    )
    s3_endpoint_url: str | None = Field(default=None, description="S3 endpoint, for anything but AWS itself.")
    s3_public_url: str | None = Field(
        default=None,
        description="The S3 endpoint as clients reach it, such as `https://s3.example.com`: signed links name it. "
        "Default: the endpoint itself.",
    )
    s3_key: str | None = Field(default=None, description="S3 access key id. Default: AWS's own chain.")
    s3_secret: SecretStr | None = Field(default=None, description="S3 secret access key.")
    s3_region: str | None = Field(default=None, description="S3 region.")
    webhook_secret: SecretStr | None = Field(
        default=None, description="Signs outgoing webhooks (`whsec_…`, Standard Webhooks)."
    )
    allow_internal_webhooks: str = Field(
        default="",
        description="Internal hosts and networks (`10.0.0.0/8`) that webhooks asked for with an API key may go to, "
        "comma-separated; `*` for all.",
    )
    triggers: Path | None = Field(default=None, description="File of triggers, for webhooks that come in: YAML.")
    trigger_secrets: SecretStr | None = Field(
        default=None, description='Their secrets, as JSON of names and secrets: `{"github": "…"}`.'
    )
    channels: SecretStr | None = Field(
        default=None,
        description='Where people are told, as JSON of names and apprise addresses: `{"team": "slack://…"}`.',
    )
    workers: int = Field(
        default_factory=_cores,
        ge=1,
        le=256,
        description="Shards worked on at once. Default: the number of cores.",
    )
    max_source_bytes: int = Field(default=8 * 2**30, gt=0, description="Largest source accepted, in bytes.")
    max_duration_s: float = Field(default=6 * 3600.0, gt=0, description="Longest recording accepted, in seconds.")
    max_channels: int = Field(default=16, ge=1, le=64, description="Most channels accepted.")
    accepted_formats: str = Field(
        default="", description="Kinds of file accepted, such as `wav,flac,mp3`. Default: every kind there is."
    )
    allow_internal_sources: str = Field(
        default="",
        description="Internal hosts and networks (`10.0.0.0/8`) that sources asked for through the API may lie "
        "on, comma-separated; `*` for all.",
    )
    source_roots: str = Field(
        default="",
        description="Folders whose files may be asked for through the API by their path, comma-separated. "
        "Default: none.",
    )
    source_buckets: str = Field(
        default="",
        description="Buckets whose objects may be asked for through the API, comma-separated. Default: none.",
    )
    job_memory_bytes: int = Field(
        default=8 * 2**30,
        ge=2**26,
        description="Most memory that the process of a job may take, in bytes.",
    )
    job_time_s: float = Field(
        default=4 * 3600.0,
        gt=0,
        description="Longest time that one stage of a job may take, in seconds.",
    )
    delivery_places: str = Field(
        default="",
        description="Folders and `s3://` prefixes that masters asked for through the API may be delivered to, "
        "comma-separated. Default: none.",
    )
    fetch_timeout_s: float = Field(
        default=900.0, gt=0, description="Longest time a source may take to arrive, in seconds."
    )
    lease_s: float = Field(
        default=60.0,
        gt=0,
        description="Silence after which a running job counts as abandoned, in seconds.",
    )
    outage_patience_s: float = Field(
        default=3600.0,
        ge=0,
        description="How long jobs wait for a server or store that is down, in seconds; then they fail.",
    )
    cluster: str = Field(
        default="",
        description="Where batches are worked on: `dask://host:port` or `ray://host:port`; `dask` or `ray` start "
        "one here, `threads` stays in one process. Default: processes of this machine.",
    )
    shared_folders: str = Field(
        default="",
        description="Folders that every machine sees under the same path, comma-separated. What lies elsewhere is "
        "read by its own machine only.",
    )
    keep_results_days: float | None = Field(
        default=None, gt=0, description="Housekeeping deletes older results. Default: keep for ever."
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Lines of the log: `text` for people, `json` for machines."
    )
    sentry_dsn: SecretStr | None = Field(
        default=None, description="Sentry project that is told of bugs; takes `mixdown[sentry]`."
    )
    otlp_url: str = Field(
        default="",
        description="OpenTelemetry collector that gets traces of requests and jobs, such as "
        "`http://127.0.0.1:4318`; takes `mixdown[telemetry]`.",
    )
    prefect_url: str = Field(
        default="",
        description="Prefect's API, if the HTTP API is not to count as ready without it. Default: it does not "
        "matter.",
    )
    rate_limit: str = Field(
        default="6000/minute",
        description="Requests of one API key: `6000/minute`, several with commas; `off`: any number.",
    )
    redis_url: SecretStr | None = Field(
        default=None,
        description="`redis://…` that counts requests for all processes. Default: each counts for itself.",
    )
    cors_origins: str = Field(
        default="",
        description="Web pages that may use the API from a browser: origins such as `https://app.example.com`, "
        "comma-separated. Default: none.",
    )
    max_request_bytes: int = Field(
        default=16 * 2**20, gt=0, description="Largest body of a request that is no upload, in bytes."
    )
    supabase: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="Publish jobs and batches to Supabase Realtime and secure every table: `on`, `off`, or `auto`, "
        "where the database is one of Supabase's.",
    )
    onnx_providers: str = Field(
        default="CPUExecutionProvider", description="ONNX Runtime execution providers, comma-separated."
    )

    @computed_field  # type: ignore[prop-decorator]
    @property
    def effective_database_url(self) -> str:
        """The database that is used."""
        return self.database_url or f"sqlite:///{self.home / 'mixdown.db'}"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def effective_results_url(self) -> str:
        """The root of the object store that is used."""
        return self.results_url or str(self.home / "results")

    @property
    def effective_scratch(self) -> Path:
        """The scratch folder that is used."""
        return self.scratch or self.home / "scratch"

    @property
    def effective_voices(self) -> Path:
        """The folder of voice models."""
        return self.voices or self.home / "voices"

    @property
    def effective_presets(self) -> Path:
        """The folder of presets of one's own."""
        return self.presets or self.home / "presets"

    def is_shared(self, path: Path | None) -> bool:
        """Whether a path means the same on every machine."""
        folders = [Path(folder.strip()) for folder in self.shared_folders.split(",") if folder.strip()]
        return path is not None and any(path.is_relative_to(folder) for folder in folders)

    @property
    def limits(self) -> Limits:
        """What sources are accepted."""
        named = frozenset(kind.strip().lower() for kind in self.accepted_formats.split(",") if kind.strip())
        return Limits(
            source_bytes=self.max_source_bytes,
            duration_s=self.max_duration_s,
            channels=self.max_channels,
            containers=named or None,
        )
