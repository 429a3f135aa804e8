# progress.py - lines on standard error that say what is being done, and since when.
import sys
import time

_started = time.monotonic()


def say(text):
    seconds = int(time.monotonic() - _started)
    print(f"bench: {seconds // 60:2}:{seconds % 60:02} {text}", file=sys.stderr, flush=True)
