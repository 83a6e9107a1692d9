//! The summary as one line of JSON. Its keys are stable.

use serde_json::{Map, Value, json};

use super::{Counts, Summary};

impl Summary {
    /// Returns one line of JSON with its line end.
    ///
    /// `read` is the sum of `clean`, `redacted`, `wrapped`, `blank`, `tombstones`, `joined`,
    /// `unwritten` and the values of `stay`, `dropped` and `dead_lettered`; `unaccounted` is the
    /// difference.
    pub fn json(&self) -> String {
        let tally = &self.tally;
        let mut line = json!({
            "read": self.read,
            "clean": tally.clean,
            "redacted": tally.redacted,
            "wrapped": tally.wrapped,
            "blank": tally.blank,
            "tombstones": tally.tombstones,
            "joined": tally.joined,
            "stay": self.stay.iter().map(|&(why, n)| count((why.word().into(), n))).collect::<Map<_, _>>(),
            "dropped": by_reason(&self.dropped),
            "dead_lettered": by_reason(&self.dead_lettered),
            "unwritten": self.unwritten,
            "unaccounted": self.unaccounted,
            "redactions": self.redactions.iter().cloned().map(count).collect::<Map<_, _>>(),
            "observed": self.observed.iter().cloned().map(count).collect::<Map<_, _>>(),
            "unmatched_rules": self.unmatched_rules,
            "prefixes_removed": tally.prefixes,
            "violations": by_reason(&self.violations),
            "failed_inputs": self.failed_inputs,
            "truncated_inputs": self.truncated_inputs,
            "bytes_in": self.bytes_in,
            "bytes_out": tally.bytes_out,
            "seconds": rounded(self.elapsed.as_secs_f64(), 6),
            "mb_per_second": rounded(self.megabytes_per_second(), 2),
            "threads": self.threads,
            "memory_ceiling_bytes": self.memory_ceiling_bytes,
            "reloads": self.reloads.0,
            "refused_reloads": self.reloads.1,
            "other_file_lines": self.other_file_lines,
            "failed_reports": self.failed_reports,
            "error": self.error,
            "exit_code": self.exit_code,
        })
        .to_string();
        line.push('\n');
        line
    }
}

fn by_reason(counts: &Counts) -> Map<String, Value> {
    counts.iter().map(|&(reason, n)| count((reason.word().to_string(), n))).collect()
}

fn count((name, n): (String, u64)) -> (String, Value) {
    (name, n.into())
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::super::tests::example;

    #[test]
    fn one_line_of_stable_keys() {
        assert_eq!(
            example().json(),
            concat!(
                r#"{"read":1218,"clean":1100,"redacted":80,"wrapped":4,"blank":2,"tombstones":0,"joined":0,"#,
                r#""stay":{"tried":3},"dropped":{"text":6},"dead_lettered":{"unterminated":10,"schema_required":8},"#,
                r#""unwritten":5,"unaccounted":0,"redactions":{"email":81},"#,
                r#""observed":{"jwt":7},"unmatched_rules":["tamis.toml:3","later"],"#,
                r#""prefixes_removed":0,"violations":{"schema_required":8},"failed_inputs":0,"truncated_inputs":0,"#,
                r#""bytes_in":750000,"bytes_out":700000,"seconds":0.5,"mb_per_second":1.5,"#,
                r#""threads":2,"memory_ceiling_bytes":67108864,"reloads":2,"refused_reloads":1,"#,
                r#""other_file_lines":0,"failed_reports":0,"error":null,"exit_code":0}"#,
                "\n"
            )
        );
    }
}
