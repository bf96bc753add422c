"""Formats: the only place that meets them. Files in, samples out, and back."""
