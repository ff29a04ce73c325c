"""Handling of SIGTERM that waits for the end of a training step."""

import signal
import threading
import time

GRACE_SECONDS = 10.0  # after this, another SIGTERM ends the process even if no step has ended
EXIT_STATUS = 128 + signal.SIGTERM  # 143, as shells report a process that SIGTERM ended


class TrainingTerminated(SystemExit):
    """Ends the process with status 143 after SIGTERM.

    `callbacks.Checkpoint` raises it, after it has saved a checkpoint. Like every `SystemExit` it
    ends a script without a traceback. Catch it to clean up, or to keep a notebook's kernel alive:

        try:
            model.fit(x, callbacks=[keras_ssl.callbacks.Checkpoint("run")])
        except keras_ssl.callbacks.TrainingTerminated as reason:
            print(reason)

    Args:
        message: String, why and where training stopped.
    """

    def __init__(self, message: str) -> None:
        super().__init__(EXIT_STATUS)
        self.message = message

    def __str__(self):
        return self.message


class SigtermHandler:
    """Records SIGTERM, so that training can stop between two steps.

    Another SIGTERM after `GRACE_SECONDS` gets the previous handler, in case no step ends; but not
    while a checkpoint is written.

    Args:
        is_saving: Function that returns whether a checkpoint is written.

    Attributes:
        is_received: Bool, whether SIGTERM came since `install`.
    """

    def __init__(self, is_saving):
        self.is_received, self._is_saving = False, is_saving
        self._previous, self._received_at = None, None

    def install(self):
        """Replaces the handler of SIGTERM, if this is the main thread."""
        self.is_received = False
        if threading.current_thread() is threading.main_thread():  # Python allows no other
            self._previous = signal.signal(signal.SIGTERM, self._handle)

    def restore(self):
        """Restores the previous handler of SIGTERM."""
        if self._previous is not None:
            signal.signal(signal.SIGTERM, self._previous)
            self._previous = None

    def _handle(self, number, frame):
        now = time.monotonic()
        if not self.is_received:
            self.is_received, self._received_at = True, now
        elif not self._is_saving() and now - self._received_at > GRACE_SECONDS:
            self.restore()
            signal.raise_signal(number)
