"""What a process was sent and has not read yet, in the order of arrival."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from activities.steps import Sent, Sifted, SiftStep
    from domain.subject import Subject
    from workflows.messages import FACTS_CHANGED, HAND_BACK, UNREADABLE, Arrived, Message, text_of, unbundled

FLOODED_HISTORY = 300
"""Events after which a run hands over in the midst of a flood of messages: more arrive while it is on its way."""
MANY = 20
"""More unread messages than this are sifted in one step, and only those that the gateway sealed are read."""
MOST_CARRIED = 1_000_000
"""Bytes of unread messages that go along to the next run: its input must stay below the engine's limit of 2 MB."""
MOST_HANDED_BACK = MOST_CARRIED // 4
"""The same for a process that its parent carries along beside what it has not read itself."""


class Inbox:
    """Keeps messages until the process reads them: parsing a whole flood ahead of time would cost too much."""

    def __init__(self, unread: Sequence[Message]) -> None:
        """`unread`: what arrived in an earlier run."""
        self.hands_back = False
        """Whether the parent of the process wants it back, to begin it again from its state."""
        self._arrived = deque(Arrived.before(message) for message in unread)
        self._sifted = 0
        """How many, from the first on, are known to be sealed."""
        self._read = 0
        """Messages this run has read."""
        self._written = 0
        self._read_since = 0
        """Messages read since the history was `_written` events long; their steps stand in it with the next task."""

    def __len__(self) -> int:
        return len(self._arrived)

    @property
    def unread(self) -> tuple[Message, ...]:
        return tuple(arrived.message for arrived in self._arrived)

    @property
    def first(self) -> Message:
        """The next message. Raises `IndexError` when there is none."""
        return self._arrived[0].message

    def keep(
        self, hears: Mapping[str, str], signal: str, sent: Sequence[RawValue], later: Mapping[str, str] | None
    ) -> None:
        """Put aside what a signal brought. As `Desk.hear`."""
        for name, payloads in unbundled(signal, sent):
            kind = hears.get(name)
            if kind is None or (later and name in later and not workflow.patched(later[name])):
                continue
            if kind == HAND_BACK:
                self.hands_back = True
                continue
            text = text_of(payloads)
            if text is None:
                # Before, these never reached a process, so its history has no step for them.
                if not workflow.patched("unreadable-signals"):
                    continue
                text = UNREADABLE
            self._arrived.append(Arrived(kind, text))

    def remove_first(self) -> Message:
        """Take the next message out. Raises `IndexError` when there is none."""
        self._sifted = max(self._sifted - 1, 0)
        return self._arrived.popleft().message

    def count_read(self) -> None:
        """The next message is being read."""
        self._read += 1
        self._read_since += 1

    async def sift(self, subject: Subject, record: Callable[[SiftStep], Awaitable[Sifted]]) -> bool:
        """Whether so much was unread that it was sifted first, by one step given to `record`.

        What the gateway has not sealed is dropped; of facts that changed many times the first message stays.
        """
        unread = list(self._arrived)
        if len(unread) - self._sifted <= MANY or not workflow.patched("sifted-messages"):
            return False
        said = [position for position, arrived in enumerate(unread) if arrived.kind != FACTS_CHANGED]
        messages = tuple(Sent(kind=unread[position].kind, text=unread[position].text) for position in said)
        digest = sha256("\0".join(f"{message.kind} {message.text}" for message in messages).encode()).hexdigest()[:32]
        step = SiftStep(key=f"sift:{digest}", now=workflow.now(), subject=subject, messages=messages)
        sifted = await record(step)
        kept = {said[position] for position in sifted.sealed}
        kept.update([position for position, arrived in enumerate(unread) if arrived.kind == FACTS_CHANGED][:1])
        for _ in unread:  # more may have arrived since
            self._arrived.popleft()
        self._arrived.extendleft(unread[position] for position in sorted(kept, reverse=True))
        self._sifted = len(kept)
        self._read += len(unread)
        self._read_since += 1
        return True

    def is_flooded(self) -> bool:
        """Whether the history is too long already to read the rest of a flood in this run."""
        written = workflow.info().get_current_history_length()
        if written != self._written:
            self._written, self._read_since = written, 0
        full = written + self._read_since > FLOODED_HISTORY
        return full and self._read > 0 and self.can_be_carried()

    def can_be_carried(self, most: int = MOST_CARRIED) -> bool:
        """Whether what is unread may go along to the next run: no more than `most` bytes."""
        return sum(len(arrived.text.encode()) for arrived in self._arrived) <= most
