"""Checks of ours beside Schemathesis' own: what a refusal may be, and what no answer may say."""

import re

import schemathesis

# What a body may not name: a stack trace, a file of the package or of the machine, a database's words.
INSIDE = re.compile(
    r"\n\s+at .+:\d+:\d+|node_modules|\.(?:js|ts):\d+|/dist/|SQLITE_|SqliteError|ECONNREFUSED|kysely|libsql",
)
# Failures that are the answer to what was asked for, not of the API itself.
TOLD = {"PRELOAD_FAILED", "DRAIN_FAILED", "PURGE_FAILED"}


@schemathesis.check
def says_nothing_of_the_inside(ctx, response, case):
    found = INSIDE.search(response.text or "")
    if found is not None:
        raise AssertionError(f"the body speaks of the inside: {found.group(0).strip()[:80]}")


@schemathesis.check
def fails_only_as_told(ctx, response, case):
    """A 5xx is a failure that has a code of its own, or says when to come back."""
    if response.status_code < 500:
        return
    try:
        body = response.json()
    except ValueError:
        raise AssertionError(f"{response.status_code} without an envelope") from None
    error = body.get("error") if isinstance(body.get("error"), dict) else body
    if response.status_code in (502, 503, 504) or error.get("code") in TOLD:
        return
    raise AssertionError(f"{response.status_code} {error.get('code')}: {error.get('message')}")
