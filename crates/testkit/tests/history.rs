//! The judge of histories judged, and a few short histories of the real database:
//! `cargo xtask history` runs more.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use selvedge_testkit::history::{
    Anomaly, History, Medium, Op, Outcome, Plan, Txn, WORKLOADS, judge, list_append, run,
};

/// Transactions of a short history.
const TXNS: usize = 240;

/// A history from its text, without the last line, which says that nothing is missing.
fn history(text: &str) -> History {
    let count = text.lines().filter(|line| line.trim().starts_with("txn ")).count();
    format!("{text}\nend {count}\n").parse().expect("written by hand")
}

/// Every file in `tests/histories` says in its first line what is to be found in it:
/// these names and no others.
#[test]
fn each_anomaly_is_called_by_its_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories");
    let (mut wrong, mut count) = (Vec::new(), 0);
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let judged: History = text.parse().unwrap_or_else(|what| panic!("{path:?}: {what}"));
        let expected = text.lines().next().unwrap().strip_prefix("# expect: ").unwrap();
        let expected: BTreeSet<_> = expected.split("; ").map(str::to_owned).collect();
        let findings = judge(&judged).findings;
        let mut told: BTreeSet<_> = findings.iter().map(|found| found.name.to_string()).collect();
        if told.is_empty() {
            told.insert("nothing".to_owned());
        }
        if told != expected {
            wrong.push(format!("{path:?}: expected {expected:?}; found {findings:#?}"));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 30, "the files are where they are looked for");
}

#[test]
fn a_permitted_write_skew_is_counted() {
    let text = include_str!("histories/right_write_skew.txt");
    assert_eq!(judge(&text.parse().unwrap()).write_skews, 1);
    let text = include_str!("histories/right_serializable.txt");
    assert_eq!(judge(&text.parse().unwrap()).write_skews, 0);
}

/// A serializable transaction reads something, and commits behind another one that
/// changed it and is not serializable: no cycle, and yet refused.
#[test]
fn every_kind_of_read_is_held_against_the_commit() {
    let told = |read: &str, write: &str, change: &str| {
        let text = format!(
            "indexed N\n\
             txn 0 start=0 committed=1\n\
               insert N x = 1:5:[1] -> 1\n  insert N y = 2:7:[2] -> 2\n  insert M - = 3:0:[] -> 3\n\
               link 1 TO 2 = 4:0:[] -> ok\n  set a = 5:0:[] -> ok\n  set n = 1 -> ok\n\
             txn 1 serializable start=1 committed=3\n  {read}\n  {write}\n\
             txn 2 start=1 committed=2\n  {change}\n"
        );
        let findings = judge(&history(&text)).findings;
        let names: BTreeSet<_> = findings.iter().map(|found| found.name).collect();
        names.into_iter().collect::<Vec<_>>()
    };
    let write = "put 3 = 20:0:[] -> ok";
    for (read, change) in [
        ("node 1 -> N x 1:5:[1] @1", "put 1 = 10:5:[1] -> ok"),
        ("node 2 -> N y 2:7:[2] @1", "delete 2 -> 1"),
        ("get N z -> none", "insert N z = 10:0:[3] -> 4"),
        ("get N y -> 2", "delete 2 -> 1"),
        ("insert N y = 21:0:[4] -> refused", "delete 2 -> 1"),
        ("scan N -> 1 2", "insert N - = 10:0:[3] -> 4"),
        ("count N -> 2", "insert N - = 10:0:[3] -> 4"),
        ("count-edges TO -> 1", "unlink 1 TO 2 -> ok"),
        ("neighbours 2 in TO -> 1", "unlink 1 TO 2 -> ok"),
        ("neighbours 2 both * -> 1", "link 2 OF 1 = 10:0:[] -> ok"),
        ("edge 1 TO 2 -> 4:0:[]", "link 1 TO 2 = 10:0:[] -> ok"),
        ("edge 2 TO 1 -> none", "link 2 TO 1 = 10:0:[] -> ok"),
        ("unlink 2 TO 1 -> refused", "link 2 TO 1 = 10:0:[] -> ok"),
        ("traverse 1 TO 3 -> 2", "link 2 TO 3 = 10:0:[] -> ok"),
        ("ranked N 6..9 forward * -> 2", "put 1 = 10:8:[1] -> ok"),
        ("ranked N 0..9 backward 1 -> 2", "put 1 = 10:8:[1] -> ok"),
        ("holder N [2] -> 2", "put 2 = 10:7:[9] -> ok"),
        ("holder N [9] -> none", "put 2 = 10:7:[9] -> ok"),
        ("entry a -> 5:0:[]@1", "remove a -> ok"),
        ("entry b -> none", "set b = 10:0:[] -> ok"),
        ("entry n -> 1@1", "sum n 1 -> ok"),
        ("range b..c forward * ->", "set b = 10:0:[] -> ok"),
        ("range a..z backward 1 -> n=1@1", "set o = 10:0:[] -> ok"),
    ] {
        let found = told(read, write, change);
        assert_eq!(found, [Anomaly::ReadOverwritten], "{read}; {change}");
        assert_eq!(told(read, "count M -> 1", change), found, "{read}; {change}");
        assert_eq!(told(read, write, "insert L - = 10:0:[] -> 5"), [], "{read}");
    }
    let beyond = "range a..o forward 1 -> a=5:0:[]@1";
    assert_eq!(told(beyond, write, "remove n -> ok"), [], "what was not read any more");
}

