"""Prefect flows: one file for a deployment, or for two that are one chain."""

from flows.lifeline import end_with_server

# Here, because the process of a run belongs to Prefect until it imports its flow.
end_with_server()
