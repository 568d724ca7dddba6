"""
The Files API as far as messages need it: upload, list, look up, delete.

Contents are measured and dropped: what a file counts in a prompt is kept (:mod:`farthing.sandbox.tokenizer`).

Source: the official SDK's types and facts: claude-api 2 and 7.5, checked 2026-11-20.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from farthing.sandbox.paging import rfc3339
from farthing.sandbox.problems import ApiError, invalid
from farthing.sandbox.tokenizer import GENERATIONS, file_tokens

if TYPE_CHECKING:
    from datetime import datetime

    from farthing.sandbox.accounts import Caller
    from farthing.sandbox.clock import Clock
    from farthing.tokens.models import Tokenizer

FILE_BYTES_MAX = 500 * 1000 * 1000
_ID_CHARS_MAX = 64
_BOUNDARY = re.compile(r'boundary="?([^";,]{1,200})"?')
_DISPOSITION = re.compile(rb'(?i)^content-disposition:[^\r\n]*?;\s*name="file"[^\r\n]*', re.MULTILINE)
_FILENAME = re.compile(rb'(?i)filename="([^"\r\n]*)"')
_TYPE = re.compile(rb"(?im)^content-type:\s*([^\r\n;]+)")


class File(NamedTuple):
    """
    What is kept of one upload.

    Attributes:
        tokens: What it counts in a prompt, by generation of tokenizer.

    """

    id: str
    workspace_id: str
    filename: str
    mime_type: str
    size_bytes: int
    created_at: datetime
    tokens: dict[Tokenizer, int]

    def to_json(self) -> dict[str, Any]:
        """The API's object."""
        return {
            "id": self.id,
            "type": "file",
            "filename": self.filename,
            "mime_type": self.mime_type,
            "size_bytes": self.size_bytes,
            "created_at": rfc3339(self.created_at),
            "downloadable": False,
            "expires_at": None,
        }


class Home(Protocol):
    """What a world is to its files."""

    clock: Clock

    def new_id(self, prefix: str) -> str:
        """The next id of its kind."""


class Files:
    """The files of one world, each seen by its workspace alone."""

    def __init__(self, world: Home) -> None:
        self._world = world
        self._files: dict[str, File] = {}

    def upload(self, caller: Caller, content_type: str, body: bytes) -> File:
        """
        Take a ``multipart/form-data`` body with a part called ``file``.

        Raises:
            ApiError: It is another body, or too large.

        """
        filename, mime_type, content = read_form(content_type, body)
        if len(content) > FILE_BYTES_MAX:
            raise ApiError("request_too_large", "File exceeds the maximum size")
        file = File(
            id=self._world.new_id("file_"),
            workspace_id=caller.workspace_id,
            filename=filename,
            mime_type=mime_type,
            size_bytes=len(content),
            created_at=self._world.clock.now(),
            tokens={one: file_tokens(mime_type, content, one) for one in GENERATIONS},
        )
        self._files[file.id] = file
        return file

    def find(self, caller: Caller, file_id: str) -> File:
        """
        One file of the caller's workspace.

        Raises:
            ApiError: There is none.

        """
        file = self._files.get(file_id)
        if file is None or file.workspace_id != caller.workspace_id:
            raise ApiError("not_found_error", f"File not found: {file_id[:_ID_CHARS_MAX]}")
        return file

    def owned_by(self, caller: Caller) -> list[File]:
        """The workspace's files, the newest first."""
        return [file for file in reversed(self._files.values()) if file.workspace_id == caller.workspace_id]

    def delete(self, caller: Caller, file_id: str) -> dict[str, Any]:
        """
        Forget one.

        Raises:
            ApiError: There is none.

        """
        del self._files[self.find(caller, file_id).id]
        return {"id": file_id, "type": "file_deleted"}


def read_form(content_type: str, body: bytes) -> tuple[str, str, bytes]:
    """
    Name, media type and content of the part called ``file``.

    Raises:
        ApiError: There is no such part.

    """
    boundary = _BOUNDARY.search(content_type) if content_type.lower().startswith("multipart/form-data") else None
    if boundary is None:
        raise invalid("file: expected multipart/form-data with a boundary")
    for part in body.split(b"--" + boundary[1].encode())[1:]:
        head, separator, content = part.partition(b"\r\n\r\n")
        disposition = _DISPOSITION.search(head)
        if separator and disposition:
            filename = _FILENAME.search(disposition[0])
            media_type = _TYPE.search(head)
            return (
                filename[1].decode("utf-8", "replace") if filename else "file",
                media_type[1].decode("ascii", "replace").strip() if media_type else "application/octet-stream",
                content.removesuffix(b"\r\n"),
            )
    raise invalid("file: Field required")
