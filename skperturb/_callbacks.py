"""scikit-learn's callbacks (1.9 and later): progress bars, monitors, early stopping.

With an older scikit-learn the classifiers work the same, without ``set_callbacks``.
"""

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for scikit-learn's mixin where there is none."""

    def with_callbacks(fit):
        """Leave `fit` as it is."""
        return fit


class FitMonitor:
    """Passes the iterations of a fit on to the callbacks of an estimator.

    Parameters
    ----------
    estimator : estimator
        It has `max_iter`, and is being fitted.
    attributes : callable
        Maps the solver's parameters to the fitted attributes they stand for.
    **data
        X, y and metadata, as callbacks may want to see them.

    Attributes
    ----------
    stopped : bool
        Whether a callback has asked to stop.
    """

    def __init__(self, estimator, attributes, **data):
        self._estimator, self._attributes, self._data = estimator, attributes, data
        self._root = self._iteration = None
        self._told, self.stopped = False, False
        if hasattr(estimator, "_init_callback_context"):
            # One more task than iterations: the one that is begun and not run.
            self._root = estimator._init_callback_context(
                max_subtasks=1 + max(estimator.max_iter, 1)
            )
            self._root.call_on_fit_task_begin(estimator=estimator, **data)

    def start(self, x):
        """Before the first iteration, at x."""
        if self._root:
            self._iteration = self._root.subcontext(task_name="iteration")
            self._iteration.call_on_fit_task_begin(**self._state(x))

    def __call__(self, x):
        """After an iteration that led to x; True where a callback asks to stop."""
        self._told = True
        if self._root:
            self.stopped = bool(self._iteration.call_on_fit_task_end(**self._state(x)))
            self.start(x)
        return self.stopped

    def close(self, x):
        """After the last iteration; where there was none, one is told of, as scikit-learn does."""
        if not self._told:
            self(x)
        if self._root:
            self._iteration.call_on_fit_task_end(estimator=self._estimator)
            self._root.call_on_fit_task_end(**self._state(x))

    def _state(self, x):
        return {
            "estimator": self._estimator,
            "reconstruction_attributes": lambda: self._attributes(x),
            **self._data,
        }
