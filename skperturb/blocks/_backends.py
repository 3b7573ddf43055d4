"""Where blocks lie: read one after the other in this process, or held by the workers of Dask.

Both have

    results(function, *args, each=None) -> what function(block, *args) returns, block by block, in
        their order; with `each`, function(block, each[k], *args)
    mapped(function, *args) -> the blocks function(block, *args)
    rounds_are_slow -> whether a round over all blocks takes longer than its work

Sums are in the order of the blocks, so that they do not depend on who computes them.
"""

import numpy as np

_LARGE = 10_000  # bytes of an argument that is sent to each worker once, not with each task


class LocalBlocks:
    """Blocks that this process goes through, one after the other.

    Parameters
    ----------
    read : callable
        Returns an iterator of blocks, each time it is called.
    """

    rounds_are_slow = False

    def __init__(self, read):
        self._read = read

    def results(self, function, *args, each=None):
        if each is None:
            return (function(block, *args) for block in self._read())
        return (function(b, own, *args) for b, own in zip(self._read(), each, strict=True))

    def mapped(self, function, *args):
        return LocalBlocks(lambda: (function(block, *args) for block in self._read()))


class DaskBlocks:
    """Blocks that workers hold, or compute anew when a worker that held them is lost.

    No task is bound to a worker: the scheduler sends it where its block is, or elsewhere if that
    worker is gone.

    Parameters
    ----------
    client : distributed.Client
    futures : list of distributed.Future
    """

    rounds_are_slow = True

    def __init__(self, client, futures):
        self._client, self._futures = client, list(futures)

    def results(self, function, *args, each=None):
        # The arguments live as long as their tasks.
        sent = [self._sent(arg) for arg in args]
        own = [()] * len(self._futures) if each is None else [(value,) for value in each]
        tasks = [
            self._client.submit(function, future, *mine, *sent, pure=False)
            for future, mine in zip(self._futures, own, strict=True)
        ]
        return self._gathered(tasks)

    def mapped(self, function, *args):
        sent = [self._sent(arg) for arg in args]
        return DaskBlocks(
            self._client,
            [self._client.submit(function, f, *sent, pure=False) for f in self._futures],
        )

    def _sent(self, arg):
        if isinstance(arg, np.ndarray) and arg.nbytes > _LARGE:
            return self._client.scatter(arg, broadcast=True, hash=False)
        return arg

    def _gathered(self, tasks):
        from distributed import CancelledError
        from distributed.scheduler import KilledWorker

        try:
            return self._client.gather(tasks)
        except CancelledError as error:
            raise RuntimeError(
                "A worker was lost with blocks that nobody can compute again, because this process "
                "had sent them: give blocks that workers read themselves, with "
                "skperturb.blocks.parquet or a Dask data frame made from files."
            ) from error
        except KilledWorker as error:
            raise RuntimeError(
                "Workers were lost again and again while they worked on one block, which is "
                "usually too large for their memory: give smaller blocks, or workers more memory."
            ) from error
