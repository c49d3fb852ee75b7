//! The shapes of etcd's `operations.json`, as its robustness tests write them: names as in Go,
//! absent fields as zero.
//!
//! In: JSON. Out: a [`Record`] for each operation. Knows nothing of their meaning for a history.

use serde::{Deserialize, Deserializer};

/// One operation: the request, its times, and the answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Record {
    #[serde(rename = "ClientId", alias = "ClientID")]
    pub(super) client_id: i64,
    pub(super) input: Request,
    pub(super) call: i64,
    pub(super) output: Option<Response>,
    #[serde(rename = "Return")]
    pub(super) finish: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Request {
    #[serde(rename = "Type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) range: Option<RangeRequest>,
    #[serde(default)]
    pub(super) txn: Option<TxnRequest>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RangeRequest {
    #[serde(flatten)]
    pub(super) options: RangeOptions,
    #[serde(default)]
    pub(super) revision: i64,
    /// A member answers from its own state, which may be old.
    #[serde(default)]
    pub(super) serializable: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct RangeOptions {
    pub(super) start: String,
    pub(super) end: String,
    pub(super) limit: i64,
    pub(super) keys_only: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TxnRequest {
    #[serde(default, deserialize_with = "named")]
    operations_on_success: Named<Vec<EtcdOperation>>,
    #[serde(default, deserialize_with = "named")]
    operations_on_failure: Named<Vec<EtcdOperation>>,
}

/// A field that may be absent, null, or present.
type Named<T> = Option<Option<T>>;

fn named<'de, D: Deserializer<'de>, T: Deserialize<'de>>(field: D) -> Result<Named<T>, D::Error> {
    Deserialize::deserialize(field).map(Some)
}

impl TxnRequest {
    /// Returns true if the record has a field for its operations, empty or not. Other versions name
    /// that field differently.
    pub(super) fn names_operations(&self) -> bool {
        self.operations_on_success.is_some() || self.operations_on_failure.is_some()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum OperationKind {
    #[serde(rename = "range-operation")]
    Range,
    #[serde(rename = "put-operation")]
    Put,
    #[serde(rename = "delete-operation")]
    Delete,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EtcdOperation {
    #[serde(rename = "Type")]
    pub(super) kind: OperationKind,
    #[serde(default)]
    pub(super) range: RangeOptions,
    #[serde(default)]
    pub(super) put: PutOptions,
    #[serde(default)]
    pub(super) delete: KeyOptions,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct PutOptions {
    pub(super) key: String,
    pub(super) value: ValueOrHash,
    #[serde(rename = "LeaseID")]
    pub(super) lease_id: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct KeyOptions {
    pub(super) key: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ValueOrHash {
    pub(super) value: String,
    pub(super) hash: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Response {
    #[serde(default)]
    txn: Option<TxnResponse>,
    #[serde(default)]
    pub(super) range: Option<RangeResult>,
    #[serde(default)]
    pub(super) revision: i64,
    #[serde(default)]
    error: String,
    #[serde(default)]
    client_error: String,
    /// Older files: the answer was lost, and only its revision is known.
    #[serde(default, rename = "PartialResponse")]
    is_partial: bool,
    /// Newer files: there was no answer, but the operation is known to have taken effect.
    #[serde(default)]
    persisted: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TxnResponse {
    #[serde(default)]
    failure: bool,
    #[serde(default)]
    results: Option<Vec<OperationResult>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OperationResult {
    #[serde(flatten)]
    pub(super) range: RangeResult,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RangeResult {
    #[serde(rename = "KVs")]
    pub(super) kvs: Option<Vec<KeyValue>>,
    /// The number of keys in the range, returned or not.
    #[serde(rename = "Count")]
    pub(super) count: i64,
}

impl RangeResult {
    /// Returns true if there may be more keys than were returned.
    pub(super) fn is_cut(&self, limit: i64) -> bool {
        let returned = self.kvs.as_ref().map_or(0, Vec::len) as i64;
        self.count > returned || limit > 0 && returned >= limit
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KeyValue {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: ValueOrHash,
}

/// Operations of a transaction, and their results if there was an answer.
type Branch<'a> = (&'a [EtcdOperation], Option<&'a [OperationResult]>);

impl Record {
    /// The answer, if a client got one.
    pub(super) fn answer(&self) -> Option<&Response> {
        self.output.as_ref().filter(|it| {
            it.error.is_empty() && it.client_error.is_empty() && !it.is_partial && !it.persisted
        })
    }

    /// The taken branch of a transaction with its results, or both branches without results if that
    /// is unknown. Empty for other operations.
    pub(super) fn branches(&self) -> Vec<Branch<'_>> {
        let Some(txn) = &self.input.txn else { return Vec::new() };
        let success = txn.operations_on_success.as_ref().and_then(|it| it.as_deref());
        let failure = txn.operations_on_failure.as_ref().and_then(|it| it.as_deref());
        let (success, failure) = (success.unwrap_or_default(), failure.unwrap_or_default());
        match self.answer().and_then(|answer| answer.txn.as_ref()) {
            Some(answer) => {
                let taken = if answer.failure { failure } else { success };
                vec![(taken, Some(answer.results.as_deref().unwrap_or_default()))]
            }
            None => vec![(success, None), (failure, None)],
        }
    }
}