/// As far as the numbers of ranges go, judging takes the time of what was written.
#[test]
fn a_range_of_all_numbers_is_judged() {
    let text = format!(
        "indexed N\n\
         txn 0 start=0 committed=1\n  insert N x = 1:5:[1] -> 1\n\
         txn 1 start=1 read-only\n  ranked N {}..{} forward * -> 1\n  ranked N 9..1 forward * ->\n",
        i64::MIN,
        i64::MAX
    );
    assert!(judge(&history(&text)).findings.is_empty());
}

/// Look-ups of unique holders, ranges of an index, failed checks, and ranges in which keys
/// come and go: each took the time of all that there had ever been, and 8,000 of them
/// minutes; now a fraction of a second.
#[test]
fn judging_takes_the_time_of_what_was_read_and_written() {
    const STEPS: usize = 8000;
    let mut text = "indexed N\n".to_owned();
    for step in 0..STEPS {
        let (at, clock) = (step + 1, 10 * step + 10);
        let times = format!("begin={clock}..{} end={}..{}", clock + 1, clock + 2, clock + 3);
        text += &format!("txn 0 start={step} {times} committed={at}\n");
        text += &format!("  insert N - = {at}:{step}:[{step}] -> {at}\n");
        text += &format!("  set k{step:05} = {}:0:[] -> ok\n", at + STEPS);
        text += &format!("  set a = {}:0:[] -> ok\n", at + 2 * STEPS);
        if let Some(before) = step.checked_sub(1) {
            text += &format!("  remove k{before:05} -> ok\n");
        }
        let now = format!("begin={0}..{1} end={0}..{1}", clock + 4, clock + 5);
        text += &format!("txn 0 atomic {now} checks-failed=0\n  check a none -> ok\n");
        text += &format!("txn 0 start={at} {now} read-only\n  holder N [{step}] -> {at}\n");
        text += &format!("  ranked N {step}..{at} forward * -> {at}\n");
        text += &format!("  range k..l backward * -> k{step:05}={}:0:[]@{at}\n", at + STEPS);
    }
    let history = history(&text);
    let began = Instant::now();
    let verdict = judge(&history);
    assert!(verdict.findings.is_empty(), "{:#?}", verdict.findings);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn the_database_raises_no_alarm() {
    for (seed, workload) in (1..).zip(WORKLOADS) {
        for medium in workload.media.iter().copied() {
            let plan = Plan { seed, workload, medium, txns: TXNS, threads: 4 };
            let ran = run(plan).unwrap_or_else(|what| panic!("{plan}: {what}"));
            let mut verdict = judge(&ran.history);
            workload.judge(&ran.history, &mut verdict);
            assert!(verdict.findings.is_empty(), "{plan}: {:#?}", verdict.findings);
            assert!(ran.complaints.is_empty(), "{plan}: {:#?}", ran.complaints);
            // A disk that fails ends a round early.
            let least = if medium == Medium::Failing { TXNS / 8 } else { TXNS };
            assert!(ran.history.txns.len() > least);
        }
    }
}

#[test]
fn a_history_survives_its_text() {
    for (workload, seed) in WORKLOADS.iter().zip(100..) {
        for medium in workload.media.iter().copied().filter(|medium| *medium != Medium::Disk) {
            let plan = Plan { seed, workload, medium, txns: TXNS, threads: 3 };
            let history = run(plan).unwrap().history;
            let again: History = history.to_string().parse().unwrap();
            assert_eq!(again, history);
        }
    }
}

#[test]
fn text_that_is_no_history_is_refused_with_its_line() {
    for (text, told) in [
        ("  node 1 -> none", "line 1: no transaction is open"),
        ("txn 0", "line 1: a transaction has a start"),
        ("txn 0 start=0\n  node x -> none", "line 2: \"x\" is no number"),
        ("txn 0 start=0\n  node 1", "line 2: an operation has a result"),
        ("txn 0 start=9999999999999999999", "line 1: 9999999999999999999 is no timestamp"),
        ("txn 0 start=0 hasty", "line 1: there is no \"hasty\""),
        ("txn 0 start=0 conflict=x@1", "line 1: there is no conflict over \"x\""),
        ("txn 0 start=0\n  put 1 = 1:2 -> ok", "line 2: \"1:2\" is no document"),
        ("txn 0 start=0\n  entry a -> 7", "line 2: an entry has a version"),
        ("txn 0 start=0\n  set a = 1:2 -> ok", "line 2: \"1:2\" is no document"),
        ("txn 0 start=0\n  range a forward * ->", "line 2: a range is `a..b`"),
        ("txn 0 start=0\n  range a..b up * ->", "line 2: \"up\" is no way through a range"),
        ("txn 0 start=0\n  range a..b forward * -> 7", "line 2: an entry is `key=value@7`"),
        ("txn 0 start=0\n  check a 7 -> ok", "line 2: a version is `@7` or `none`"),
        ("txn 0 start=0\n  ranked R 1 up * ->", "line 2: a range is `1..2`"),
        ("txn 0 start=0\n  holder R 7 -> 1", "line 2: \"7\" is no list"),
        ("txn 0 atomic checks-failed=", "line 1: \"\" is no number"),
        ("txn 0 start=0\n  set a = 1:2:[] -> ok\n  set b = 1:3:[] -> ok", "line 3: mark 1 was"),
        ("txn 0 start=0\n  dance 1 -> ok", "line 2: there is no such operation"),
        ("txn 0 start=0\n  set a%0 = 7 -> ok", "line 2: \"a%0\" is no key: an escape is `%00`"),
        ("txn 0 start=0\n  rollback-to x -> ok", "line 2: \"x\" is no number"),
        ("txn 0 start=0\nend x", "line 2: \"x\" is no number"),
        ("txn 0 start=0\nend 1\n\ntxn 1 start=0", "line 4: there is more behind the end"),
        ("", "cut off: no `end 0` behind 0 transactions"),
        ("txn 0 start=0 unknown\n  set a = 7 -> ok\nend 1", "txn 0 writes no node or entry"),
    ] {
        let refused = text.parse::<History>().unwrap_err();
        assert!(refused.starts_with(told), "{refused}");
    }
}

/// A file that a full disk, or a pipe, cut off between two lines.
#[test]
fn text_that_is_cut_off_is_refused() {
    let text = include_str!("histories/unknown_that_happened.txt");
    assert!(text.parse::<History>().is_ok());
    for (index, _) in text.match_indices('\n').filter(|(index, _)| index + 1 < text.len()) {
        let refused = text[..=index].parse::<History>().unwrap_err();
        assert!(refused.starts_with("cut off: "), "{refused}");
    }
    let fewer = text.replace("\nend 7\n", "\nend 60\n").parse::<History>().unwrap_err();
    assert_eq!(fewer, "cut off: there are 7 transactions of 60");
}

/// It panicked over what `head` did not read any more.
#[test]
fn who_reads_only_the_beginning_still_has_the_answer() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/histories/lost_update.txt");
    let mut child = Command::new(env!("CARGO_BIN_EXE_history"));
    child.args(["--judge", file]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1), "there are anomalies");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[test]
