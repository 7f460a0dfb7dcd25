"""The conflict check, as one viewer may see it (X2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from api.conflicts.matches_now import look
from api.conflicts.models import ConflictCheck, ConflictMatch, RuledView
from api.views import Composer, Views
from conflicts.detection import closest, without_origin
from conflicts.hits import ONE_HOP
from conflicts.inquiry import Inquiry
from conflicts.matches import described
from db.readings import note_reading
from db.reads import lists
from domain.access import scope_of
from domain.conflicts.draft import ConflictDraft
from domain.conflicts.project_match import Match
from domain.conflicts.rulings import Ruled
from domain.conflicts.unusual_names import unusual_names
from domain.conflicts.verdict import Level, Verdict
from texts.conflicts.verdicts import PROTECTED, level_label, sentences

MOST_MATCHES: Final = 20
"""How many matches a check returns, closest first."""


async def check_conflicts(composer: Composer, draft: ConflictDraft, now: datetime) -> ConflictCheck:
    """What is registered now for what the caller has typed. The check is recorded as a reading."""
    bounds = composer.facts.policy.matching
    all_found, left_out = await look(composer.connection, Inquiry.about(draft), now=now, bounds=bounds)
    found = without_origin(all_found)
    kept, more = closest(found, MOST_MATCHES)
    matches = await described(composer.connection, kept)
    seen = await _seen(composer, matches)
    shown = [_match(composer, match, seen=(match.subject_type, match.subject_id) in seen) for match in matches]
    verdict = Verdict.closest(match.verdict for match in matches if not match.cleared)
    texts = composer.texts
    me = composer.viewer.person.id
    own_account = next(
        (match for match in matches if match.conflict and match.subject_type == "account" and match.salesperson == me),
        None,
    )
    others = [match for match in matches if match.salesperson != me]
    overall = Level.SAME if any(match.conflict for match in others) else _closest(others)
    if own_account and overall is not Level.SAME:
        notice = texts.text("check.own_account", since=texts.day(own_account.since, composer.facts.policy.zone))
    else:
        notice = texts.text(f"check.notice.{overall}")
    return ConflictCheck(
        verdict=verdict.level,
        verdict_label=level_label(verdict, texts),
        notice=notice,
        matches=shown,
        more=more,
        unusual_names=list(unusual_names(draft)),
        not_compared=list(dict.fromkeys(left_out)),
    )


def ruled_view(views: Views, ruled: Ruled | None) -> RuledView | None:
    """The earlier ruling on a match, if there is one."""
    if ruled is None:
        return None
    label = views.texts.text(f"ruling.{ruled.ruling}")
    return RuledView(**ruled.model_dump(exclude={"person"}), ruling_label=label, person=views.person(ruled.person))


def _closest(matches: Sequence[Match]) -> Level:
    return Verdict.closest(match.verdict for match in matches if not match.cleared).level


async def _seen(composer: Composer, matches: Sequence[Match]) -> set[tuple[str, str]]:
    """Which of these the viewer may see. Each is recorded as read, masked ones included."""
    connection, person = composer.connection, composer.viewer.person
    scope = scope_of(person, composer.organisation)
    by_kind: dict[str, list[Match]] = defaultdict(list)
    for match in matches:
        by_kind[match.subject_type].append(match)
    seen = set()
    for kind, of_kind in by_kind.items():
        ids = [match.subject_id for match in of_kind]
        if kind == "earlier_project":
            theirs = {
                match.subject_id
                for match in of_kind
                if scope.covers(applicant=match.salesperson, department=None, involved=False)
            }
        else:
            theirs = set(await lists.seen_among(connection, scope, kind, ids))
        seen |= {(kind, subject_id) for subject_id in theirs}
        await note_reading(connection, person.id, kind, *sorted(theirs), through="check")
        await note_reading(connection, person.id, kind, *sorted(set(ids) - theirs), through="check, masked")
    return seen


def _match(composer: Composer, match: Match, *, seen: bool) -> ConflictMatch:
    texts = composer.texts
    everything = scope_of(composer.viewer.person, composer.organisation).everything
    if not seen:
        # Reasons without names, and none that only the hidden side could explain.
        words = [texts.text(PROTECTED), *sentences(match.verdict, texts, masked=True)]
        return ConflictMatch(
            kind=match.subject_type,
            id=None,
            name=None,
            level=match.verdict.level,
            level_label=level_label(match.verdict, texts),
            because=list(dict.fromkeys(words)),
            conflict=match.conflict,
            touched_account=match.touched_account,
            masked=True,
        )
    return ConflictMatch(
        kind=match.subject_type,
        id=match.subject_id,
        name=match.name,
        customer_name=match.customer_name,
        salesperson=composer.person(match.salesperson),
        status=match.status,
        since=match.since,
        earlier=match.earlier,
        level=match.verdict.level,
        level_label=level_label(match.verdict, texts),
        score=round(match.verdict.score, 2),
        # The link may have been declared by somebody whose customers the viewer may not see.
        because=sentences(match.verdict, texts, nameless=() if everything else (ONE_HOP,)),
        conflict=match.conflict,
        touched_account=match.touched_account,
        own=match.salesperson == composer.viewer.person.id,
        ruled=ruled_view(composer, match.ruled),
    )
