//! Markdown as far as the checks need it: headings, links, fenced blocks, and the comments that stand before a block.

use std::collections::HashMap;

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What stands behind the opening fence, such as `sh`.
    pub language: String,
    pub text: String,
    /// Line of the opening fence, from 1.
    pub line: usize,
    /// What `<!-- walk: … -->` on the line before says, if there is one.
    pub walk: Option<String>,
}

/// A page, taken apart.
#[derive(Debug, Default)]
pub struct Page {
    pub blocks: Vec<Block>,
    /// Anchors of the headings, as GitHub makes them.
    pub anchors: Vec<String>,
    /// Targets of the links with their lines.
    pub links: Vec<(String, usize)>,
    /// Code in running text with its line.
    pub code: Vec<(String, usize)>,
    /// The text of each section by the name of its heading, with the headings below it.
    pub headings: Vec<String>,
}

/// Takes a page apart.
pub fn read(text: &str) -> Page {
    let mut page = Page::default();
    let mut used: HashMap<String, usize> = HashMap::new();
    let mut open: Option<(String, Block)> = None;
    let mut walk = None;
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        let bare = line.trim_start();
        if let Some((fence, mut block)) = open.take() {
            if bare.trim_end() == fence {
                page.blocks.push(block);
            } else {
                block.text.push_str(line);
                block.text.push('\n');
                open = Some((fence, block));
            }
            continue;
        }
        let ticks = bare.chars().take_while(|&c| c == '`').count();
        if ticks >= 3 {
            let block = Block {
                language: bare[ticks..].trim().to_owned(),
                text: String::new(),
                line: number,
                walk: walk.take(),
            };
            open = Some(("`".repeat(ticks), block));
            continue;
        }
        if !bare.is_empty() {
            walk = bare
                .strip_prefix("<!-- walk:")
                .and_then(|rest| rest.strip_suffix("-->"))
                .map(|mark| mark.trim().to_owned());
        }
        if let Some(title) = heading(line) {
            let anchor = anchor(title);
            let times = used.entry(anchor.clone()).or_default();
            page.anchors.push(match *times {
                0 => anchor,
                again => format!("{anchor}-{again}"),
            });
            *times += 1;
            page.headings.push(title.replace('`', ""));
        }
        let (prose, code) = split_code(line);
        page.code.extend(code.into_iter().map(|code| (code, number)));
        page.links
            .extend(targets(&prose).into_iter().map(|target| (target, number)));
    }
    assert!(open.is_none(), "a fence is not closed: {open:?}");
    page
}

fn heading(line: &str) -> Option<&str> {
    let level = line.chars().take_while(|&c| c == '#').count();
    (1..=6)
        .contains(&level)
        .then(|| line[level..].strip_prefix(' '))
        .flatten()
        .map(str::trim)
}

/// GitHub's rule: lower case, letters, digits, `-` and `_` stay, blanks become `-`.
pub fn anchor(title: &str) -> String {
    title
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .collect()
}

/// The line without its code, and the code.
fn split_code(line: &str) -> (String, Vec<String>) {
    let mut prose = String::new();
    let mut code = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        let ticks = rest[start..].chars().take_while(|&c| c == '`').count();
        let fence = "`".repeat(ticks);
        let inner = &rest[start + ticks..];
        let Some(end) = inner.find(&fence) else { break };
        prose.push_str(&rest[..start]);
        prose.push('`');
        code.push(inner[..end].trim().to_owned());
        rest = &inner[end + ticks..];
    }
    prose.push_str(rest);
    (prose, code)
}

fn targets(prose: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = prose;
    while let Some(start) = rest.find("](") {
        rest = &rest[start + 2..];
        let Some(end) = rest.find(')') else { break };
        found.push(rest[..end].split(' ').next().unwrap_or_default().to_owned());
        rest = &rest[end..];
    }
    found
}

#[test]
fn a_page_is_taken_apart() {
    let page = read(
        "# The `nas`, a title\n\nSee [there](a.md#b) and `[no](link)`.\n\n<!-- walk: skip, no NAS -->\n```sh\n# no heading\nls\n```\n\n## Again\n## Again\n",
    );
    assert_eq!(page.anchors, ["the-nas-a-title", "again", "again-1"]);
    assert_eq!(page.links, [("a.md#b".to_owned(), 3)]);
    assert_eq!(page.code[1], ("[no](link)".to_owned(), 3));
    assert_eq!(page.blocks[0].language, "sh");
    assert_eq!(page.blocks[0].text, "# no heading\nls\n");
    assert_eq!(page.blocks[0].walk.as_deref(), Some("skip, no NAS"));
}