fn lists_are_exported_as_elle_reads_them() {
    let text = "\
        txn 0 thread=2 start=0 begin=1..2 end=3..4 committed=1\n\
          insert List k0 = 1:0:[] -> 1\n\
        txn 1 thread=0 start=1 begin=5..6 end=9..10 committed=2\n\
          node 1 -> List k0 1:0:[] @1\n\
          put 1 = 2:1:[7] -> ok\n\
        txn 2 thread=1 start=1 begin=7..8 end=11..12 conflict=node:1@2\n\
          put 1 = 3:1:[8] -> ok\n\
        txn 3 thread=0 start=2 begin=13..14 end=15..16 read-only\n\
          node 1 -> List k0 2:1:[7] @2\n";
    let edn = "\
{:index 0, :time 5, :process 0, :type :invoke, :f :txn, :value [[:r 1 nil] [:append 1 7]]}
{:index 1, :time 7, :process 1, :type :invoke, :f :txn, :value [[:append 1 8]]}
{:index 2, :time 10, :process 0, :type :ok, :f :txn, :value [[:r 1 []] [:append 1 7]]}
{:index 3, :time 12, :process 1, :type :fail, :f :txn, :value [[:append 1 8]]}
{:index 4, :time 13, :process 0, :type :invoke, :f :txn, :value [[:r 1 nil]]}
{:index 5, :time 16, :process 0, :type :ok, :f :txn, :value [[:r 1 [7]]]}
";
    assert_eq!(list_append(&history(text)), edn);
}

