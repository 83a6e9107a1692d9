//! The configuration file: among flags and defaults, judged, shown, described.

use std::{collections::BTreeSet, env, fmt::Write as _, fs, path::Path, process::Output};

use serde_json::Value;
use tamis::config::KEYS;
use tempfile::TempDir;

use crate::cli::{code, folder, run, stderr, tamis};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const EVENT: &[u8] = b"{\"mail\":\"ada@example.com\",\"password\":\"x\"}\n";

fn in_folder(dir: &TempDir, args: &[&str], stdin: &[u8]) -> Output {
    run(tamis(args).env_remove("TAMIS_CONFIG").current_dir(dir), stdin)
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn described() -> Value {
    let path = Path::new(ROOT).join("schemas/config.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_flag_overrides_the_file_and_the_file_a_default() {
    let dir = folder(&[("my.toml", "version = 1\nwithout = [\"email\"]\nquiet = true\n")]);
    let output = in_folder(&dir, &["--config", "my.toml"], EVENT);
    assert_eq!(
        stdout(&output),
        "{\"mail\":\"ada@example.com\",\"password\":\"[REDACTED:secret_field]\"}\n"
    );
    assert_eq!(stderr(&output), "");
    let output = in_folder(&dir, &["--config", "my.toml", "--without", "secrets"], EVENT);
    assert_eq!(stdout(&output), "{\"mail\":\"[REDACTED:email]\",\"password\":\"x\"}\n");
}

#[test]
fn the_environment_names_the_file_and_the_working_directory_does_not() {
    let text = "version = 1\nquiet = true\nonly = [\"email\"]\n";
    let dir = folder(&[("tamis.toml", text), ("other.toml", "version = 1\nquiet = true\n")]);
    let everything = "{\"mail\":\"[REDACTED:email]\",\"password\":\"[REDACTED:secret_field]\"}\n";
    assert_eq!(stdout(&in_folder(&dir, &["-q"], EVENT)), everything);
    let mut command = tamis(&[]);
    command.env("TAMIS_CONFIG", "tamis.toml").current_dir(&dir);
    let output = run(&mut command, EVENT);
    assert_eq!(stdout(&output), "{\"mail\":\"[REDACTED:email]\",\"password\":\"x\"}\n");
    let mut command = tamis(&["--config", "other.toml"]);
    command.env("TAMIS_CONFIG", "tamis.toml").current_dir(&dir);
    assert_eq!(stdout(&run(&mut command, EVENT)), everything);
    let output = in_folder(&dir, &["--config", "none.toml"], EVENT);
    assert_eq!((code(&output), output.stdout.len()), (2, 0));
    assert!(stderr(&output).contains("none.toml: no such file"), "{}", stderr(&output));
}

#[test]
fn paths_start_from_the_files_folder() {
    let text = "version = 1\ninputs = [\"in.ndjson\"]\noutput = \"out.ndjson\"\nquiet = true\n";
    let dir = folder(&[("etc/tamis.toml", text), ("etc/in.ndjson", "{\"a\":1}\n")]);
    let output = in_folder(&dir, &["--config", "etc/tamis.toml"], b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(fs::read(dir.path().join("etc/out.ndjson")).unwrap(), b"{\"a\":1}\n");
}

#[test]
fn packs_are_pinned() {
    let dir = folder(&[
        ("core.toml", "version = 1\nquiet = true\npatterns = [\"core@1\"]\n"),
        ("newer.toml", "version = 1\npatterns = [\"core@1\", \"secrets@99\"]\n"),
        ("bare.toml", "version = 1\npatterns = [\"core\"]\n"),
        ("none.toml", "version = 1\nquiet = true\npatterns = []\n"),
    ]);
    let said = |file: &str| in_folder(&dir, &["--config", file], EVENT);
    assert_eq!(stdout(&said("core.toml")), "{\"mail\":\"[REDACTED:email]\",\"password\":\"x\"}\n");
    assert_eq!(stdout(&said("none.toml")).as_bytes(), EVENT);
    for (file, wanted) in [
        (
            "newer.toml",
            "newer.toml:2:23: this version of Tamis has no secrets@99: it has secrets@1",
        ),
        ("bare.toml", "bare.toml:2:13: `core` names no version: write \"core@1\""),
    ] {
        let output = said(file);
        assert_eq!((code(&output), output.stdout.len()), (2, 0));
        assert!(stderr(&output).contains(wanted), "{}", stderr(&output));
    }
}

#[test]
fn check_judges_everything_and_reads_nothing() {
    let dir = folder(&[
        ("sound.toml", "version = 1\ninputs = [\"missing\"]\npatterns = [\"core@1\"]\n"),
        ("loose.toml", "version = 1\n"),
        ("wrong.toml", "version = 1\nschema = \"nope\"\npatterns = [\"core@7\"]\ntxt = 1\n"),
        ("deep.toml", "version = 1\nschema = \"nope\"\npatterns = [\"core@7\"]\n"),
    ]);
    let check = |file: &str| in_folder(&dir, &["config", "check", file], b"");
    let output = check("sound.toml");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).starts_with("sound.toml: valid\n"), "{}", stdout(&output));
    assert!(stdout(&check("loose.toml")).contains("not pinned"));
    for (file, wanted) in [
        ("wrong.toml", &["wrong.toml:4:1: unknown key `txt`: did you mean `text`?"][..]),
        ("deep.toml", &["deep.toml:3:13: this version of Tamis has no core@7", "no such schema"]),
    ] {
        let output = check(file);
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
        let text = stderr(&output);
        assert!(wanted.iter().all(|one| text.contains(one)), "{text}");
    }
    let output = in_folder(&dir, &["config", "check"], b"");
    assert_eq!(code(&output), 2);
}

/// What `config check` says of `etc/t.toml` in this folder, a line each.
fn complaints(dir: &TempDir) -> Vec<String> {
    let output = in_folder(dir, &["config", "check", "etc/t.toml"], b"");
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
    let said = stderr(&output);
    let lines = said.lines().map(|line| line.strip_prefix("tamis: ").unwrap());
    // What is indented shows the place that the line before it names.
    lines.filter(|line| !line.starts_with("    ")).map(str::to_owned).collect()
}

fn assert_starts(said: &[String], wanted: &[&str]) {
    let all = said.iter().zip(wanted).all(|(said, wanted)| said.starts_with(wanted));
    assert!(all && said.len() == wanted.len(), "{said:#?}");
}

#[test]
fn check_tells_all_that_is_wrong_with_configuration_schema_and_packs_at_once() {
    let pack = |name: &str, detectors: &str| format!("pack = \"{name}\"\nversion = 1\n{detectors}");
    let detector = |id: &str, more: &str| {
        format!("[[detector]]\nid = \"{id}\"\ncategory = \"x\"\ndescription = \"x\"\n{more}\n")
    };
    let one = detector("a", "literals = ['acme_']\nregex = 'acme_['") + &detector("b", "");
    let two =
        detector("c", "regexp = 'x'") + &detector("d", "priority = 'high'\nlitrals = ['abc']");
    let schema = "{\n  \"requierd\": [\"a\"],\n  \"properties\": {\n    \"a\": { \"type\": \
                  \"strin\" }\n  }\n}\n";
    let files = |config: &'static str| {
        folder(&[
            ("etc/t.toml", config),
            ("etc/packs/one.toml", &pack("one", &one)),
            ("etc/packs/two.toml", &pack("two", &two)),
            ("etc/event.json", schema),
        ])
    };
    let beyond = [
        "etc/event.json:2:3: unknown keyword `requierd`: did you mean `required`?",
        "etc/event.json:4:20: unknown type `strin`: did you mean `string`?",
        "etc/packs/two.toml:7:1: unknown field `regexp`: did you mean `regex`?",
        "etc/packs/two.toml:12:12: invalid type: string \"high\", expected a whole number",
        "etc/packs/two.toml:13:1: unknown field `litrals`: did you mean `literals`?",
        "etc/packs/one.toml:8:9: detector `a`: unclosed character class",
        "etc/packs/one.toml:10:6: detector `b`: declares no `regex`",
    ];
    // Faults of the file itself hide none of those of what it names.
    let said = complaints(&files(
        "version = 1\nschema = \"event.json\"\npatterns = [\"core@9\", \"packs\", \
         \"nowhere.toml\"]\n\
         colour = \"never\"\nmax_depth = 0\n[[rule]]\npath = \"a\"\naction = \"hide\"\n",
    ));
    let own = [
        "etc/t.toml:4:1: unknown key `colour`: did you mean `color`?",
        "etc/t.toml:5:13: 0 is not in 1..=65535",
        "etc/t.toml:8:10: invalid value `hide`: expected one of ",
        "etc/t.toml:3:13: this version of Tamis has no core@9: it has core@1",
        "etc/t.toml:3:32: pack etc/nowhere.toml: no such file or directory",
    ];
    assert_starts(&said, &[&own[..], &beyond[..]].concat());
    // A file that is sound by itself.
    let said = complaints(&files("version = 1\nschema = \"event.json\"\npatterns = [\"packs\"]\n"));
    assert_starts(&said, &beyond);
}

