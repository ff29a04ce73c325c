"""Work in a thread, while training goes on."""

from concurrent.futures import ThreadPoolExecutor


class BackgroundCall:
    """Calls one function at a time in a thread."""

    def __init__(self):
        self._result = None  # the future of the last call, until its error is raised

    @property
    def is_running(self):
        """Whether the last function is running."""
        return self._result is not None and not self._result.done()

    def start(self, function, *args):
        """Starts `function(*args)`, after the end of the last function."""
        self.wait()
        executor = ThreadPoolExecutor(1)
        self._result = executor.submit(function, *args)
        executor.shutdown(wait=False)

    def raise_error(self):
        """Raises the error of the last function, if it has ended with one."""
        if not self.is_running:
            self.wait()

    def wait(self):
        """Waits for the last function to end, and raises its error."""
        result, self._result = self._result, None
        if result is not None:
            result.result()
