//! Rotation with a clock that is set forwards and back.

use super::{super::rotated::Rotated, *};

const DAY: u64 = 86_400;

/// Returns the lines of all rotated files, in the order of their names, and those of the log
/// itself.
fn lines(scene: &Scene) -> Vec<Vec<String>> {
    let folder = Folder::open(scene.dir.path(), Faults::default()).unwrap();
    let mut names: Vec<_> =
        Rotated::all(&folder, "x").unwrap().iter().map(|rotated| rotated.name("x")).collect();
    names.reverse();
    names.push("x".into());
    names.iter().map(|name| scene.read(name).lines().map(str::to_owned).collect()).collect()
}

#[test]
fn no_line_is_lost_and_no_file_overwritten_whatever_the_clock_says() {
    let mut scene = Scene::new("x");
    scene.settings.rotate_every = Some(Duration::from_secs(60));
    let noon = scene.seconds.load(SeqCst);
    let mut log = scene.open();
    let (mut random, mut jumps) = (1_u64, 0);
    for n in 0..300 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if random >> 62 == 0 {
            let at = [noon, noon + 7, noon + 3600, noon - 3600, noon - 400 * DAY, noon + 400 * DAY];
            scene.seconds.store(at[(random >> 40) as usize % at.len()], SeqCst);
            jumps += 1;
        }
        log.write(format!("{n}\n").as_bytes()).unwrap();
        lock(&log.files).tick().unwrap();
        let rests = lock(&log.files).options.rests();
        assert!(!rests.is_zero() && rests <= Duration::from_secs(60), "{rests:?}");
    }
    log.finish().unwrap();
    let files = lines(&scene);
    assert!(files.len() > 20 && files.len() <= jumps + 1, "{} of {jumps}", files.len());
    assert!(files.iter().all(|lines| !lines.is_empty()));
    let all: Vec<_> = files.concat();
    assert!(all.into_iter().eq((0..300).map(|n| n.to_string())), "in the order of their names");
}

#[test]
fn a_log_without_lines_is_not_rotated_whatever_the_clock_says() {
    let mut scene = Scene::new("x");
    scene.settings.rotate_every = Some(Duration::from_secs(60));
    let mut log = scene.open();
    for _ in 0..20 {
        scene.seconds.fetch_add(DAY, SeqCst);
        lock(&log.files).tick().unwrap();
        scene.seconds.fetch_sub(DAY, SeqCst);
        lock(&log.files).tick().unwrap();
    }
    log.finish().unwrap();
    assert_eq!(scene.names(), ["x"]);
}

#[test]
fn what_was_rotated_last_is_kept_though_the_clock_was_set_back() {
    let mut scene = Scene::new("x");
    scene.settings.rotate_size = Some(2);
    scene.settings.rotate_keep = Some(2);
    let mut log = scene.open();
    for n in 0..4 {
        log.write(format!("{n}\n").as_bytes()).unwrap();
        scene.seconds.fetch_add(1, SeqCst);
    }
    scene.seconds.fetch_sub(400 * DAY, SeqCst);
    for n in 4..8 {
        log.write(format!("{n}\n").as_bytes()).unwrap();
        scene.seconds.fetch_add(1, SeqCst);
    }
    log.finish().unwrap();
    // The thread that removes the oldest has ended.
    drop(log);
    assert_eq!(lines(&scene).concat(), ["5", "6", "7"]);
}
