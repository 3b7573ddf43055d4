"""What a command says while it works."""

import threading
import time


class Progress:
    """Fits done and time left, on one line that is written over, or a line for each estimator."""

    def __init__(self, stream, n_estimators):
        self._stream, self._n_estimators = stream, n_estimators
        self._is_terminal = stream.isatty()
        self._names, self._start = [], time.monotonic()

    def __call__(self, name, done, total):
        if name not in self._names:
            self._names.append(name)
        fits = (len(self._names) - 1) * total + done
        left = (time.monotonic() - self._start) * (self._n_estimators * total / fits - 1)
        text = f"{name}: fit {done} of {total}, about {left:.0f} s left in all"
        if self._is_terminal:
            # Padded, so that nothing of a longer line stays.
            end = "\n" if done == total else ""
            print(f"\r{text:<78}", end=end, file=self._stream, flush=True)
        elif done == total:
            print(
                f"{name}: {total} fits done, about {left:.0f} s left", file=self._stream, flush=True
            )


class StillWorking:
    """Says after five seconds, and then after twice as long each time, that work goes on.

    Parameters
    ----------
    stream : file
    text : str
        What is being done.
    """

    first = 5.0  # seconds

    def __init__(self, stream, text):
        self._stream, self._text = stream, text
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._say, daemon=True)

    def _say(self):
        start, wait = time.monotonic(), self.first
        while not self._done.wait(wait):
            passed = time.monotonic() - start
            print(f"{self._text}, {passed:.0f} s so far", file=self._stream, flush=True)
            wait = passed

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *error):
        self._done.set()
        self._thread.join()
