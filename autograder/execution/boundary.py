"""The boundary: a check uses a learner's functions and objects in another process, as if they were its own.

Each side has a ``Peer``. What is asked for is fetched by name: data come as data, and anything else as a stand-in that
can be called, calculated with and looked into. Every use is a request and a reply; while it is under way the other
side may send requests as well, so that a function handed to a learner's function is called back, to any reasonable
depth. There is one conversation, in strict turns. One thing comes unasked: behind each cell the learner's process
offers the functions that are new, with what a check asks about them first. An offer is read as strictly as a reply, and
holds until something is done there.

The sides are not alike. The check does not trust the learner's process, and that is all the protection needs: a reply
is data that is read strictly; whatever breaks the rules, is late or breaks off ends that process's part for good (a
``BoundaryError``); and the learner's side can ask for nothing but what it was handed and, between checks, for the few
functions that are meant for it.
"""

from __future__ import annotations

import contextlib
import select
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import ModuleType
from typing import Any

import numpy as np

from autograder.errors import BoundaryError
from autograder.execution import effects, lending
from autograder.execution.failures import ProtocolError, StudentGone, StudentTimeout, ValueTooLarge
from autograder.execution.raised import StudentError, read_exception, written_exception
from autograder.execution.sharing import Copies, Originals
from autograder.execution.stand_ins import Facts, StandIn, learn
from autograder.execution.values import Reader, Writer, no_data
from autograder.isolation.channel import BadMessage, Channel, ChannelClosed, TimedOut

__all__ = [
    "Came",
    "ModuleName",
    "Peer",
    "ProtocolError",
    "StandIn",
    "StudentError",
    "StudentGone",
    "StudentTimeout",
    "ValueTooLarge",
]

DEEPEST = 20
"""Requests within requests, from either side."""

MOST_OFFERED = 20
"""Functions that are sent before they are asked for."""

PATIENCE = 10.0
"""Seconds for the rest of a request that has begun to arrive while no check is running, and for sending its reply."""

STOPPED = (
    "Your function was stopped while it was still running. "
    "Is there a loop that never ends, such as a `while` whose condition stays true?"
)

REQUEST, REPLY, OFFER = 1, 2, 3
VALUE, RAISED, NOT_IMPLEMENTED, MODULE, FUNCTION, SEVERAL = range(6)

_NUMBERS = ("ignore", "warn", "raise", "call", "print", "log")
"""What numpy may do at an overflow and the like; ``call`` and ``log`` are the other side's own affair."""

OPERATIONS = ("call", "calls", "get", "set", "special", "text", "describe", "fetch", "ask")


@dataclass(frozen=True)
class ModuleName:
    """What comes in the place of a module: its name."""

    name: str


@dataclass(frozen=True)
class Came:
    """What came of something that was done: a value or an exception, and what was printed and warned of."""

    value: Any
    error: BaseException | None
    caught: effects.Effects | None

    def give(self) -> Any:
        """Print and warn as it did, and give the value or raise the exception."""
        __tracebackhide__ = True
        if self.caught is not None:
            self.caught.do_again()
        if self.error is not None:
            raise self.error
        return self.value


def _numbers() -> list[int]:
    """What numpy does in this process at an overflow and the like."""
    return [_NUMBERS.index(each) for each in np.geterr().values()]


def _data(caught: effects.Effects | None) -> list[Any] | None:
    """What was printed and warned of, as data."""
    return None if caught is None else caught.written()


def _parts(reply: Any) -> tuple[Any, Any, Any, Any]:
    """The kind of outcome, its content, notes, and what was printed and warned of."""
    try:
        outcome, content, notes, done = reply
    except (TypeError, ValueError):
        raise BadMessage("A reply does not come as agreed.") from None
    return outcome, content, notes, done


def _as_data(came: Came, writer: Writer) -> list[Any] | None:
    """The reply with a value that is data; None where there is none, and an exception or something else came."""
    if came.error is not None:
        return None
    try:
        return [VALUE, writer.write(came.value), None, _data(came.caught)]
    except Exception:  # it is no data, or too much, or a learner's class fails when it is looked at
        return None


