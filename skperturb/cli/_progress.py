"""What a command says while it works."""

import threading
import time

from ._console import is_verbose

FEW_SECONDS = 90  # from here on times are said in minutes
_WIDE = 78  # columns of a line that is written over


class StillWorking:
    """Says after five seconds, and then after twice as long each time, that work goes on.

    Parameters
    ----------
    stream : file
    text : str or callable
        What is being done, or what says it.
    """

    first = 5.0  # seconds
    longest = 60.0  # seconds between two lines

    def __init__(self, stream, text):
        self._stream, self._text = stream, text
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._say, daemon=True)

    def _say(self):
        start, wait = time.monotonic(), self.first
        while not self._done.wait(wait):
            passed = time.monotonic() - start
            text = self._text() if callable(self._text) else self._text
            print(f"{text}, {passed:.0f} s so far", file=self._stream, flush=True)
            wait = min(passed, self.longest)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._done.set()
        self._thread.join()


class Progress:
    """Fits done, and the time left once each estimator has been fitted once.

    A terminal has one line that is written over. Elsewhere there is a line for the first fit of
    each estimator, one with the time that all of them will take, one for each estimator that is
    done, and a sign of life in between.

    Parameters
    ----------
    stream : file
    names : list of str
        The estimators, each of which is fitted equally often, the first time before the others.
    """

    def __init__(self, stream, names):
        self._stream, self._is_terminal = stream, stream.isatty()
        self._seconds = dict.fromkeys(names, 0.0)
        self._done = dict.fromkeys(names, 0)
        self._last, self._text = time.monotonic(), f"fitting {names[0]} for the first time"
        self._life = StillWorking(stream, lambda: self._text)

    def __enter__(self):
        if not self._is_terminal:
            self._life.__enter__()
        return self

    def __exit__(self, *error):
        if not self._is_terminal:
            self._life.__exit__(*error)

    def __call__(self, name, done, total):
        now = time.monotonic()
        self._seconds[name] += now - self._last
        self._last, self._done[name] = now, done
        first = min(self._done.values()) == 0
        left = "" if first else f", about {spoken(self.left(total))} left in all"
        self._text = f"{name}: fit {done} of {total}{left}"
        if self._is_terminal:
            # Padded, so that nothing of a longer line stays.
            end = "\n" if min(self._done.values()) == total else ""
            print(f"\r{self._text:<{_WIDE}}", end=end, file=self._stream, flush=True)
            return
        lines = []
        if done == 1:
            lines.append(f"{name}: one fit takes {spoken(self._seconds[name])}")
            if not first and total > 1:
                fits = sum(total - one for one in self._done.values())
                lines.append(f"{fits} more fits take about {spoken(self.left(total))}")
        if done == total:
            lines.append(f"{name}: {total} fits done{left}")
        elif is_verbose() and done > 1:
            lines.append(self._text)
        for line in lines:
            print(line, file=self._stream, flush=True)

    def left(self, total):
        """Seconds until all fits are done, if each takes as long as those of its estimator did."""
        pairs = ((self._seconds[name], done) for name, done in self._done.items() if done)
        return sum(seconds / done * (total - done) for seconds, done in pairs)


def spoken(seconds):
    """A time in words.

    Examples
    --------
    >>> from skperturb.cli._progress import spoken
    >>> spoken(0.314), spoken(12.3), spoken(250), spoken(8000)
    ('0.3 s', '12 s', '4 min', '2.2 h')
    """
    if seconds < FEW_SECONDS:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < FEW_SECONDS else f"{minutes / 60:.1f} h"
