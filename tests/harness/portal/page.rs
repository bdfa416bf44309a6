//! A page as a person without JavaScript has it: its words, its links, its forms with what they would send.

/// A page that was answered.
#[derive(Debug, Clone)]
pub struct Page {
    /// The address it came from, after redirects.
    pub address: String,
    /// The HTTP status.
    pub status: u16,
    /// When to come back, in seconds, if it said so.
    pub retry_after: Option<u32>,
    /// Its source.
    pub html: String,
}

/// A form and what it sends when nothing is changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageForm {
    /// Where it goes.
    pub action: String,
    /// Fields and values, in order.
    pub fields: Vec<(String, String)>,
    /// Names of choices that are offered, also those that are not taken.
    pub names: Vec<String>,
}

/// A tag with its attributes, or the text between two tags.
#[derive(Debug)]
enum Piece<'a> {
    Tag { name: String, attributes: Vec<(String, String)> },
    Text(&'a str),
}

impl Page {
    /// Everything a person can read, blanks run together.
    pub fn text(&self) -> String {
        let mut words = String::new();
        let mut hidden = None;
        for piece in pieces(&self.html) {
            match piece {
                Piece::Tag { name, .. } if ["script", "style", "head", "template"].contains(&name.as_str()) => {
                    hidden.get_or_insert(name);
                }
                Piece::Tag { name, .. } => {
                    if hidden.as_ref().is_some_and(|hiding| name == format!("/{hiding}")) {
                        hidden = None;
                    }
                    words.push(' ');
                }
                Piece::Text(text) if hidden.is_none() => words.push_str(&unescape(text)),
                Piece::Text(_) => {}
            }
        }
        words.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The form that goes to this address.
    pub fn form(&self, action: &str) -> anyhow::Result<PageForm> {
        let forms = self.forms();
        let known: Vec<&str> = forms.iter().map(|form| form.action.as_str()).collect();
        let trouble = format!("{} has no form that goes to {action}, only {known:?}:\n{}", self.address, self.text());
        forms.into_iter().find(|form| form.action == action).ok_or_else(|| anyhow::anyhow!(trouble))
    }

    /// All links, in order.
    pub fn links(&self) -> Vec<String> {
        let tags = pieces(&self.html).into_iter();
        tags.filter_map(|piece| match piece {
            Piece::Tag { name, attributes } if name == "a" => value(&attributes, "href"),
            Piece::Tag { .. } | Piece::Text(_) => None,
        })
        .collect()
    }

    /// All forms, in order.
    pub fn forms(&self) -> Vec<PageForm> {
        let mut forms: Vec<PageForm> = Vec::new();
        let mut inside = false;
        let mut select: Option<(String, bool)> = None;
        let mut area: Option<String> = None;
        for piece in pieces(&self.html) {
            let (name, attributes) = match piece {
                Piece::Tag { name, attributes } => (name, attributes),
                Piece::Text(text) => {
                    if let (Some(name), Some(form)) = (area.take(), forms.last_mut()) {
                        form.fields.push((name, unescape(text)));
                    }
                    continue;
                }
            };
            let get = |key: &str| value(&attributes, key);
            if name == "form" {
                forms.push(PageForm { action: get("action").unwrap_or_default(), ..PageForm::default() });
                inside = true;
            }
            let Some(form) = forms.last_mut().filter(|_| inside) else { continue };
            match name.as_str() {
                "/form" => inside = false,
                "input" => {
                    let Some(field) = get("name") else { continue };
                    form.names.push(field.clone());
                    let kind = get("type").unwrap_or_default();
                    let is_choice = kind == "radio" || kind == "checkbox";
                    if (!is_choice || get("checked").is_some()) && kind != "submit" {
                        let otherwise = if is_choice { "on" } else { "" };
                        form.fields.push((field, get("value").unwrap_or_else(|| otherwise.to_owned())));
                    }
                }
                "button" => form.names.extend(get("name")),
                "textarea" => {
                    form.names.extend(get("name"));
                    area = get("name");
                }
                // Nothing between the tags.
                "/textarea" => {
                    if let Some(name) = area.take() {
                        form.fields.push((name, String::new()));
                    }
                }
                "select" => {
                    form.names.extend(get("name"));
                    select = get("name").map(|name| (name, false));
                }
                "/select" => select = None,
                "option" => {
                    // The first one holds until a later one says it is selected.
                    if let Some((name, seen)) = &mut select {
                        let given = get("value").unwrap_or_default();
                        if !*seen {
                            form.fields.push((name.clone(), given));
                            *seen = true;
                        } else if get("selected").is_some()
                            && let Some(last) = form.fields.last_mut()
                        {
                            last.1 = given;
                        }
                    }
                }
                _ => {}
            }
        }
        forms
    }
}

fn value(attributes: &[(String, String)], key: &str) -> Option<String> {
    attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone())
}

