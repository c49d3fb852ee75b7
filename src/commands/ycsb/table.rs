//! One record's operation on TiKV, as go-ycsb's raw client does it, but without its leniency about
//! failures.
//!
//! In: a record's number. Out: nothing, or the error. A failed read inside an update is a failed
//! update. A missing record is an error, and an update does not create it again. A scan ends with
//! the table. Every call has a deadline.

use super::{
    records::{Records, Step, length, step},
    row::{self, Row},
    settings::Settings,
};
use client::{Outcome, RawKv, Request, Response};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use run::measurement::Measurement;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

const LETTERS: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// A table of records, and the measurements on it.
pub struct Table {
    /// The settings of the load or run.
    pub settings: Settings,
    /// The existing records.
    pub records: Records,
    /// The client library that calls TiKV.
    pub library: Arc<dyn RawKv>,
    /// The deadline of one call.
    pub op_timeout: Duration,
    /// The measurements.
    pub measurement: Mutex<Measurement>,
    /// The number of values that differ from the computed ones (dataintegrity).
    pub corrupt: AtomicU64,
    /// The number of records that were missing.
    pub absent: AtomicU64,
}

impl Table {
    /// Does one operation of a run, drawn by its share. The error says why it failed.
    pub async fn transact(&self, random: &mut ChaCha8Rng) -> Result<(), String> {
        match step(&self.settings.proportions, random) {
            Step::Read => {
                let record = self.records.draw(random);
                self.measured("READ", self.read(record)).await
            }
            Step::Update => self.update(random).await,
            Step::Insert => {
                let record = self.records.new_record();
                let inserted = self.insert(record, random).await;
                self.records.inserted(record);
                inserted
            }
            Step::Scan => {
                let record = self.records.draw(random);
                let Settings { scan_lengths, scan_length_min, scan_length_max, .. } = self.settings;
                let records = length(scan_lengths, scan_length_min, scan_length_max, random);
                self.measured("SCAN", self.scan(record, records)).await
            }
            Step::ReadModifyWrite => {
                let record = self.records.draw(random);
                let change = self.change(record, random);
                self.measured("READ_MODIFY_WRITE", async {
                    self.measured("READ", self.read(record)).await?;
                    self.measured("UPDATE", self.rewrite(record, change)).await
                })
                .await
            }
        }
    }

    /// Inserts a record. The error says why it failed.
    pub async fn insert(&self, record: u64, random: &mut ChaCha8Rng) -> Result<(), String> {
        let row = self.row(record, random);
        self.measured("INSERT", self.put(record, &row)).await
    }

    /// Returns a record's whole row.
    fn row(&self, record: u64, random: &mut ChaCha8Rng) -> Row {
        let name = self.key_name(record);
        (0..self.settings.field_count).map(|id| (id, self.value(&name, id, random))).collect()
    }

    /// Returns the columns that an update writes.
    fn change(&self, record: u64, random: &mut ChaCha8Rng) -> Row {
        if self.settings.write_all_fields {
            return self.row(record, random);
        }
        let column = random.random_range(0..self.settings.field_count);
        Row::from([(column, self.value(&self.key_name(record), column, random))])
    }

    fn value(&self, key_name: &str, column: u32, random: &mut ChaCha8Rng) -> Vec<u8> {
        let most = self.settings.field_length as u64;
        let length = length(self.settings.field_lengths, 1, most, random) as usize;
        if self.settings.data_integrity {
            return row::deterministic_value(key_name, column, length);
        }
        (0..length).map(|_| LETTERS[random.random_range(0..LETTERS.len())]).collect()
    }

    async fn update(&self, random: &mut ChaCha8Rng) -> Result<(), String> {
        let record = self.records.draw(random);
        let change = self.change(record, random);
        self.measured("UPDATE", self.rewrite(record, change)).await
    }

    /// Reads a row and writes it back with some columns changed.
    async fn rewrite(&self, record: u64, change: Row) -> Result<(), String> {
        let mut row = self.get(record).await?;
        row.extend(change);
        self.put(record, &row).await
    }

