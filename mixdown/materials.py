"""What a job works on, as local files: its source and everything else that it was validated with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mixdown.findings import Validated
from mixdown.intake import fetched_into
from mixdown.model import Source, StoredObject
from mixdown.studio import Studio


@dataclass(frozen=True, slots=True)
class Materials:
    """The sources of one job, brought into its folder when they are asked for: the bytes that were validated."""

    studio: Studio
    validated: Validated
    folder: Path

    def source(self) -> Path:
        """The job's own source."""
        return self._local_file(self.validated.source, "source", staged=self.validated.staged)

    def of(self, source: Source) -> Path:
        """Another one, by its address."""
        return self.beside()[source.uri]

    def beside(self) -> dict[str, Path]:
        """All others, by their address."""
        return {
            each.asked.uri: self._local_file(each.object, f"material-{index}", staged=each.staged)
            for index, each in enumerate(self.validated.materials)
        }

    def _local_file(self, stored: StoredObject, name: str, *, staged: bool) -> Path:
        if not staged:
            return fetched_into(self.studio, Source(uri=stored.uri, sha256=stored.sha256), self.folder / name).path
        path = self.studio.objects.local_path(stored.uri) or self.folder / name
        if not path.exists():
            self.studio.objects.download(stored, path, check=self.studio.check)
        return path
