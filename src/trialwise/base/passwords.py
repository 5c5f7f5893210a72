"""Passwords in URLs: taken out before anything is printed, logged or written."""

import re

# To the last @: a password may hold others, and so may a user's name.
_USER_AND_PASSWORD = re.compile(r"([A-Za-z][\w+.-]*://[^\s:/]*):\S*@")
_IN_QUERY = re.compile(r"([?&;\s]\w*(?:password|passwd|pwd)=)[^&\s]*", re.IGNORECASE)


def without_passwords(text: str) -> str:
    """The text with every password of a URL left out: `postgresql://me:secret@host/db` as `postgresql://me@host/db`."""
    return _IN_QUERY.sub(r"\1***", _USER_AND_PASSWORD.sub(r"\1@", text))
