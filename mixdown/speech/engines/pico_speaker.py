"""A program: speaks each line of JSON on stdin, and answers with 16-bit mono PCM at 16 kHz on stdout.

A process of its own because Pico works in memory it does not clear: what it says depends on what the process did
before. Here every line is spoken in fresh pages (see `pico`), and so the same each time. It ends with its stdin.
"""

import json
import struct
import sys

if __name__ == "__main__":
    import py_nanotts

    engine = py_nanotts.NanoTTS()
    answers = sys.stdout.buffer
    answers.write(b"+")
    answers.flush()
    for line in sys.stdin.buffer:
        try:
            good, answer = True, engine.speak(**json.loads(line))
        except (RuntimeError, ValueError, MemoryError) as error:
            good, answer = False, str(error).encode()
        answers.write(struct.pack("<?I", good, len(answer)) + answer)
        answers.flush()
