# SPDX-License-Identifier: GPL-2.0-or-later
"""Mails with patches: what `git format-patch` writes, and mailboxes with a whole thread.

A thread has a cover letter, replies that quote diffs, and older versions. Patches are the mails
whose subject is no reply and that have a diff of their own; of several versions the newest counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser

from verifier.patches.patch import MOST_PATCHES, Patch, PatchError, Series
from verifier.patches.read_diff import has_diff, read_diff

__all__ = ["looks_like_mail", "read_mails"]

MOST_MAILS = 5_000  # of a mailbox
MOST_PARTS = 100  # of one mail
# The line between the mails of a mailbox, as programs write it: a sender and a date.
_FROM = re.compile(rb"^From \S+ .*\d\d:\d\d(?::\d\d)? .*\d{4}\r?$", re.MULTILINE)
_FIELD = re.compile(rb"[A-Za-z][A-Za-z0-9-]*:")
_SENDER = re.compile(rb"^(?:Subject|From):", re.MULTILINE)
_TAG = re.compile(r"\[([^\]]*\b(?:PATCH|RFC)\b[^\]]*)\]", re.IGNORECASE)
_REPLY = re.compile(r"^\s*(?:re|fwd?|aw|antwort|sv|vs)\s*(?:\[\d+\])?\s*:", re.IGNORECASE)
_VERSION = re.compile(r"\bv(\d{1,3})\b", re.IGNORECASE)
_POSITION = re.compile(r"\b(\d{1,4})/(\d{1,4})\b")
_BASE = re.compile(rb"^base-commit: ([0-9a-f]{40}|[0-9a-f]{64})\s*$", re.MULTILINE)
_TEXTS = ("text/plain", "text/x-patch", "text/x-diff", "application/x-patch", "text/x-c")
# In what other charsets write a line of C is no C.
_ODD_CHARSETS = ("utf-16", "utf-32", "utf-7", "utf16", "utf32", "utf7", "ucs-2", "cp037",
                 "iso-2022")


@dataclass(frozen=True, slots=True)
class _Mail:
    """One mail: what its subject says, and its diff, if it has one."""

    source: str
    subject: str
    author: str
    id: str
    reply: bool
    version: int
    position: tuple[int, int] | None
    base: str
    diff: bytes

    @property
    def numbered(self) -> str:
        """Its place in the series, as its subject says it."""
        return f"{self.position[0]}/{self.position[1]}" if self.position else self.subject


def looks_like_mail(text: bytes) -> bool:
    """Does this text begin as a mail or a mailbox does?

    >>> looks_like_mail(b"From: a@b\\nSubject: x\\n\\n"), looks_like_mail(b"diff --git a/x b/x\\n")
    (True, False)
    """
    if _FROM.match(text):
        return True
    head = text.partition(b"\n\n")[0][:65_536]
    return _FIELD.match(head) is not None and _SENDER.search(head) is not None


def read_mails(text: bytes, source: str) -> Series:
    """The patches of a mail or a mailbox, in the order that their subjects say.

    Raises PatchError where there is none, or where one of a series of several is missing.
    """
    parts = list(_split(text))
    if len(parts) > MOST_MAILS:
        raise PatchError(source, f"more than {MOST_MAILS:,} mails")
    mails = [_mail(part, f"{source}, mail {number}" if len(parts) > 1 else source)
             for number, part in enumerate(parts, 1)]
    chosen, notes = _choose(mails, source)
    base = next((mail.base for mail in (*chosen, *mails) if mail.base), "")
    patches = [Patch(mail.source, mail.subject, mail.author, read_diff(mail.diff, mail.source),
                     mail.position, mail.base or base) for mail in chosen]
    return Series(tuple(patches), tuple(notes))


def _split(text: bytes) -> Iterator[bytes]:
    """The mails of a mailbox; lines end in a line feed if the mail itself has CRLF."""
    starts = [found.start() for found in _FROM.finditer(text)] if _FROM.match(text) else [0]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        part = text[start:end]
        if part.startswith(b"From "):
            part = part.partition(b"\n")[2]
        if b"\r\n" in part.partition(b"\n")[0] + b"\n":
            part = part.replace(b"\r\n", b"\n")
        yield part


def _mail(text: bytes, source: str) -> _Mail:
    try:
        message = BytesParser().parsebytes(text)
        bodies = _bodies(message, source)
        subject, author = _header(message, "Subject"), _header(message, "From")
    except (MessageError, RecursionError, ValueError, LookupError) as error:
        if isinstance(error, PatchError):
            raise
        raise PatchError(source, f"a mail that cannot be read: {type(error).__name__}") from None
    diffs = [body for body in bodies if has_diff(body)]
    tag = _TAG.search(subject)
    said = tag[1] if tag else ""
    version, position = _VERSION.search(said), _POSITION.search(said)
    reply = _REPLY.match(subject) is not None
    if len(diffs) > 1 and not reply:
        raise PatchError(source, f"{len(diffs)} parts of this mail have a diff each")
    base = next((found[1].decode() for body in bodies if (found := _BASE.search(body))), "")
    return _Mail(
        source, _TAG.sub("", subject).strip() if tag else subject.strip(), author,
        str(message.get("Message-ID", "")).strip(), reply,
        int(version[1]) if version else 1,
        (int(position[1]), int(position[2])) if position else None, base,
        diffs[0] if diffs else b"")


def _header(message: Message, name: str) -> str:
    """A header as text of one line."""
    text = str(message.get(name, ""))
    with suppress(ValueError, LookupError):  # an unknown charset: the header stays as it is
        text = str(make_header(decode_header(text)))
    return " ".join(text.split())


def _bodies(message: Message, source: str) -> list[bytes]:
    """The parts of a mail that are text, decoded."""
    found: list[bytes] = []
    for number, part in enumerate(message.walk()):
        if number > MOST_PARTS:
            raise PatchError(source, f"a mail of more than {MOST_PARTS} parts")
        if part.is_multipart():
            continue
        kind, name = part.get_content_type(), (part.get_filename() or "")
        if kind not in _TEXTS and not name.endswith((".patch", ".diff")):
            continue
        charset = (part.get_content_charset() or "").lower()
        if charset.startswith(_ODD_CHARSETS):
            raise PatchError(source, f"charset {charset[:40]}: a patch is ASCII, UTF-8 or Latin")
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            found.append(payload)
    return found


def _choose(mails: Sequence[_Mail], source: str) -> tuple[list[_Mail], list[str]]:
    """The mails that are patches, in order, and what was left out."""
    notes: list[str] = []
    able = [mail for mail in mails if mail.diff and not mail.reply]
    if not able:
        able = [mail for mail in mails if mail.diff]
        if len(able) != 1:
            raise PatchError(source, "no mail has a diff of its own")
    elif any(mail.diff and mail.reply for mail in mails):
        notes.append("a reply has a diff of its own, which is not looked at")
    able = list({mail.id or str(number): mail for number, mail in enumerate(able)}.values())
    newest = max(mail.version for mail in able)
    older = sorted({mail.version for mail in able} - {newest})
    if older:
        notes.append(f"version {', '.join(map(str, older))} is left out: there is version {newest}")
    able = [mail for mail in able if mail.version == newest]
    if len(able) > MOST_PATCHES:
        raise PatchError(source, f"more than {MOST_PATCHES} patches")
    return _ordered(able, source, notes), notes


def _ordered(mails: list[_Mail], source: str, notes: list[str]) -> list[_Mail]:
    """By number, where they have numbers; one patch of a series may stand alone."""
    if len(mails) == 1:
        one = mails[0]
        if one.position is not None and one.position[1] > 1:
            notes.append(f"this is patch {one.numbered} alone, on the tree as it is")
        return mails
    positions = [mail.position for mail in mails]
    totals = {position[1] for position in positions if position is not None}
    if None in positions:
        if totals:
            raise PatchError(source, "some of the patches have a number (1/3) and others have none")
        return mails
    found = sorted(mails, key=lambda mail: mail.position or (0, 0))
    numbers = [mail.position[0] for mail in found if mail.position]
    if len(totals) > 1:
        shown = ", ".join(map(str, sorted(totals)))
        raise PatchError(source, f"patches of several series, of {shown} patches")
    twice = next((n for n in numbers if numbers.count(n) > 1), None)
    if twice is not None:
        raise PatchError(source, f"two patches have the number {twice}/{max(totals)}")
    missing = sorted(set(range(1, max(totals) + 1)) - set(numbers)) if max(totals) <= MOST_PATCHES \
        else []
    if missing:
        raise PatchError(source, f"patch {missing[0]}/{max(totals)} is missing")
    return found
