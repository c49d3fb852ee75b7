//! Imported histories: what becomes of each kind of event, and what is refused with its line.

use histories::import::{read_edn, read_etcd, read_text_log, read_tipocket};
use histories::{Answer, Event, MalformedReason, Operation, Outcome, Process, ReadError, What};

fn outcomes(events: &[Event]) -> Vec<Outcome> {
    let outcome = |event: &Event| match &event.what {
        What::Complete(_, outcome) => Some(outcome.clone()),
        _ => None,
    };
    events.iter().filter_map(outcome).collect()
}

#[test]
fn edn_is_read_as_knossos_reads_it() {
    let text = "; a comment
        [{:process 0, :type :invoke, :f :cas, :value [1 2]}
         {:process :nemesis, :type :info, :f :kill, :value nil}
         {:process 0, :type :fail, :f :cas, :value [1 2]}
         {:process 1, :type :invoke, :f :read, :value nil}
         {:process 1, :type :ok, :f :read, :value nil}
         {:process 1, :type :invoke, :f :read, :value nil}
         {:process 1, :type :ok, :f :read, :value 2}]";
    let events: Vec<Event> =
        read_edn(text, None).events.into_iter().collect::<Result<_, _>>().expect("well-formed");
    let two = Outcome::Ok(Answer::Got(Some(b"2".to_vec())));
    assert_eq!(outcomes(&events), [Outcome::Fail, Outcome::Fail, two]);
    assert_eq!(events[1].process, Process::Nemesis);
    let cas = Operation::Cas {
        key: histories::import::REGISTER.into(),
        expected: Some(b"1".to_vec()),
        new: b"2".to_vec(),
    };
    assert_eq!(events[0].what, What::Invoke(cas));
}

#[test]
fn text_log_is_read_as_porcupine_reads_it() {
    let text = "INFO  jepsen.core - something else\n\
        INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\n\
        INFO  jepsen.util - 0\t:fail\t:cas\t[1 2]\n\
        INFO  jepsen.util - 0\t:invoke\t:read\tnil\n\
        INFO  jepsen.util - 0\t:ok\t:read\tnil\n\
        INFO  jepsen.util - 0\t:invoke\t:write\t3\n\
        INFO  jepsen.util - 0\t:info\t:write\t:timed-out\n";
    let events: Vec<Event> = read_text_log(text, None)
        .events
        .into_iter()
        .collect::<Result<_, _>>()
        .expect("well-formed");
    let expected = [Outcome::Ok(Answer::CasFailed), Outcome::Ok(Answer::Got(None)), Outcome::Info];
    assert_eq!(outcomes(&events), expected);
}

#[test]
fn torn_imports_are_torn() {
    let text = "[{:process 0, :type :invoke, :f :read, :value nil}\n{:process 0, :ty";
    let last = read_edn(text, None).events.into_iter().last().expect("an end");
    assert!(matches!(last, Err(ReadError::TornTail { line: 2 })), "{last:?}");
    let text = "INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:ok";
    let last = read_text_log(text, None).events.into_iter().last().expect("an end");
    assert!(matches!(last, Err(ReadError::TornTail { line: 2 })), "{last:?}");
}

#[test]
fn malformed_imports_are_refused_with_their_line() {
    let text = "{:process 0, :type :invoke, :f :read, :value nil}\n\
        {:process 1, :type :ok, :f :read, :value 1}";
    let last = read_edn(text, None).events.into_iter().last().expect("an end");
    let reason = MalformedReason::ReturnWithoutInvoke(1);
    assert!(matches!(last, Err(ReadError::Malformed { line: 2, reason: r }) if r == reason));
    let text = "\n{:process 0, :type :invoke, :f :append, :value 1}";
    let last = read_edn(text, None).events.into_iter().last().expect("an end");
    let reason = MalformedReason::UnknownOperation("append".to_owned());
    assert!(matches!(last, Err(ReadError::Malformed { line: 2, reason: r }) if r == reason));
}

#[test]
fn tipocket_s_registers_are_read_with_their_first_value() {
    let line = |action: &str, process: i64, data: &str| {
        format!(
            "{{\"action\":\"{action}\",\"proc\":{process},\"time\":\"2020-01-01T00:00:00Z\",\"data\":{data}}}\n"
        )
    };
    let register = [
        line("dump", 0, "7"),
        line("call", 0, "{\"Op\":false,\"Value\":0}"),
        line("call", 1, "{\"Op\":true,\"Value\":9}"),
        line("return", 1, "{\"Unknown\":true,\"Value\":0}"),
        line("invoke_nemesis", -1, "{\"Name\":\"kill\"}"),
        line("return", 0, "{\"Unknown\":false,\"Value\":7}"),
    ]
    .concat();
    let events: Vec<Event> =
        read_tipocket(&register).events.into_iter().collect::<Result<_, _>>().expect("read");
    let got = Outcome::Ok(Answer::Got(Some(b"7".to_vec())));
    assert_eq!(outcomes(&events), [Outcome::Ok(Answer::Done), Outcome::Info, got]);
    assert!(events.iter().any(|event| event.process == Process::Nemesis));

    let cas = [
        line("call", 0, "{\"Op\":0,\"Arg1\":0,\"Arg2\":0}"),
        line("return", 0, "{\"Ok\":false,\"Exists\":false,\"Value\":0,\"Unknown\":false}"),
        line("call", 0, "{\"Op\":2,\"Arg1\":1,\"Arg2\":2}"),
        line("return", 0, "{\"Ok\":false,\"Exists\":false,\"Value\":0,\"Unknown\":false}"),
    ]
    .concat();
    let events: Vec<Event> =
        read_tipocket(&cas).events.into_iter().collect::<Result<_, _>>().expect("read");
    assert_eq!(outcomes(&events), [Outcome::Ok(Answer::Got(None)), Outcome::Ok(Answer::CasFailed)]);

    let unpaired = line("return", 3, "{\"Unknown\":false,\"Value\":1}");
    assert!(matches!(
        read_tipocket(&unpaired).events.into_iter().last(),
        Some(Err(ReadError::Malformed { line: 1, .. }))
    ));
    let torn = &cas[..cas.len() - 20];
    assert!(matches!(
        read_tipocket(torn).events.into_iter().last(),
        Some(Err(ReadError::TornTail { line: 4 }))
    ));
}

