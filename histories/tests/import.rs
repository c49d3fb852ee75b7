//! Imported histories: what becomes of each kind of event, and what is refused with its line.

use histories::import::{read_edn, read_text_log};
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
    let events: Vec<Event> = read_edn(text).collect::<Result<_, _>>().expect("well-formed");
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
    let events: Vec<Event> = read_text_log(text).collect::<Result<_, _>>().expect("well-formed");
    let expected = [Outcome::Ok(Answer::CasFailed), Outcome::Ok(Answer::Got(None)), Outcome::Info];
    assert_eq!(outcomes(&events), expected);
}

#[test]
fn torn_imports_are_torn() {
    let text = "[{:process 0, :type :invoke, :f :read, :value nil}\n{:process 0, :ty";
    let last = read_edn(text).last().expect("an end");
    assert!(matches!(last, Err(ReadError::TornTail { line: 2 })), "{last:?}");
    let text = "INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:ok";
    let last = read_text_log(text).last().expect("an end");
    assert!(matches!(last, Err(ReadError::TornTail { line: 2 })), "{last:?}");
}

#[test]
fn malformed_imports_are_refused_with_their_line() {
    let text = "{:process 0, :type :invoke, :f :read, :value nil}\n\
        {:process 1, :type :ok, :f :read, :value 1}";
    let last = read_edn(text).last().expect("an end");
    let reason = MalformedReason::ReturnWithoutInvoke(1);
    assert!(matches!(last, Err(ReadError::Malformed { line: 2, reason: r }) if r == reason));
    let text = "\n{:process 0, :type :invoke, :f :append, :value 1}";
    let last = read_edn(text).last().expect("an end");
    let reason = MalformedReason::UnknownOperation("append".to_owned());
    assert!(matches!(last, Err(ReadError::Malformed { line: 2, reason: r }) if r == reason));
}
