//! Whether parsing a packet stays a small job.
//!
//! The parser compares each attribute of an element with those before it, looks each name up among
//! all name spaces that are declared around it, and copies those where one more is declared: a
//! packet can be made so that the work grows with the square of its size. One look at the tags
//! says beforehand what it would cost.

use memchr::{memchr, memchr3, memmem};

/// Comparisons. The most in 61 packets that were looked at was 34,475.
const MAX_WORK: usize = 50_000_000;
/// Attributes in all; each takes some 50 bytes.
const MAX_ATTRIBUTES: usize = 500_000;
/// Elements in elements. RDF needs about four a level of structure.
const MAX_DEPTH: usize = 100;

/// Refuses what no program writes, in plain words.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    let bytes = text.as_bytes();
    let (mut depth, mut attributes, mut spaces, mut work, mut at) = (0_usize, 0, 0, 0_usize, 0);
    while let Some(start) = memchr(b'<', &bytes[at..]).map(|i| at + i) {
        let tag = &bytes[start..];
        let until = |end: &[u8]| memmem::find(tag, end).map(|i| start + i + end.len());
        let end = match tag.get(1) {
            Some(b'!') if tag.starts_with(b"<!--") => until(b"-->"),
            Some(b'!') if tag.starts_with(b"<![CDATA[") => until(b"]]>"),
            Some(b'!') => return Err("it has a document type definition"),
            Some(b'?') => until(b"?>"),
            Some(b'/') => {
                depth = depth.saturating_sub(1);
                until(b">")
            }
            _ => {
                let tag = StartTag::read(tag);
                depth += usize::from(!tag.is_empty);
                spaces += tag.spaces;
                attributes += tag.attributes;
                let each = (tag.attributes + 1).saturating_mul(tag.attributes + spaces);
                work = work.saturating_add(each);
                Some(start + tag.len)
            }
        };
        if depth > MAX_DEPTH {
            return Err("its elements are nested too deep");
        }
        if work > MAX_WORK || attributes > MAX_ATTRIBUTES {
            return Err("it has too many attributes");
        }
        match end {
            Some(end) => at = end,
            None => break,
        }
    }
    Ok(())
}

struct StartTag {
    len: usize,
    attributes: usize,
    /// Attributes that declare a name space.
    spaces: usize,
    /// It is its own end tag.
    is_empty: bool,
}

impl StartTag {
    fn read(tag: &[u8]) -> Self {
        let mut read = Self {
            len: tag.len(),
            attributes: 0,
            spaces: 0,
            is_empty: false,
        };
        let mut at = 1;
        while let Some(mark) = memchr3(b'"', b'\'', b'>', &tag[at..]).map(|i| at + i) {
            if tag[mark] == b'>' {
                read.len = mark + 1;
                read.is_empty = tag[mark - 1] == b'/';
                break;
            }
            read.attributes += 1;
            read.spaces += usize::from(memmem::find(&tag[at..mark], b"xmlns").is_some());
            let Some(end) = memchr(tag[mark], &tag[mark + 1..]) else {
                break;
            };
            at = mark + 1 + end + 1;
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_write_passes() {
        let text =
            "<?xpacket begin='' ?><a xmlns:b='c>d' e=\"'\"><!-- <x> <x --><b/><![CDATA[<y>]]></a>";
        assert_eq!(check(text), Ok(()));
        let many = format!("<a xmlns:b=''>{}</a>", "<b c='d' e='f'/>".repeat(100_000));
        assert_eq!(check(&many), Ok(()));
    }

    #[test]
    fn what_would_take_minutes_does_not() {
        let attributes: String = (0..20_000).map(|i| format!(" a{i}=''")).collect();
        let spaces: String = (0..5000).map(|i| format!(" xmlns:a{i}='{i}'")).collect();
        for text in [
            format!("<a{attributes}/>"),
            format!("<a{spaces}>{}</a>", "<b/>".repeat(20_000)),
            format!(
                "<a>{}</a>",
                "<b c='' d='' e='' f='' g='' h=''/>".repeat(100_000)
            ),
            "<a>".repeat(101),
            "<a><!-- </a></a> -->".repeat(101),
            "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>".to_owned(),
        ] {
            assert!(check(&text).is_err(), "{}", &text[..40]);
        }
    }

    #[test]
    fn tags_that_do_not_end_are_harmless() {
        for text in [
            "<",
            "<a",
            "<a b='",
            "<!--",
            "<![CDATA[",
            "<?",
            "</",
            "<>",
            "</a></a><b>",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }
}
