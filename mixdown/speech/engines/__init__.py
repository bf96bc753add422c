"""Engines that speak on this machine."""