class _Failing:
    """What goes wrong with the connection, as what it means to a check; the conversation is over then."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TimedOut):
            raise self._peer.fail(StudentTimeout(STOPPED)) from None
        if isinstance(error, ChannelClosed):
            gone = "The process that ran the learner's code has ended before the check had its answer."
            raise self._peer.fail(StudentGone(gone)) from None
        if isinstance(error, BadMessage):
            told = f"The process with the learner's code sent what it must not send. {error}"
            raise self._peer.fail(ProtocolError(told)) from None


class Peer:
    """One end of the conversation.

    Parameters
    ----------
    channel : to the other side
    namespace : what the other side may fetch by name (if it is trusted), or ask for
    trusted : whether the other side is: True in a learner's process, False in the one that checks
    explain : words for some exceptions that say more than their own, or ""

    ``deadline`` is a moment (of ``time.monotonic``) at which everything that is under way ends with StudentTimeout.
    """

    def __init__(
        self,
        channel: Channel,
        namespace: Mapping[str, Any] | Callable[[str], Any],
        *,
        trusted: bool,
        explain: Callable[[BaseException], str] | None = None,
    ) -> None:
        self.channel = channel
        self.namespace = namespace
        self.trusted = trusted
        self.explain = explain
        self.deadline: float | None = None
        channel.descriptors = 0
        self._lent = lending.Lent(freely=trusted)
        self._borrowed = lending.Borrowed(self, self._lent)
        self._originals = Originals()
        self._copies = Copies()
        self._raised: dict[int, BaseException] = {}  # ours, which the other side may pass on
        self._number = 0
        self._waiting = 0  # requests of ours that have no reply yet
        self._serving = 0  # of theirs
        self._abandoned: set[int] = set()
        self._failure: BoundaryError | None = None
        self._called: Any = None  # the function of ours that was called last
        self._has_offered = False  # functions of ours, and nothing since
        self.done = 0  # requests after which another value may be in the place of any that was fetched before
        self._offered: dict[str, Any] = {}  # theirs, as long as nothing can have taken their places
        self._thread = threading.get_ident()
        self._failing = _Failing(self)

    # --- Asking -------------------------------------------------------------------------------------------------------

    def fetch(self, name: str) -> Any:
        """The other side's global of this name: data, a stand-in, or a ``ModuleName``.

        Raises
        ------
        NameError
            There is none.
        ValueTooLarge, BoundaryError
        """
        if not self.trusted:
            self._take_offers()
        return self._offered[name] if name in self._offered else self.request("fetch", 0, [name], {})

    def offer(self, functions: Mapping[str, Any]) -> None:
        """Send what the other side will most likely fetch, and all that it will ask about it; there is no reply.

        It holds until the next offer, and until anything is done here for the other side: nothing else may put another
        value in the place of one of these.

        Parameters
        ----------
        functions : plain ones (see ``autograder.execution.lending.is_plain``) of the namespace, by name
        """
        if self._failure is not None or not (functions or self._has_offered):
            return
        self._has_offered = bool(functions)
        with contextlib.suppress(BoundaryError), self._failing:
            writer = self._writer()
            offered = [[name, *self._function(each, writer)] for name, each in islice(functions.items(), MOST_OFFERED)]
            self._send([OFFER, 0, offered], PATIENCE)

    def ask(self, name: str, arguments: Sequence[Any] = (), options: Mapping[str, Any] | None = None) -> Any:
        """Have one of the other side's exported functions called."""
        return self.request("ask", 0, [name, *arguments], options or {})

    @property
    def is_usable(self) -> bool:
        """Whether the other side can still be asked."""
        return self._failure is None

    def describe(self, target: int) -> Facts:
        """What is known of an object of the other side."""
        facts: Facts = self.request("describe", target, [], {})
        return facts

    def dropped(self, target: int) -> None:
        """A stand-in is gone."""
        self._borrowed.dropped(target)

    def request(self, operation: str, target: int, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
        """Have something done on the other side, and give what comes of it, or raise it.

        With the operation ``calls`` the arguments are tuples of data, and a function is called with one after the
        other: a single exchange instead of many. What comes is a list of ``Came``. It ends with the first exception;
        or with a value that is no data, for which all that is not done yet has to wait.

        Raises
        ------
        ValueTooLarge, TypeError
            An argument cannot be handed over; nothing was asked.
        BoundaryError
            The other side cannot be talked to, now or any more.
        Exception
            What the other side raised.
        """
        __tracebackhide__ = True
        if threading.get_ident() != self._thread:
            raise RuntimeError("What belongs to a check can be used by the thread only that was called by it.")
        if self._failure is not None:
            raise type(self._failure)(str(self._failure))
        writer = self._writer()
        if operation == "calls":
            writer.lend = no_data
        written = [writer.write(argument) for argument in arguments]
        writer.lend = self._borrowed.lend
        written_options = [[str(name), writer.write(value)] for name, value in options.items()]
        number = self._number = self._number + 1
        self._originals.keep(number, writer.mutables)
        is_sent = is_answered = False
        self._waiting += 1
        try:
            notes = self._notes(writer, _numbers() if not self.trusted else None)
            self._copies.secure()
            with self._failing:
                self._send([REQUEST, number, operation, target, written, written_options, notes], self._left())
            is_sent = True
            message = self._reply(number)
            is_answered = True
            return self._outcome(operation, message, may_stop=arguments[:1] == ["__next__"])
        finally:
            self._waiting -= 1
            if operation != "fetch":
                self.done += 1
                self._offered = {}
            self._originals.settle(number)
            if is_sent and not is_answered:
                self._broken_off(number)
            if not self._waiting and not self._serving:
                self._raised.clear()

    def _broken_off(self, number: int) -> None:
        """An exception from elsewhere ended the wait for a reply.

        In a learner's process that may happen anywhere, as where a recursion without end has used up the stack: the
        reply is thrown away when it comes. In a check it means that the check is over.
        """
        if self.trusted:
            self._abandoned.add(number)
        elif self._failure is None:
            self.fail(StudentGone("The conversation with the learner's process was broken off."))

    def _reply(self, number: int) -> list[Any]:
        """The reply to a request, after whatever the other side asks for in between."""
        while True:
            with self._failing:
                message = self._receive(self._left())
                if message[0] == REPLY and message[1] == number:
                    return message
            self._dispatch(message)

    def _dispatch(self, message: list[Any]) -> None:
        """Whatever comes that is not waited for."""
        if message[0] == REQUEST:
            return self._serve(message)
        with self._failing:
            if message[0] == REPLY:
                self._throw_away(message)
            else:
                self._take_offer(message)

    def _take_offers(self) -> None:
        """Look what has come that was not waited for."""
        self._waiting += 1
        try:
            while self._failure is None and select.select([self.channel], [], [], 0)[0]:
                with self._failing:
                    message = self._receive(self._left())
                self._dispatch(message)
        finally:
            self._waiting -= 1

    def _take_offer(self, message: list[Any]) -> None:
        """Functions that the other side offers, in the places of those that it offered before."""
        try:
            _, _, offered = message
            named = {name: function for name, *function in offered}
        except (TypeError, ValueError):
            raise BadMessage("What is offered does not come as agreed.") from None
        if self.trusted or len(named) > MOST_OFFERED or not all(type(name) is str for name in named):
            raise BadMessage("What is offered does not come as agreed.")
        self._offered = {}  # so that nothing is known of a function any more that has changed since
        reader = self._reader()
        self._offered = {name: self._known(function, reader) for name, function in named.items()}

    def _throw_away(self, message: list[Any]) -> None:
        """A reply that nobody waits for any more."""
        if message[1] not in self._abandoned:
            raise BadMessage("A reply came that nobody waits for.")
        self._abandoned.discard(message[1])

    def _outcome(self, operation: str, message: list[Any], may_stop: bool) -> Any:
        """What a reply says, done again here: changes, printing, and the value or the exception.

        Only the next item of an iterator may be missing (``may_stop``). Anything else that raised StopIteration would
        end a check's loop over ``map(f, cases)`` before its first assertion.
        """
        __tracebackhide__ = True
        with self._failing:
            reader = self._reader()
            outcome, content, _, _ = _parts(message[2:])
            if operation == "calls" and outcome == SEVERAL:
                if type(content) is not list or not content:
                    raise BadMessage("Several replies do not come as agreed.")
                return [self._came("call", each, reader) for each in content]
            came = self._came(operation, message[2:], reader, may_stop)
        return [came] if operation == "calls" else came.give()

    def _came(self, operation: str, reply: Any, reader: Reader, may_stop: bool = False) -> Came:
        """What a reply says; nothing of it is done yet."""
        outcome, content, notes, done = _parts(reply)
        value: Any = None
        if outcome == VALUE and operation == "describe":
            value = lending.read_facts(content, reader.read)
        elif outcome == VALUE:
            value = reader.read(content)
        elif outcome == MODULE and operation == "fetch" and type(content) is str:
            value = ModuleName(content[:200])
        elif outcome == FUNCTION and operation == "fetch":
            value = self._known(content, reader)
        elif outcome == NOT_IMPLEMENTED and operation == "special":
            value = NotImplemented
        elif outcome != RAISED:
            raise BadMessage("A reply does not come as agreed.")
        error = read_exception(content, self._raised, self.trusted, may_stop) if outcome == RAISED else None
        self._note(notes, reader)
        return Came(value, error, None if done is None else effects.read_effects(done))

    def _known(self, content: Any, reader: Reader) -> Any:
        """A function, and what is known of it."""
        if type(content) is not list or len(content) != 2:
            raise BadMessage("A function does not come as agreed.")
        function = reader.read(content[0])
        if not isinstance(function, StandIn):
            raise BadMessage("What is no function comes as one.")
        learn(function, lending.read_facts(content[1], reader.read))
        return function

    def fail(self, failure: BoundaryError) -> BoundaryError:
        """From now on the other side is not talked to."""
        self._failure = failure
        self._offered = {}
        self.channel.close()
        return failure

    # --- Serving ------------------------------------------------------------------------------------------------------

    def serve_one(self) -> None:
        """Handle one request or offer of the other side, whose beginning has arrived.

        Raises
        ------
        ChannelClosed
            The conversation is over, for whatever reason.
        """
        if self._failure is not None:
            raise ChannelClosed(str(self._failure))
        deadline, self.deadline = self.deadline, None
        try:
            with self._failing:
                message = self._receive(PATIENCE)
            self._dispatch(message)
        except BoundaryError as failure:
            raise ChannelClosed(str(failure)) from None
        finally:
            self.deadline = deadline
            self._raised.clear()

    def _serve(self, message: list[Any]) -> None:
        """Do what a request says, and reply."""
        with self._failing:
            try:
                _, number, operation, target, written, options, notes = message
                pairs = [(name, value) for name, value in options]
            except (TypeError, ValueError):
                raise BadMessage("A request does not come as agreed.") from None
            if type(number) is not int or operation not in OPERATIONS or type(written) is not list:
                raise BadMessage("A request does not come as agreed.")
            if not all(type(name) is str for name, _ in pairs):
                raise BadMessage("A request does not come as agreed.")
            reader = self._reader()
            arguments = [reader.read(argument) for argument in written]
            keywords = {name: reader.read(value) for name, value in pairs}
            if operation == "calls" and not (self.trusted and arguments):
                raise BadMessage("Several calls do not come as agreed.")
            mutables = list(reader.mutables)
            numbers = self._note(notes, reader)
            thing = None if operation in ("fetch", "ask") else self._lent.find(target)
            self._copies.keep(number, mutables, reader.shared)
        del mutables, reader  # whoever else holds an array that came, holds on to it
        self._serving += 1
        try:
            use = [(operation, thing, arguments, keywords, numbers)]
            del arguments, keywords
            with self._failing:
                self._answer(number, self._done(*use.pop()))
        except BoundaryError:
            raise
        except BaseException:
            self.fail(StudentGone("The conversation was broken off."))
            raise
        finally:
            self._serving -= 1
            self._copies.settle(number)

    def _done(
        self, operation: str, thing: Any, arguments: list[Any], options: dict[str, Any], numbers: Any
    ) -> Callable[[Writer], list[Any]]:
        """Do what a request says; what comes of it is written later, beside what has changed."""
        if operation == "calls":
            return self._all_done(thing, arguments, numbers)
        return self._coming(operation, thing, self._tried(operation, thing, arguments, options, numbers))

    def _all_done(self, thing: Any, calls: list[Any], numbers: Any) -> Callable[[Writer], list[Any]]:
        """Call a function several times. A value is written before the next call can change it."""
        written = []
        writer = Writer(None, no_data)  # of all of them together no more can be written than of one
        came = self._tried("call", thing, calls[0], {}, numbers)
        for arguments in calls[1:]:
            plain = _as_data(came, writer)
            if plain is None:
                break
            written.append(plain)
            came = self._tried("call", thing, arguments, {}, numbers)
        last = self._coming("call", thing, came)
        return lambda writer: [SEVERAL, [*written, last(writer)], None, None]

    def _coming(self, operation: str, thing: Any, came: Came) -> Callable[[Writer], list[Any]]:
        """The reply that says what came of a request."""
        if came.error is not None:
            return self._raising(came.error, came.caught)
        value, caught = came.value, came.caught
        return lambda writer: [*self._written(operation, thing, value, writer), self._notes(writer), _data(caught)]

    def _tried(
        self, operation: str, thing: Any, arguments: Sequence[Any], options: dict[str, Any], numbers: Any
    ) -> Came:
        """Do what a request says."""
        caught = None
        try:
            if self._serving > DEEPEST:
                raise RecursionError("Calls to and from a check are nested too deeply.")
            self._permit(operation, thing, arguments)
            if operation == "call" or arguments[:1] == ["__call__"]:
                self._called = thing
            with effects.caught(numbers) if self.trusted else contextlib.nullcontext() as caught:
                return Came(self._do(operation, thing, arguments, options), None, caught)
        except BaseException as error:
            # A learner's function may raise anything; what is no Exception in a check is meant for the check.
            if self._failure is not None or not (self.trusted or isinstance(error, Exception)):
                raise
            return Came(None, error, caught)

    def _written(self, operation: str, thing: Any, value: Any, writer: Writer) -> list[Any]:
        """What came of a request: a kind of outcome, and its content."""
        if operation == "special" and value is NotImplemented:
            return [NOT_IMPLEMENTED, None]
        if operation == "fetch" and isinstance(value, ModuleType):
            return [MODULE, str(value.__name__)]
        if operation == "fetch" and lending.is_plain(value):
            return [FUNCTION, self._function(value, writer)]
        if operation == "describe":
            number = self._lent.type_number(thing) if isinstance(thing, type) else None
            return [VALUE, lending.written_facts(value, number, writer.write)]
        return [VALUE, writer.write(value)]

    def _function(self, function: Any, writer: Writer) -> list[Any]:
        """A plain function, with all that a check of it asks next."""
        return [writer.write(function), lending.written_facts(lending.facts(function), None, writer.write)]

    def _raising(self, error: BaseException, caught: effects.Effects | None = None) -> Callable[[Writer], list[Any]]:
        """The reply that raises this on the other side, with the line of the function that was called last."""
        number = None
        if not self.trusted:
            number = len(self._raised)
            self._raised[number] = error
        # Of a check's own lines the other side learns nothing.
        written = written_exception(error, self._called if self.trusted else None, number, self.explain)
        return lambda writer: [RAISED, written, self._notes(writer), _data(caught)]

    def _answer(self, number: int, reply: Callable[[Writer], list[Any]]) -> None:
        """Send a reply; or, where the value cannot go, that it cannot."""
        timeout = PATIENCE if not self.trusted and self.deadline is None else self._left()
        try:
            written = reply(self._writer())
        except Exception as error:
            written = self._raising(error)(self._writer())
        del reply
        self._copies.settle(number)
        try:
            self._send([REPLY, number, *written], timeout)
        except ValueTooLarge as error:
            self._send([REPLY, number, *self._raising(error)(self._writer())], timeout)

    def _permit(self, operation: str, thing: Any, arguments: Sequence[Any]) -> None:
        """Whether the other side may have this done.

        Raises
        ------
        RuntimeError
            It may not: the other side is told, and the conversation goes on.
        """
        if operation in ("fetch", "ask") and self._waiting:
            raise RuntimeError("Checks cannot be run by code that is being checked.")
        if operation != "call" and (not arguments or type(arguments[0]) is not str) and operation != "describe":
            raise RuntimeError("A request has no name in it.")
        if self.trusted or operation == "ask":
            return
        name = "__call__" if operation == "call" else arguments[0] if arguments else ""
        if not lending.may(thing, operation, name):
            raise RuntimeError("That cannot be done with what a check hands out.")

    def _do(self, operation: str, thing: Any, arguments: Sequence[Any], options: dict[str, Any]) -> Any:
        """Do it."""
        match operation:
            case "call":
                return thing(*arguments, **options)
            case "get":
                return getattr(thing, arguments[0])
            case "set":
                return setattr(thing, *arguments)
            case "special" if arguments[0] == "__call__":
                return thing(*arguments[1:], **options)
            case "special":
                return getattr(type(thing), arguments[0])(thing, *arguments[1:], **options)
            case "text":
                return repr(thing) if arguments[0] == "repr" else str(thing)
            case "describe":
                return lending.facts(thing)
            case "fetch":
                return self._global(arguments[0])
        return self._global(arguments[0])(*arguments[1:], **options)

    def _global(self, name: str) -> Any:
        """What the other side may have under this name."""
        if callable(self.namespace):
            return self.namespace(name)
        if name not in self.namespace:
            raise NameError(f"name {name!r} is not defined")
        return self.namespace[name]

    # --- Messages -----------------------------------------------------------------------------------------------------

    def _writer(self) -> Writer:
        self._lent.begin()
        return Writer(self.channel.outbox, self._borrowed.lend, by_name=not self.trusted)

    def _reader(self) -> Reader:
        return Reader(
            self.channel.inbox, self._borrowed.borrow, changeables=self._originals.active, by_name=self.trusted
        )

    def _notes(self, writer: Writer, numbers: list[int] | None = None) -> list[Any] | None:
        """What goes with every message: stand-ins that are gone, copies that have changed, and numpy's settings."""
        writer.mutables = []
        writer.changeables = self._copies.places()
        changes = [[number, index, writer.write(thing)] for number, index, thing in self._copies.changes()]
        released = self._borrowed.to_release()
        return [released, changes or None, numbers] if released or changes or numbers else None

    def _note(self, notes: Any, reader: Reader) -> Mapping[str, str] | None:
        """Take note of these, and give numpy's settings."""
        if notes is None:
            return None
        try:
            released, changes, numbers = notes
            if released is not None:
                self._lent.take_back(released)
            for number, index, written in changes or ():
                self._originals.change(number, index, reader.read(written))
            if numbers is None or not self.trusted:
                return None
            return dict(zip(("divide", "over", "under", "invalid"), (_NUMBERS[each] for each in numbers), strict=True))
        except (TypeError, ValueError, IndexError):
            raise BadMessage("A message does not come as agreed.") from None

    def _send(self, message: list[Any], timeout: float | None) -> None:
        try:
            self.channel.send(message, timeout=timeout)
            self._lent.sent()
        except BadMessage:  # what was written is plain data, so it is too much
            raise ValueTooLarge("A value is larger than anything that is asked for.") from None

    def _receive(self, timeout: float | None) -> list[Any]:
        """The next message: a list that begins with what it is and its number."""
        message = self.channel.receive(timeout)
        if type(message) is not list or len(message) < 2 or message[0] not in (REQUEST, REPLY, OFFER):
            raise BadMessage("A message is neither a request nor a reply, nor an offer.")
        if type(message[1]) is not int:
            raise BadMessage("A message has no number.")
        return message

    def _left(self) -> float | None:
        """Seconds that are left.

        Raises
        ------
        TimedOut
        """
        if self.deadline is None:
            return None
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimedOut
        return left
