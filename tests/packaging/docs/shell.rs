//! Shell as it stands in the documentation: blocks are taken apart into commands, commands into words. Bash runs them; this
//! only has to see where one ends and which program it starts.

/// The commands of a block, each with its here-document, its continued lines and its open quotes; no comments.
pub fn commands(block: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = String::new();
    let mut ends: Option<String> = None;
    for line in block.lines() {
        if let Some(end) = &ends {
            open.push('\n');
            open.push_str(line);
            if line == end {
                ends = None;
                found.push(std::mem::take(&mut open));
            }
            continue;
        }
        if open.is_empty() && (line.trim().is_empty() || line.trim_start().starts_with('#')) {
            continue;
        }
        if !open.is_empty() {
            open.push('\n');
        }
        open.push_str(line);
        if is_open(&open) {
            continue;
        }
        match here_document(&open) {
            Some(end) => ends = Some(end),
            None => found.push(std::mem::take(&mut open)),
        }
    }
    assert!(open.is_empty(), "a command has no end: {open}");
    found
}

/// Whether a quote or a continued line is open at the end.
fn is_open(text: &str) -> bool {
    let mut quote = None;
    let mut escaped = false;
    for c in text.chars() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (None | Some('"'), '\\') => escaped = true,
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    quote.is_some() || text.ends_with('\\')
}

/// The line that ends the here-document which a command opens.
fn here_document(command: &str) -> Option<String> {
    let (_, rest) = command.split_once("<<")?;
    let end: String = rest
        .trim_start_matches(['-', '\'', '"'])
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    (!end.is_empty()).then_some(end)
}

/// The simple commands of a line, as words without their quotes; assignments, redirections and here-documents left out.
pub fn programs(command: &str) -> Vec<Vec<String>> {
    let first = match here_document(command) {
        Some(_) => command.lines().next().unwrap_or_default(),
        None => command,
    };
    let mut programs = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let end = |word: &mut Option<String>, programs: &mut Vec<Vec<String>>| {
        if let Some(word) = word.take() {
            programs.last_mut().unwrap().push(word);
        }
    };
    let mut characters = first.chars().peekable();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '\\') if characters.peek() == Some(&'\n') => {
                characters.next();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(characters.next()),
            (None, '#') if word.is_none() => break,
            (None, c) if c.is_whitespace() => end(&mut word, &mut programs),
            (None, '|' | ';' | '&') => {
                end(&mut word, &mut programs);
                programs.push(Vec::new());
            }
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    end(&mut word, &mut programs);
    for program in &mut programs {
        let is_assignment = |word: &String| {
            word.split_once('=')
                .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        };
        while program
            .first()
            .is_some_and(|word| word == "export" || is_assignment(word))
        {
            program.remove(0);
        }
        if let Some(redirection) = program
            .iter()
            .position(|word| word.trim_start_matches('2').starts_with(['<', '>']))
        {
            program.truncate(redirection);
        }
    }
    programs.retain(|program| !program.is_empty());
    programs
}

#[test]
fn commands_end_where_bash_says_so() {
    let block = "# first\nls \\\n  -l\n\nkubectl apply -f - <<'YAML'\na: b\n\n# c\nYAML\nkubectl patch --patch '\nspec: 1\n'\nA=b c | d 2>/dev/null # e\n";
    let found = commands(block);
    assert_eq!(
        found,
        [
            "ls \\\n  -l",
            "kubectl apply -f - <<'YAML'\na: b\n\n# c\nYAML",
            "kubectl patch --patch '\nspec: 1\n'",
            "A=b c | d 2>/dev/null # e"
        ]
    );
    assert_eq!(programs(&found[0]), [["ls", "-l"]]);
    assert_eq!(programs(&found[1]), [["kubectl", "apply", "-f", "-"]]);
    assert_eq!(programs(&found[3]), [["c"], ["d"]]);
}
