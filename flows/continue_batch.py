"""A batch that is in the ledger, worked on until nothing of it is left."""

from __future__ import annotations

from uuid import UUID

from prefect import flow

from flows.orchestrate import call_off, ended, work_to_end
from mixdown.ended import Ended
from tasks.studio import studio


@flow(name="continue-batch", persist_result=False, on_cancellation=[call_off])
def continue_batch(batch_id: UUID) -> Ended:
    """Work on a batch until nothing of it is left. Several runs at once share its jobs.

    Args:
        batch_id: The batch, as mixdown batch list shows it.
    """
    return ended(work_to_end(studio(), batch_id))
