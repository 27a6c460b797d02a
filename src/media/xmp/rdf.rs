//! The forms in which RDF may say one and the same thing (XMP specification, part 1, chapter 7;
//! RDF/XML Syntax): a property as an attribute or as an element; a structure as a nested
//! `rdf:Description`, by `rdf:parseType="Resource"`, or as attributes; a value with qualifiers.

use std::borrow::Cow;

use roxmltree::{Document, Node};

const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// Something is so and so.
#[derive(Clone, Copy)]
pub(super) struct Statement<'a> {
    space: &'a str,
    pub(super) name: &'a str,
    pub(super) value: RdfValue<'a>,
}

impl Statement<'_> {
    /// Name spaces are the same with and without their last character: Microsoft's are found as
    /// both.
    pub(super) fn is(&self, space: &str, name: &str) -> bool {
        let short = |space: &str| space.trim_end_matches(['/', '#']).len();
        self.name == name && self.space[..short(self.space)] == space[..short(space)]
    }
}

/// What a property is said to be.
#[derive(Clone, Copy)]
pub(super) enum RdfValue<'a> {
    Text(&'a str),
    Element(Node<'a, 'a>),
}

/// All that a packet says of its picture.
pub(super) fn statements<'a>(packet: &'a Document<'a>) -> Vec<Statement<'a>> {
    packet
        .descendants()
        .filter(|node| is_rdf(*node, "RDF"))
        .flat_map(|rdf| rdf.children().filter(Node::is_element))
        .flat_map(of_description)
        .collect()
}

fn is_rdf(node: Node, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name && node.tag_name().namespace() == Some(RDF)
}

/// The properties of an `rdf:Description`.
fn of_description<'a>(node: Node<'a, 'a>) -> impl Iterator<Item = Statement<'a>> {
    let attributes = node.attributes().filter_map(|attribute| {
        Some(Statement {
            space: attribute.namespace().filter(|s| *s != RDF && *s != XML)?,
            name: attribute.name(),
            value: RdfValue::Text(attribute.value()),
        })
    });
    let elements = node.children().filter_map(|child| {
        let name = child.is_element().then(|| child.tag_name())?;
        Some(Statement {
            space: name.namespace().filter(|s| *s != RDF)?,
            name: name.name(),
            value: RdfValue::Element(child),
        })
    });
    attributes.chain(elements)
}

impl<'a> RdfValue<'a> {
    /// A simple value, without its qualifiers.
    pub(super) fn text(self) -> Cow<'a, str> {
        let node = match self {
            Self::Text(text) => return Cow::Borrowed(text),
            Self::Element(node) => node,
        };
        let inner = node.children().find(|child| is_rdf(*child, "Description"));
        for holder in [Some(node), inner].into_iter().flatten() {
            let attribute = ["value", "resource"].map(|name| holder.attribute((RDF, name)));
            if let Some(text) = attribute.into_iter().flatten().next() {
                return Cow::Borrowed(text);
            }
            if let Some(value) = holder.children().find(|child| is_rdf(*child, "value")) {
                return content(value);
            }
        }
        content(node)
    }

    /// The items of an array, of whatever kind; a value that is none is its only item.
    pub(super) fn items(self) -> impl Iterator<Item = Self> {
        let array = self.array();
        let single = array.is_none().then_some(self);
        let items = array.into_iter().flat_map(|array| array.children());
        items
            .filter(|item| item.tag_name().namespace() == Some(RDF))
            .map(Self::Element)
            .chain(single)
    }

    pub(super) fn is_array(self) -> bool {
        self.array().is_some()
    }

    fn array(self) -> Option<Node<'a, 'a>> {
        let Self::Element(node) = self else {
            return None;
        };
        node.children().find(|child| {
            ["Bag", "Seq", "Alt"]
                .iter()
                .any(|kind| is_rdf(*child, kind))
        })
    }

    /// The fields of a structure.
    pub(super) fn fields(self) -> Vec<Statement<'a>> {
        let Self::Element(node) = self else {
            return Vec::new();
        };
        let nested = node
            .children()
            .filter(|child| is_rdf(*child, "Description"));
        of_description(node)
            .chain(nested.flat_map(of_description))
            .collect()
    }

    /// `xml:lang` of an alternative.
    pub(super) fn language(self) -> Option<&'a str> {
        match self {
            Self::Text(_) => None,
            Self::Element(node) => node.attribute((XML, "lang")),
        }
    }
}

/// All text directly in an element.
fn content<'a>(node: Node<'a, 'a>) -> Cow<'a, str> {
    let mut texts = node.children().filter_map(|child| match child.is_text() {
        true => child.text(),
        false => None,
    });
    let first = Cow::Borrowed(texts.next().unwrap_or_default());
    texts.fold(first, |all, more| all + more)
}