/// One operation of etcd's tests.
fn etcd(client: i64, call: i64, input: &str, output: &str, finish: i64) -> String {
    format!(
        "{{\"ClientId\":{client},\"Input\":{input},\"Call\":{call},\"Output\":{output},\"Return\":{finish}}}\n"
    )
}

fn etcd_put(key: &str, value: &str, lease: u32) -> String {
    format!(
        "{{\"Type\":\"txn\",\"Range\":null,\"Txn\":{{\"Conditions\":null,\"OperationsOnSuccess\":[{{\"Type\":\"put-operation\",\
         \"Put\":{{\"Key\":\"{key}\",\"Value\":{{\"Value\":\"{value}\"}},\"LeaseID\":{lease}}}}}],\"OperationsOnFailure\":null}}}}"
    )
}

fn etcd_range(start: &str, end: &str, limit: u32) -> String {
    format!(
        "{{\"Type\":\"range\",\"Range\":{{\"Start\":\"{start}\",\"End\":\"{end}\",\"Limit\":{limit},\"Revision\":0}},\"Txn\":null}}"
    )
}

const ETCD_PUT_DONE: &str = "{\"Txn\":{\"Failure\":false,\"Results\":[{\"KVs\":null,\"Deleted\":0}]},\"Range\":null,\"Revision\":2,\"Error\":\"\"}";

fn etcd_seen(pairs: &[(&str, &str)]) -> String {
    let pair = |(key, value): &(&str, &str)| {
        format!("{{\"Key\":\"{key}\",\"Value\":{{\"Value\":\"{value}\"}},\"ModRevision\":2}}")
    };
    let pairs: Vec<String> = pairs.iter().map(pair).collect();
    format!(
        "{{\"Range\":{{\"KVs\":[{}],\"Count\":1}},\"Revision\":2,\"Error\":\"\"}}",
        pairs.join(",")
    )
}

#[test]
fn etcd_s_operations_are_put_in_the_order_of_their_times() {
    let text = [
        etcd(0, 10, &etcd_range("a", "", 0), &etcd_seen(&[("a", "1")]), 20),
        etcd(1, 5, &etcd_put("a", "1", 0), ETCD_PUT_DONE, 12),
        etcd(1, 30, &etcd_put("a", "2", 0), "{\"Revision\":0,\"Error\":\"timeout\"}", 40),
        etcd(0, 50, &etcd_range("a", "b", 1), &etcd_seen(&[("a", "1")]), 60),
    ]
    .concat();
    let history = read_etcd(&text);
    assert!(history.left_out.is_empty());
    let events: Vec<Event> = history.events.into_iter().collect::<Result<_, _>>().expect("read");
    let times: Vec<u64> = events.iter().map(|event| event.time_ns).collect();
    assert_eq!(times, [0, 5, 7, 15, 25, 45, 55]);
    let Some(What::Complete(Operation::Scan { end, .. }, _)) = events.last().map(|it| &it.what)
    else {
        panic!("no scan at the end")
    };
    assert_eq!(end.as_deref(), Some(&b"a\0"[..]), "a scan that met its limit read no further");
}

#[test]
fn etcd_s_keys_under_leases_are_left_out_and_said() {
    let text = [
        etcd(0, 1, &etcd_put("leased", "1", 9), ETCD_PUT_DONE, 2),
        etcd(0, 3, &etcd_range("a", "z", 2), &etcd_seen(&[("b", "1"), ("leased", "1")]), 4),
        etcd(0, 5, &etcd_range("leased", "", 0), &etcd_seen(&[]), 6),
    ]
    .concat();
    let history = read_etcd(&text);
    assert_eq!(history.left_out, ["1 keys under leases"]);
    let events: Vec<Event> = history.events.into_iter().collect::<Result<_, _>>().expect("read");
    assert_eq!(outcomes(&events), [Outcome::Ok(Answer::Scanned(vec![(b"b".into(), b"1".into())]))]);
    let torn = read_etcd(&text[..text.len() - 9]);
    assert!(matches!(torn.events.last(), Some(Err(ReadError::TornTail { line: 3 }))));
}