    async fn read(&self, record: u64) -> Result<(), String> {
        let row = self.get(record).await?;
        if self.settings.data_integrity {
            let name = self.key_name(record);
            let wrong = row
                .iter()
                .find(|(id, value)| row::deterministic_value(&name, **id, value.len()) != **value);
            if let Some((id, _)) = wrong {
                self.corrupt.fetch_add(1, Ordering::Relaxed);
                return Err(format!("field{id} of {name} is not the value that was written"));
            }
        }
        Ok(())
    }

    async fn get(&self, record: u64) -> Result<Row, String> {
        let key = self.key(record);
        let Response::Got(Some(bytes)) = self.ask(Request::Get { key }).await? else {
            self.absent.fetch_add(1, Ordering::Relaxed);
            return Err(format!("{} is not there", self.shown(record)));
        };
        row::decode(&bytes).map_err(|reason| format!("{}: not a row: {reason}", self.shown(record)))
    }

    async fn put(&self, record: u64, row: &Row) -> Result<(), String> {
        let put = Request::Put { key: self.key(record), value: row::encode(row), ttl_s: None };
        self.ask(put).await.map(|_| ())
    }

    async fn scan(&self, record: u64, records: u64) -> Result<(), String> {
        let scan = Request::Scan {
            start: self.key(record),
            // The byte after the colon.
            end: Some(format!("{};", self.settings.table).into_bytes()),
            limit: u32::try_from(records).unwrap_or(u32::MAX),
            reverse: false,
            key_only: false,
        };
        let Response::Scanned(pairs) = self.ask(scan).await? else { return Ok(()) };
        pairs.iter().try_for_each(|(key, bytes)| {
            let refuse = |reason| format!("{}: not a row: {reason}", key.escape_ascii());
            row::decode(bytes).map(|_| ()).map_err(refuse)
        })
    }

    async fn ask(&self, request: Request) -> Result<Response, String> {
        match self.library.execute(&request, self.op_timeout).await.outcome {
            Outcome::Ok(response) => Ok(response),
            Outcome::NotApplied(error) | Outcome::Unknown(error) => Err(error.message),
        }
    }

    async fn measured<T>(
        &self,
        kind: &str,
        operation: impl Future<Output = Result<T, String>>,
    ) -> Result<T, String> {
        let begun = Instant::now();
        let done = operation.await;
        let latency = begun.elapsed();
        let mut measurement = self.measurement.lock().unwrap_or_else(PoisonError::into_inner);
        match &done {
            Ok(_) => measurement.record(kind, latency),
            Err(_) => measurement.record(&format!("{kind}_ERROR"), latency),
        }
        done
    }

    /// Returns a record's key without the table.
    fn key_name(&self, record: u64) -> String {
        let Settings { key_prefix, zero_padding, ordered, .. } = &self.settings;
        let number = if *ordered { record } else { row::hash(record) };
        format!("{key_prefix}{number:0zero_padding$}")
    }

    /// Returns a record's key for people.
    pub fn shown(&self, record: u64) -> String {
        format!("{}:{}", self.settings.table, self.key_name(record))
    }

    fn key(&self, record: u64) -> Vec<u8> {
        self.shown(record).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::ycsb::properties::Properties;
    use client::{Cause, ClientError, Reply};
    use futures::future::BoxFuture;
    use rand_chacha::rand_core::SeedableRng;
    use std::collections::BTreeMap;

    /// A store that fails the kinds of request it is told to.
    #[derive(Default)]
    struct FakeKv {
        pairs: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
        fails_gets: bool,
    }

    impl RawKv for FakeKv {
        fn execute<'a>(&'a self, request: &'a Request, _: Duration) -> BoxFuture<'a, Reply> {
            let mut pairs = self.pairs.lock().expect("no panic");
            let outcome = match request {
                Request::Get { .. } if self.fails_gets => Outcome::Unknown(ClientError {
                    cause: Cause::Deadline,
                    message: "no answer".into(),
                }),
                Request::Get { key } => Outcome::Ok(Response::Got(pairs.get(key).cloned())),
                Request::Put { key, value, .. } => {
                    pairs.insert(key.clone(), value.clone());
                    Outcome::Ok(Response::Done)
                }
                other => panic!("not asked here: {other:?}"),
            };
            Box::pin(async { Reply { outcome, attempts: vec![] } })
        }
    }

    fn table(library: Arc<FakeKv>, pairs: &[&str]) -> Table {
        let pairs: Vec<String> = pairs.iter().map(|pair| (*pair).to_owned()).collect();
        let properties = Properties::gather(&[], &pairs).expect("pairs");
        let settings = Settings::of(&properties, false).expect("usable");
        Table {
            records: Records::of(&settings),
            settings,
            library,
            op_timeout: Duration::from_secs(1),
            measurement: Mutex::default(),
            corrupt: AtomicU64::new(0),
            absent: AtomicU64::new(0),
        }
    }

    fn random() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(5)
    }

