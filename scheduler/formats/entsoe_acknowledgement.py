"""What the ENTSO-E platform answers where it has no data: refused in its own words."""

from __future__ import annotations

from scheduler.errors import InvalidFileError
from scheduler.formats.content import Content
from scheduler.formats.entsoe_document import Document, root_name
from scheduler.formats.series import SeriesFile
from scheduler.formats.xml_tree import tree

NAME = "ENTSO-E acknowledgement (there is no data)"
ROOT = "Acknowledgement_MarketDocument"


def recognises(content: Content) -> bool:
    """Whether it looks like one."""
    return root_name(content) == ROOT


def read(content: Content) -> SeriesFile:
    """Never gives a file."""
    document = Document(content.name, tree(content))
    texts = [reason.found("text") for reason in document.root.all("Reason")]
    said = "; ".join(text.text for text in texts if text is not None) or "no reason is given"
    raise InvalidFileError(f"{content.name}: the platform sent no data: {said[:300]}")
