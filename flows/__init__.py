"""Prefect flows: one file for a deployment, or for two that are one chain."""
