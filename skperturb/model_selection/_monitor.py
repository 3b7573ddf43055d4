"""scikit-learn's callbacks during a search: one task for each point, one for the final fit."""


class SearchMonitor:
    """Passes the points of a search on to the callbacks of an estimator.

    Parameters
    ----------
    estimator : estimator
        It is being fitted.
    n_points : int
        Candidates times values of C.
    **data
        X, y and metadata, as callbacks may want to see them.
    """

    def __init__(self, estimator, n_points, **data):
        self._data = {"estimator": estimator, **data}
        self._root, self._stopped = None, False
        if hasattr(estimator, "_init_callback_context"):
            self._root = estimator._init_callback_context(max_subtasks=n_points + 1)
            self._root.call_on_fit_task_begin(**self._data)

    def __call__(self):
        """After a point; True where a callback asks to stop."""
        if self._root and not self._stopped:
            task = self._root.subcontext(task_name="point")
            task.call_on_fit_task_begin(**self._data)
            self._stopped = bool(task.call_on_fit_task_end(**self._data))
        return self._stopped

    def final_fit(self, fit, clf):
        """Run the fit of a classifier as the last task."""
        if not self._root:
            fit()
            return
        task = self._root.subcontext(task_name="refit")
        with task.propagate_callback_context(clf):
            task.call_on_fit_task_begin(**self._data)
            fit()
        task.call_on_fit_task_end(**self._data)

    def close(self):
        """After everything."""
        if self._root:
            self._root.call_on_fit_task_end(**self._data)