/// Jepsen's tools take `:info` for what may have happened at any time since; its process
/// must not go on.
#[test]
fn what_nobody_was_told_is_exported_as_such() {
    let text = "\
        txn 0 thread=0 start=1 begin=5..6 end=7..8 unknown\n  put 1 = 2:1:[7] -> ok\n\
        reopened\n\
        txn 1 thread=0 start=1 begin=9..10 end=11..12 read-only\n  node 1 -> none\n";
    let edn = "\
{:index 0, :time 5, :process 0, :type :invoke, :f :txn, :value [[:append 1 7]]}
{:index 1, :time 8, :process 0, :type :info, :f :txn, :value [[:append 1 7]]}
{:index 2, :time 9, :process 1, :type :invoke, :f :txn, :value [[:r 1 nil]]}
{:index 3, :time 12, :process 1, :type :ok, :f :txn, :value [[:r 1 []]]}
";
    assert_eq!(list_append(&history(text)), edn);
}

/// The disk fails in the midst of commits, some of which have happened.
#[test]
fn outcomes_that_nobody_was_told_are_met() {
    let workload = WORKLOADS.iter().find(|workload| workload.name == "register").unwrap();
    let (mut unknown, mut happened) = (0, 0);
    for seed in 1..=10 {
        let plan = Plan { seed, workload, medium: Medium::Failing, txns: 400, threads: 4 };
        let history = run(plan).unwrap().history;
        let is_unknown = |txn: &&Txn| txn.outcome == Outcome::Unknown;
        unknown += history.txns.iter().filter(is_unknown).count();
        let verdict = judge(&history);
        assert!(verdict.findings.is_empty(), "{plan}: {:#?}", verdict.findings);
        happened += verdict.happened;
    }
    assert!(0 < happened && happened < unknown, "{happened} of {unknown} happened");
}

/// Whoever is asked last sees every element whose append was acknowledged, also of
/// lists that went out of use long before.
#[test]
fn acknowledged_appends_are_read_in_the_end() {
    let workload = WORKLOADS.iter().find(|workload| workload.name == "list-append").unwrap();
    let plan = Plan { seed: 5, workload, medium: Medium::Disk, txns: 480, threads: 3 };
    let history = run(plan).unwrap().history;
    let committed = || history.txns.iter().filter(|txn| txn.is_committed());
    let last = committed().max_by_key(|txn| txn.end.called).unwrap();
    let seen: BTreeSet<_> = { last.ops.iter() }
        .filter_map(|op| match op {
            Op::Node { seen: Some(seen), .. } => Some(seen.content.list.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    let ops = committed().flat_map(|txn| &txn.ops);
    let appended: Vec<_> = ops
        .filter_map(|op| match op {
            Op::Put { content, done: true, .. } => content.list.last(),
            _ => None,
        })
        .collect();
    assert!(appended.len() > 50, "{} appends", appended.len());
    assert!(appended.iter().all(|element| seen.contains(element)));
}