#[test]
fn what_the_file_says_is_called_as_the_file_calls_it() {
    for (config, wanted) in [
        (
            "only = [\"email\", \"emial\"]\nwithout = [\"x-ray\"]\nmax_event_bytes = \"2GiB\"\n",
            &[
                "etc/t.toml:4:19: max_event_bytes 2147483648: the maximum is 1GiB",
                "etc/t.toml:2:18: only: no detector, category or pack `emial`: did you mean \
                 `email`?",
                "etc/t.toml:3:12: without: no detector, category or pack `x-ray`: `tamis patterns",
            ][..],
        ),
        (
            "text = \"dead-letter\"\nrequire = [\"a\", \"\"]\n",
            &[
                "etc/t.toml:3:17: require: field 2 of the list is empty",
                "etc/t.toml:2:8: text dead-letter needs dead_letter",
            ],
        ),
        ("rotate_keep = 3\n", &["etc/t.toml:2:15: rotate_keep needs output"]),
        (
            "output = \"x.log\"\nrotate_keep = 3\n",
            &["etc/t.toml:3:15: rotate_keep needs rotate_size or rotate_every"],
        ),
        ("output = \"there\"\n", &["etc/t.toml:2:10: output etc/there already exists: --force"]),
        ("follow = true\n", &["etc/t.toml:2:10: follow needs files: list them as `inputs`"]),
        (
            "schema = \"servce-log\"\n",
            &["etc/t.toml:2:10: schema etc/servce-log: no such schema and no such file: did you \
                 mean `service-log`?"],
        ),
    ] {
        let dir = folder(&[("etc/t.toml", &format!("version = 1\n{config}")), ("etc/there", "")]);
        assert_starts(&complaints(&dir), wanted);
    }
    // A flag is called by its own name.
    let dir = folder(&[("t.toml", "version = 1\nonly = [\"email\"]\n")]);
    let output = in_folder(&dir, &["--config", "t.toml", "--only", "emial"], b"");
    assert!(stderr(&output).starts_with("tamis: --only: no detector"), "{}", stderr(&output));
}

