"""XML as a small tree in which every element knows its line. DTDs, entities and what lies outside are refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler, ErrorHandler
from xml.sax.xmlreader import AttributesImpl, Locator

import defusedxml.sax
from defusedxml.common import DefusedXmlException

from scheduler.errors import InvalidFileError
from scheduler.formats.content import Content, brief

MAX_DEPTH = 32


@dataclass
class Element:
    """An element by its name without namespace. Not to be changed once the document is read."""

    tag: str
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, tag: str) -> Iterator[Element]:
        """Its children of a name."""
        return (child for child in self.children if child.tag == tag)

    def found(self, tag: str) -> Element | None:
        """Its first child of a name."""
        return next(self.all(tag), None)


class _Builder(ContentHandler):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.root: Element | None = None
        self.open: list[Element] = []
        self.texts: list[list[str]] = []
        self.locator: Locator | None = None

    def setDocumentLocator(self, locator: Locator) -> None:  # noqa: N802
        self.locator = locator

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802
        line = (self.locator.getLineNumber() if self.locator else None) or 0
        element = Element(name.rpartition(":")[2], line)
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        self.open.append(element)
        self.texts.append([])
        if len(self.open) > MAX_DEPTH:
            raise InvalidFileError(f"{self.name}:{line}: elements lie more than {MAX_DEPTH} deep in each other")

    def characters(self, content: str) -> None:
        self.texts[-1].append(content)

    def endElement(self, name: str) -> None:  # noqa: N802
        self.open.pop().text = "".join(self.texts.pop()).strip()


def tree(content: Content) -> Element:
    """The root element. Raises InvalidFileError where the file is not XML that ends, or declares entities."""
    builder = _Builder(content.name)
    try:
        defusedxml.sax.parseString(
            content.data, builder, ErrorHandler(), forbid_dtd=True, forbid_entities=True, forbid_external=True
        )
    except DefusedXmlException as error:
        raise InvalidFileError(
            f"{content.name}: declares a DTD or entities, which is refused: {brief(error)}"
        ) from None
    except SAXParseException as error:
        raise InvalidFileError(f"{content.name}:{error.getLineNumber()}: is not XML: {error.getMessage()}") from None
    except (SAXException, ValueError, LookupError) as error:
        raise InvalidFileError(f"{content.name}: is not XML: {brief(error)}") from None
    assert builder.root is not None, "a document without an element is refused by the parser"
    return builder.root
