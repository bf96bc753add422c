"""Two processes of the API that share a limit through Redis. A part of api.py."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
from bench_services import Services
from front_door import FrontDoor, Row, Say

_LIMIT, _ASKED = 100, 150


def redis(services: Services, given: argparse.Namespace, say: Say) -> Iterator[Row]:
    """One key asks both at once, each more often than it may: together they grant the limit."""
    if not shutil.which("redis-server"):
        say("redis: there is no redis-server")
        return
    with services.redis() as (url, _):
        env = services.environment("limited", prefect=False)
        env |= {"MIXDOWN_REDIS_URL": url, "MIXDOWN_RATE_LIMIT": f"{_LIMIT}/hour"}
        words = [sys.executable, "-m", "mixdown.cli", "keys", "create", "busy", "--json"]
        key = json.loads(subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout)["key"]
        one, other = FrontDoor(services, env, given), FrontDoor(services, env, given)
        with one.standing(), other.standing(), one.client() as here, other.client() as there:

            def ask(client: httpx.Client) -> int:
                return client.get("/v1/jobs", headers={"authorization": f"Bearer {key}"}).status_code

            with ThreadPoolExecutor(8) as threads:
                answers = list(threads.map(ask, [here, there] * _ASKED))
    granted = [Counter(each)[200] for each in (answers[::2], answers[1::2])]
    statuses = dict(Counter(answers))
    say(f"redis: {granted} of {_ASKED} each; {statuses}")
    yield Row(
        f"one key at two processes that share a Redis, {_ASKED} requests each at once, {_LIMIT} allowed",
        f"{granted[0]} + {granted[1]} = {sum(granted)} allowed, {statuses.get(429, 0)} refused with 429",
        f"{_LIMIT} together",
        "",
        sum(granted) == _LIMIT and set(statuses) <= {200, 429},
    )