#[test]
fn check_judges_the_memory() {
    let dir = folder(&[("small.toml", "version = 1\nthreads = 1\nmemory = 1000\n")]);
    let output = in_folder(&dir, &["config", "check", "small.toml"], b"");
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
    let wanted = "small.toml:3:10: memory is too small: threads 1 needs at least ";
    assert!(stderr(&output).contains(wanted), "{}", stderr(&output));
}

#[test]
fn inputs_and_outputs_are_as_the_flags_have_them() {
    let dir = folder(&[
        (
            "t.toml",
            "version = 1\ninputs = [\"in\"]\nrecursive = true\nout_dir = \"out\"\nquiet = true\n",
        ),
        ("a.toml", "version = 1\noutput = \"all\"\nappend = true\nquiet = true\n"),
        (
            "z.toml",
            "version = 1\noutput = \"all.gz\"\nforce = true\ncompress = \"gzip\"\nquiet = true\n",
        ),
        ("in/one", "{\"a\":1}\n"),
        ("in/deep/two", "{\"b\":2}\n"),
    ]);
    let read = |path: &str| fs::read(dir.path().join(path)).unwrap_or_default();
    let output = in_folder(&dir, &["--config", "t.toml"], b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(
        (&read("out/one")[..], &read("out/deep/two")[..]),
        (&b"{\"a\":1}\n"[..], &b"{\"b\":2}\n"[..])
    );
    // What is there is not overwritten unasked, by the file's outputs either.
    assert_eq!(code(&in_folder(&dir, &["--config", "t.toml"], b"")), 2);
    assert_eq!(code(&in_folder(&dir, &["--config", "t.toml", "--force"], b"")), 0);
    // A flag for one output overrides the other in the file, and what goes with it.
    let output = in_folder(&dir, &["--config", "t.toml", "-o", "all"], b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    for _ in 0..2 {
        assert_eq!(code(&in_folder(&dir, &["--config", "a.toml"], b"{\"c\":3}\n")), 0);
    }
    let (one, two) = ("{\"a\":1}\n", "{\"b\":2}\n");
    let all = String::from_utf8(read("all")).unwrap();
    assert_eq!(all, format!("{two}{one}{{\"c\":3}}\n{{\"c\":3}}\n"));
    assert_eq!(
        code(&in_folder(&dir, &["--config", "a.toml", "in/one", "--out-dir", "o2"], b"")),
        0
    );
    for _ in 0..2 {
        assert_eq!(code(&in_folder(&dir, &["--config", "z.toml", "in/one"], b"")), 0);
    }
    assert_eq!(read("all.gz")[..2], [0x1f, 0x8b]);
    for (text, wanted) in [
        (
            "out_dir = 'a'\noutput = 'b'\n",
            "t.toml:2:11: `out_dir` and `output` cannot be used together",
        ),
        (
            "append = true\nforce = true\noutput = 'b'\n",
            "2:10: `append` and `force` cannot be used",
        ),
        ("append = true\n", "2:10: `append` needs a file to append to: add `output`"),
        ("out_dir = 'a'\ncompress = 'zstd'\n", "3:12: `compress` needs `output`"),
    ] {
        let dir = folder(&[("t.toml", &format!("version = 1\n{text}"))]);
        let output = in_folder(&dir, &["config", "check", "t.toml"], b"");
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains(wanted), "{}", stderr(&output));
    }
}

#[test]
fn show_says_what_is_in_force_and_masks_the_environment() {
    let text = "version = 1\noutput = \"${SECRET_PLACE}/out\"\nip = \"keep\"\n";
    let dir = folder(&[("my.toml", text)]);
    let mut command = tamis(&["config", "show", "--config", "my.toml", "--max-depth", "9"]);
    command.env("SECRET_PLACE", "/hidden").current_dir(&dir);
    let output = run(&mut command, b"");
    let text = stdout(&output);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let line = |key: &str| text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
    assert!(line("output = ").starts_with("output = \"***\""), "{text}");
    assert!(!text.contains("hidden") && line("ip = ").ends_with("# my.toml"), "{text}");
    assert!(line("max_depth = 9").ends_with("# flag"), "{text}");
    assert!(line("text = \"wrap\"").ends_with("# default"), "{text}");
    // What is shown is a configuration.
    fs::write(dir.path().join("shown.toml"), text).unwrap();
    assert_eq!(code(&in_folder(&dir, &["config", "check", "shown.toml"], b"")), 0);
}

#[test]
fn lists_stand_in_files_that_nothing_shows() {
    let config = "version = 1\n[[allow]]\nexact = 'inline@canary.example'\n\
                  exact_file = 'lists/exact'\nprefix_file = 'lists/prefix'\nsuffix_file = \
                  'lists/suffix'\n\
                  cidr_file = 'lists/cidr'\ndomain_file = 'lists/domain'\n";
    let dir = folder(&[
        ("etc/my.toml", config),
        ("etc/lists/exact", "\u{feff}vip@canary.example\r\n\n  \nother@canary.example"),
        ("etc/lists/prefix", "canary-prefix\n"),
        ("etc/lists/suffix", "canary-suffix.example\n"),
        ("etc/lists/cidr", "8.8.0.0/16\n"),
        ("etc/lists/domain", "Canary-Domain.example\n"),
        ("etc/lists/bad", "10.0.0.0/8\n\ncanary/8\n"),
        ("etc/lists/latin", "\n\u{e9}"),
        (
            "etc/bad.toml",
            "version = 1\n[[allow]]\ncidr_file = 'lists/bad'\nexact_file = 'lists/no'\n",
        ),
    ]);
    let kept = "{\"a\":\"inline@canary.example vip@canary.example other@canary.example\",\
                \"b\":\"canary-prefix@b.io a@canary-suffix.example\",\"c\":\"8.8.4.4\",\
                \"d\":\"a@b.canary-domain.example\"}\n";
    let output = in_folder(&dir, &["-q", "--config", "etc/my.toml"], kept.as_bytes());
    assert_eq!(stdout(&output), kept, "{}", stderr(&output));
    let output =
        in_folder(&dir, &["-q", "--config", "etc/my.toml"], b"{\"e\":\"no@canary.example\"}\n");
    assert_eq!(stdout(&output), "{\"e\":\"[REDACTED:email]\"}\n");
    let output = in_folder(&dir, &["config", "show", "--config", "etc/my.toml"], b"");
    let shown = stdout(&output);
    assert!(shown.contains("exact_file = \"lists/exact\"\n"), "{shown}");
    assert!(!shown.replace("inline@canary.example", "").contains("canary"), "{shown}");
    fs::write(dir.path().join("etc/shown.toml"), shown).unwrap();
    assert_eq!(code(&in_folder(&dir, &["config", "check", "etc/shown.toml"], b"")), 0);

    let output = in_folder(&dir, &["--config", "etc/bad.toml"], kept.as_bytes());
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
    let text = stderr(&output);
    let wanted = "tamis: etc/bad.toml:4:14: etc/lists/no: no such file or directory\n\
                  tamis: etc/lists/bad:3:1: not a valid network: write 10.0.0.0/8 or \
                  2001:db8::/32\n";
    assert_eq!(text, wanted);
}

#[test]
fn a_long_list_costs_no_more_than_a_short_one() {
    let list: String = (0..200_000).map(|i| format!("user{i}@example.com\n")).collect();
    let config =
        "version = 1\nquiet = true\n[[allow]]\nexact_file = 'list'\nprefix_file = 'list'\n";
    let dir = folder(&[("t.toml", config), ("list", &list)]);
    let log = "{\"m\":\"user199999@example.com none@example.com\"}\n".repeat(20_000);
    let begun = std::time::Instant::now();
    let output = in_folder(&dir, &["--config", "t.toml"], log.as_bytes());
    assert_eq!(stdout(&output).lines().count(), 20_000, "{}", stderr(&output));
    assert!(stdout(&output).starts_with("{\"m\":\"user199999@example.com [REDACTED:email]\"}\n"));
    // Looking through the list for each finding would take minutes.
    assert!(begun.elapsed().as_secs() < 30);
}

#[test]
fn the_schema_describes_every_key_and_its_examples_hold() {
    let schema = described();
    let properties = schema["properties"].as_object().unwrap();
    let names: BTreeSet<_> = properties.keys().map(String::as_str).collect();
    assert_eq!(names, KEYS.iter().copied().collect());
    let judge = jsonschema::validator_for(&schema).unwrap();
    for (key, described) in properties {
        for example in described["examples"].as_array().unwrap() {
            let mut config = serde_json::Map::from_iter([("version".into(), 1.into())]);
            if ["follow", "data_dir", "line_timeout", "poll"].contains(&key.as_str()) {
                config.insert("follow".into(), true.into());
                config.insert("inputs".into(), serde_json::json!(["app.log"]));
            }
            if key.starts_with("rotate") || key == "fsync" {
                config.insert("output".into(), "clean.ndjson".into());
                config.insert("rotate_size".into(), "1MiB".into());
            }
            if key == "dead_letter_encrypt_to" {
                config.insert("dead_letter".into(), "dead.ndjson".into());
            }
            if ["kafka", "source", "sink", "delivery", "instance"].contains(&key.as_str()) {
                let others = serde_json::json!({
                    "kafka": { "brokers": ["127.0.0.1:9092"] },
                    "source": { "topics": ["a"], "group": "g" },
                    "sink": { "topic": "b" },
                    "instance": "tamis-0",
                });
                config.extend(others.as_object().unwrap().clone());
            }
            config.insert(key.clone(), example.clone());
            assert!(judge.is_valid(&Value::Object(config.clone())), "{key}");
            if key == "metrics_textfile" {
                // Its folder must be there.
                config.insert(key.clone(), "tamis.prom".into());
            }
            let text = toml::to_string(&Value::Object(config)).unwrap();
            let secret = ("person-2026-11.key", "0123456789abcdef0123456789abcdef");
            let dir = folder(&[("example.toml", &text), secret]);
            let output = in_folder(&dir, &["config", "check", "example.toml"], b"");
            assert_eq!(code(&output), 0, "{text}{}", stderr(&output));
        }
    }
    let output = in_folder(&folder(&[]), &["config", "schema"], b"");
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), schema);
}

