"""A program: speaks lines given as JSON on stdin, and writes 16-bit mono PCM at 16 kHz to stdout.

A process of its own because the engine works in memory it does not clear: what it says depends on what the
process did before. Here every line is spoken in fresh pages (see `voices`), and so the same each time.
"""

import json
import struct
import sys

import py_nanotts

if __name__ == "__main__":
    engine = py_nanotts.NanoTTS()
    for line in json.load(sys.stdin):
        pcm = engine.speak(**line)
        sys.stdout.buffer.write(struct.pack("<I", len(pcm)) + pcm)
