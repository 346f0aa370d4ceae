"""One websocket to the browser, many sessions on it (https://chromedevtools.github.io/devtools-protocol/, flat).

One thread receives and sorts: an answer goes to who asked, an event to who owns its session. They read their inbox in
their own thread, so nothing that a page does is handled in two threads at once.
"""

from __future__ import annotations

import itertools
import json
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import websocket

from engine.intake.capture.browser.failures import BrowserGoneError, CommandError, LateError, StoppedError

Message = dict[str, Any]
Inbox = queue.SimpleQueue[Message]
Handler = Callable[[Message], None]

GONE: Message = {"method": "own.gone"}
STOP: Message = {"method": "own.stop"}


class Connection:
    """The websocket to the browser. `on_event` gets the browser's own events, in the thread that receives.

    Raises:
        BrowserGoneError: nothing listens at `address`.
    """

    def __init__(self, address: str, on_event: Handler) -> None:
        try:
            # Valid UTF-8 is the decoder's business; checked in Python it would cost more than all the rest.
            self._socket = websocket.create_connection(
                address, suppress_origin=True, skip_utf8_validation=True, timeout=10
            )
        except (OSError, websocket.WebSocketException) as error:
            raise BrowserGoneError(str(error)) from error
        self._socket.settimeout(None)
        self._numbers = itertools.count(1)
        self._on_event = on_event
        self._inboxes: dict[str, Inbox] = {}
        self._asked: dict[int, Inbox] = {}
        self._lock = threading.Lock()
        self._end: Message | None = None
        self._reader = threading.Thread(target=self._read, name="devtools", daemon=True)
        self._reader.start()

    def join(self, session: str, inbox: Inbox) -> None:
        """Put the messages of `session` into `inbox` from now on."""
        with self._lock:
            self._inboxes[session] = inbox
            if self._end:
                inbox.put(self._end)

    def leave(self, session: str) -> None:
        """Drop the messages of `session` from now on."""
        with self._lock:
            self._inboxes.pop(session, None)

    def send(self, session: str, method: str, params: Message, inbox: Inbox | None = None) -> int:
        """Send one command and return its number; its answer arrives in `inbox`, or is dropped.

        Raises:
            BrowserGoneError: the connection has ended.
        """
        number = next(self._numbers)
        message: Message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        if inbox is not None:
            with self._lock:
                self._asked[number] = inbox
        try:
            self._socket.send(msgspec.json.encode(message).decode())
        except (OSError, websocket.WebSocketException) as error:
            raise BrowserGoneError(str(error)) from error
        return number

    def stop(self) -> None:
        """Wake everybody who waits for the browser: they get a `StoppedError`."""
        self._tell_all(STOP)

    def close(self) -> None:
        """End the connection and its thread."""
        self._socket.abort()  # type: ignore[no-untyped-call]
        self._reader.join(timeout=5)
        self._socket.close(timeout=0)

    def _read(self) -> None:
        try:
            while (frame := self._socket.recv_data())[0] == websocket.ABNF.OPCODE_TEXT:
                self._sort(_decoded(frame[1]))
        except (OSError, websocket.WebSocketException, ValueError):
            pass
        finally:
            self._tell_all(GONE)

    def _sort(self, message: Message) -> None:
        number, session = message.get("id"), message.get("sessionId", "")
        if number is None and not session:
            self._on_event(message)
            return
        with self._lock:
            inbox = self._inboxes.get(session) if number is None else self._asked.pop(number, None)
        if inbox is not None:
            inbox.put(message)

    def _tell_all(self, end: Message) -> None:
        with self._lock:
            self._end = self._end or end
            for inbox in {id(inbox): inbox for inbox in self._inboxes.values()}.values():
                inbox.put(end)


def _decoded(data: bytes) -> Message:
    """Return one message. A page's texts may hold halves of surrogate pairs, which only the library's decoder takes."""
    try:
        message: Message = msgspec.json.decode(data)
    except msgspec.DecodeError:
        message = json.loads(data)
    return message


class Session:
    """Commands to one target and what it tells meanwhile.

    `handler` gets every event, in the thread that waits for an answer or for a condition.
    """

    def __init__(self, connection: Connection, session: str, handler: Handler) -> None:
        self._connection, self.id, self._handler = connection, session, handler
        self._inbox: Inbox = queue.SimpleQueue()
        self._answers: dict[int, Message] = {}
        self._waited: set[int] = set()
        connection.join(session, self._inbox)

    def adopt(self, child: str) -> None:
        """Let what a child session (a frame of another site, a worker) tells arrive here too."""
        self._connection.join(child, self._inbox)

    def close(self, *children: str) -> None:
        """Listen no more to this session and to `children`."""
        for session in (self.id, *children):
            self._connection.leave(session)

    def post(self, method: str, session: str = "", **params: Any) -> None:
        """Send a command whose answer does not matter, to this session or to a child's."""
        self._connection.send(session or self.id, method, params)

    def ask(self, method: str, **params: Any) -> int:
        """Send a command and return its number, for `answer`."""
        number = self._connection.send(self.id, method, params, self._inbox)
        self._waited.add(number)
        return number

    def answer(self, number: int, until: float) -> Message:
        """Return the result of the command `number`; events are handled meanwhile.

        Args:
            number: what `ask` returned.
            until: monotonic seconds.

        Raises:
            CommandError: the browser refused it.
            LateError: no answer by then.
            BrowserGoneError, StoppedError: the connection ended.
        """
        try:
            self.pump(lambda: number in self._answers, until)
        finally:
            self._waited.discard(number)
        message = self._answers.pop(number, None)
        if message is None:
            raise LateError
        if "error" in message:
            raise CommandError(str(number), str(message["error"].get("message", "")))
        result: Message = message["result"]
        return result

    def call(self, method: str, until: float, **params: Any) -> Message:
        """`ask` and `answer` in one."""
        try:
            return self.answer(self.ask(method, **params), until)
        except CommandError as error:
            raise CommandError(method, error.message) from error

    def pump(self, done: Callable[[], bool], until: float) -> bool:
        """Handle what arrives until `done()` or until then; return whether it is done.

        Raises:
            BrowserGoneError, StoppedError: the connection ended.
        """
        while not done():
            left = until - time.monotonic()
            if left <= 0:
                return False
            try:
                self._take(self._inbox.get(timeout=left))
            except queue.Empty:
                return done()
        return True

    def _take(self, message: Message) -> None:
        if message is GONE:
            raise BrowserGoneError("the connection ended")
        if message is STOP:
            raise StoppedError
        number = message.get("id")
        if number is None:
            self._handler(message)
        elif number in self._waited:
            self._answers[number] = message