#[test]
fn the_documentation_lists_the_schemas_keys() {
    let path = Path::new(ROOT).join("docs/configuration.md");
    let text = fs::read_to_string(&path).unwrap();
    let described = described();
    let keys = described["properties"].as_object().unwrap();
    let mut missing: BTreeSet<_> = keys.keys().map(String::as_str).collect();
    // The page decides which key is in which of its tables.
    let mut in_table = false;
    let mut wanted = String::new();
    for line in text.lines() {
        in_table = line == "| key | | default | example |" || in_table && line.starts_with('|');
        match line.strip_prefix("| `").and_then(|rest| rest.split('`').next()) {
            Some(key) if in_table => {
                let row = keys.get(key).unwrap_or_else(|| panic!("there is no key `{key}`"));
                let what = row["description"].as_str().unwrap();
                let default = row.get("default").map(|v| format!("`{v}`")).unwrap_or_default();
                let example = &row["examples"][0];
                let _ = writeln!(wanted, "| `{key}` | {what} | {default} | `{example}` |");
                assert!(missing.remove(key), "`{key}` has two rows");
            }
            _ => wanted.extend([line, "\n"]),
        }
    }
    assert!(missing.is_empty(), "add a row `| `KEY` |` to one of the tables for: {missing:?}");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, wanted).unwrap();
    } else {
        assert!(text == wanted, "out of date: `UPDATE_DOCS=1 cargo test --test it config`");
    }
}