fn pieces(html: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        if open > 0 {
            found.push(Piece::Text(&rest[..open]));
        }
        rest = &rest[open + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let mut quote = None;
        let end = rest.find(|c: char| match quote {
            Some(open) if c == open => {
                quote = None;
                false
            }
            None if c == '"' || c == '\'' => {
                quote = Some(c);
                false
            }
            None => c == '>',
            Some(_) => false,
        });
        let (tag, after) = rest.split_at(end.unwrap_or(rest.len()));
        found.push(read_tag(tag));
        rest = after.strip_prefix('>').unwrap_or(after);
    }
    if !rest.is_empty() {
        found.push(Piece::Text(rest));
    }
    found
}

fn read_tag<'a>(tag: &str) -> Piece<'a> {
    let tag = tag.trim_end_matches('/');
    let (name, mut rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start();
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        if key.is_empty() {
            break;
        }
        let mut text = "";
        rest = after;
        if let Some(after) = after.strip_prefix('=') {
            let quote = after.chars().next().filter(|c| *c == '"' || *c == '\'');
            (text, rest) = match quote {
                Some(quote) => after[1..].split_once(quote).unwrap_or((&after[1..], "")),
                None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
            };
        }
        attributes.push((key.to_ascii_lowercase(), unescape(text)));
    }
    Piece::Tag { name: name.to_ascii_lowercase(), attributes }
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let entity = after.split_once(';').filter(|(name, _)| name.len() <= 8);
        let letter = entity.and_then(|(name, _)| match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            "nbsp" => Some(' '),
            _ => {
                let number = name.strip_prefix('#')?;
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code)
            }
        });
        if let (Some(letter), Some((_, tail))) = (letter, entity) {
            out.push(letter);
            rest = tail;
        } else {
            out.push('&');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_forms_are_read() {
        let html = "<head><title>No</title></head><h1>Anna &amp; Bo</h1><script>x</script>\
            <form method=post action=\"/a?b&#38;c\"><input name=one value='1 > 0'><input type=checkbox name=two>\
            <input type=radio name=three value=x><input type=radio name=three value=y checked>\
            <select name=four><option value=a>A<option value=b selected>B</select><textarea name=five>T&lt;</textarea>\
            <button name=six value=go>Go</button></form><a href=\"/next\">Next</a>";
        let page = Page { address: "/".into(), status: 200, retry_after: None, html: html.into() };
        assert_eq!(page.text(), "Anna & Bo A B T< Go Next");
        let form = page.form("/a?b&c").unwrap();
        let pairs: Vec<(&str, &str)> = form.fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("one", "1 > 0"), ("three", "y"), ("four", "b"), ("five", "T<")]);
        assert_eq!(form.names, ["one", "two", "three", "three", "four", "five", "six"]);
        assert_eq!(page.links(), ["/next"]);
        assert!(page.form("/elsewhere").unwrap_err().to_string().contains("only [\"/a?b&c\"]"));
    }
}