    fn kinds(table: &Table) -> Vec<String> {
        let lines = table.measurement.lock().expect("no panic").lines(Duration::from_secs(1));
        lines.iter().filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
    }

    #[test]
    fn keys_are_go_ycsbs() {
        let hashed = table(Arc::default(), &["recordcount=10", "operationcount=1"]);
        assert_eq!(hashed.key(0), b"usertable:user6284781860667377211");
        let pairs = ["recordcount=99", "operationcount=1", "insertorder=ordered", "zeropadding=5"];
        assert_eq!(table(Arc::default(), &pairs).key(42), b"usertable:user00042");
    }

    #[tokio::test]
    async fn an_update_changes_one_field_of_what_is_there() {
        let library = Arc::<FakeKv>::default();
        let pairs = ["recordcount=1", "operationcount=1", "readproportion=0", "updateproportion=1"];
        let table = table(Arc::clone(&library), &pairs);
        table.insert(0, &mut random()).await.expect("inserted");
        let before = row::decode(&library.pairs.lock().expect("ok")[&table.key(0)]).expect("a row");
        table.transact(&mut ChaCha8Rng::seed_from_u64(6)).await.expect("updated");
        let after = row::decode(&library.pairs.lock().expect("ok")[&table.key(0)]).expect("a row");
        assert_eq!(before.len(), 10);
        assert_eq!(before.iter().filter(|(id, value)| after[id] != **value).count(), 1);
        assert_eq!(kinds(&table), ["INSERT", "TOTAL", "UPDATE"]);
    }

    #[tokio::test]
    async fn a_failed_read_inside_an_update_is_a_failed_update() {
        let library = Arc::new(FakeKv { fails_gets: true, ..FakeKv::default() });
        let pairs = ["recordcount=1", "operationcount=1", "readproportion=0", "updateproportion=1"];
        let table = table(Arc::clone(&library), &pairs);
        assert_eq!(table.transact(&mut random()).await, Err("no answer".into()));
        assert_eq!(kinds(&table), ["UPDATE_ERROR"]);
        assert!(library.pairs.lock().expect("ok").is_empty(), "nothing was written");
    }

    #[tokio::test]
    async fn a_lost_record_is_an_error_and_is_not_created_again() {
        let library = Arc::<FakeKv>::default();
        let pairs = ["recordcount=1", "operationcount=1", "readproportion=0", "updateproportion=1"];
        let table = table(Arc::clone(&library), &pairs);
        assert!(table.transact(&mut random()).await.expect_err("lost").contains("is not there"));
        assert!(library.pairs.lock().expect("ok").is_empty());
        assert_eq!(table.absent.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_wrong_value_is_found_with_data_integrity() {
        let library = Arc::<FakeKv>::default();
        let pairs = [
            "recordcount=1",
            "operationcount=1",
            "readproportion=1",
            "updateproportion=0",
            "dataintegrity=true",
        ];
        let table = table(Arc::clone(&library), &pairs);
        table.insert(0, &mut random()).await.expect("inserted");
        table.transact(&mut random()).await.expect("as it was written");
        library.pairs.lock().expect("ok").values_mut().for_each(|row| row[20] ^= 1);
        assert!(table.transact(&mut random()).await.is_err());
        assert_eq!(table.corrupt.load(Ordering::Relaxed), 1);
    }
}
