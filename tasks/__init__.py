"""Prefect tasks: a policy and a few lines that call the core."""
