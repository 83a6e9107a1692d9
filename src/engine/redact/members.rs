//! Members that go: each with its comma, so that what stays is JSON.

/// What is deleted so that members go: for each of `members` (from its key's quote to its value's
/// end, sorted, apart from each other, of objects in `json`), its part of the deletions.
///
/// A member goes up to the next one's key. The last ones of an object go with the comma before them.
pub(crate) fn deletions(json: &[u8], members: &mut [(usize, usize)]) {
    let mut first = 0;
    while first < members.len() {
        let mut last = first;
        let next = loop {
            let behind = skip(json, members[last].1);
            if json.get(behind) != Some(&b',') {
                break None;
            }
            let next = skip(json, behind + 1);
            match members.get(last + 1) {
                Some(m) if m.0 == next => last += 1,
                _ => break Some(next),
            }
        };
        let from = members[first].0;
        for i in first..last {
            members[i].1 = members[i + 1].0;
        }
        match next {
            Some(next) => members[last].1 = next,
            None => {
                let blank = json[..from].iter().rev().take_while(|b| is_blank(b)).count();
                let before = from - blank;
                if before > 0 && json[before - 1] == b',' {
                    members[first].0 = before - 1;
                }
            }
        }
        first = last + 1;
    }
}

fn is_blank(b: &u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

fn skip(json: &[u8], at: usize) -> usize {
    at + json[at.min(json.len())..].iter().take_while(|b| is_blank(b)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Removes the members whose key begins with an `x`.
    fn removed(json: &str) -> String {
        let mut members: Vec<_> = json
            .match_indices("\"x")
            .map(|(at, _)| (at, at + json[at..].find(":0").unwrap() + 2))
            .collect();
        deletions(json.as_bytes(), &mut members);
        let (mut out, mut at) = (String::new(), 0);
        for (from, to) in members {
            out.push_str(&json[at..from]);
            at = to;
        }
        out + &json[at..]
    }

    #[test]
    fn what_stays_is_json_with_its_spacing() {
        for (json, wanted) in [
            (r#"{"x":0}"#, r#"{}"#),
            (r#"{ "x" :0 }"#, r#"{  }"#),
            (r#"{"x":0,"a":1}"#, r#"{"a":1}"#),
            (r#"{"a":1,"x":0}"#, r#"{"a":1}"#),
            (r#"{"a":1, "x":0 , "b":2}"#, r#"{"a":1, "b":2}"#),
            (r#"{"a":1 , "x":0 }"#, r#"{"a":1  }"#),
            (r#"{"x":0,"x2":0,"a":1}"#, r#"{"a":1}"#),
            (r#"{"a":1,"x":0,"x2":0}"#, r#"{"a":1}"#),
            (r#"{"a":1,"x":0,"x2":0,"x3":0}"#, r#"{"a":1}"#),
            (r#"{"x":0,"x2":0}"#, r#"{}"#),
            (r#"{"x":0,"a":1,"x2":0}"#, r#"{"a":1}"#),
            (r#"{"a":1,"x":0,"b":2,"x2":0,"c":3}"#, r#"{"a":1,"b":2,"c":3}"#),
            (r#"{"a":{"x":0},"x":0}"#, r#"{"a":{}}"#),
            (r#"{"o":[{"x":0},{"x":0,"a":1}],"b":2}"#, r#"{"o":[{},{"a":1}],"b":2}"#),
        ] {
            assert_eq!(removed(json), wanted, "{json}");
            serde_json::from_str::<serde_json::Value>(wanted).unwrap();
        }
    }
}
