"""Writes the section of the page on the simulated year."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from bench.life.report import commit
from bench.year.company import ACCOUNTS, DEPARTMENTS, PROJECTS, SALESPEOPLE
from bench.year.year import Year

HEADING = "## A company's year of reviews and reports"


def year_section(year: Year) -> list[str]:
    load = ", ".join(f"{average:.2f}" for average in os.getloadavg())
    processes = sum(year.periods.values()) + sum(year.reviews.values())
    return [
        HEADING,
        "",
        f"{SALESPEOPLE} salespeople in {DEPARTMENTS} departments hold {ACCOUNTS} Named Accounts and {PROJECTS} "
        f"projects; {year.first} to {year.last}, on the engine",
        "whose clock can be moved. Assignees answer, except one in twelve. The business of each week and the",
        "results of each month are written into the record; processes, steps, reports and mails are the product's own.",
        "",
        f"- {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}, {year.seconds:.0f} s in all; "
        f"load average {load} at the end",
        "",
        "| | |",
        "|---|---|",
        f"| periods, each begun once | {_counts(year.periods)} |",
        f"| reports, each made once | {_counts(year.reports)} |",
        f"| reviews, by outcome | {_counts(year.reviews)} |",
        f"| answers recorded · steps missed (R6) | {year.answers} · {year.missed} |",
        f"| accounts revoked (R5) | {year.revoked} |",
        f"| contracts in the year's report, RMB | {year.contracts:,.2f} |",
        f"| mails, by kind | {_counts(year.mails)} |",
        f"| Actions as Temporal Cloud counts them | {year.actions} in {processes} processes, "
        f"{year.actions / year.answers:.1f} an answer |",
        f"| history events · of the largest run | {year.events} · {year.largest_run} |",
        f"| discrepancies with the record | {'; '.join(year.wrong) or 'nothing'} |",
        "",
        "Checked: every report of every period exists, and no other; the digests list every update once; from one",
        "forecast to the next, the changes equal the difference; the months of an account add up to its year; credits",
        "add up to every amount (D3).",
        "",
    ]


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.items())
