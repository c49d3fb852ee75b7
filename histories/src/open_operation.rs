//! The operation that a client has open: kept from its invocation to its completion, in memory that
//! is reused.
//!
//! In: a borrowed operation. Out: the same operation, any number of times. A client has at most one
//! open operation, so one value serves it for all its operations.

use crate::borrowed::OperationRef;
use crate::operation::Operation;

/// Holds at most one operation.
#[derive(Debug, Clone, Default)]
pub struct OpenOperation {
    shape: Shape,
    /// The key, then the expected value, then the new one.
    bytes: Vec<u8>,
    key_bytes: usize,
}

#[derive(Debug, Clone, Default)]
enum Shape {
    #[default]
    Nothing,
    Get,
    Put,
    Delete,
    CasFromAbsence,
    Cas {
        expected_bytes: usize,
    },
    Other(Box<Operation>),
}

impl OpenOperation {
    /// Replaces the held operation with this one.
    pub fn set(&mut self, operation: OperationRef<'_>) {
        self.bytes.clear();
        let (shape, key, rest): (_, &[u8], &[u8]) = match operation {
            OperationRef::Get { key } => (Shape::Get, key, &[]),
            OperationRef::Put { key, value } => (Shape::Put, key, value),
            OperationRef::Delete { key } => (Shape::Delete, key, &[]),
            OperationRef::Cas { key, expected: None, new } => (Shape::CasFromAbsence, key, new),
            OperationRef::Cas { key, expected: Some(expected), .. } => {
                (Shape::Cas { expected_bytes: expected.len() }, key, expected)
            }
            OperationRef::Other(other) => (Shape::Other(Box::new(other.clone())), &[], &[]),
        };
        self.shape = shape;
        self.key_bytes = key.len();
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(rest);
        if let OperationRef::Cas { expected: Some(_), new, .. } = operation {
            self.bytes.extend_from_slice(new);
        }
    }

    /// Removes the held operation.
    pub fn clear(&mut self) {
        self.shape = Shape::Nothing;
    }

    /// The held operation.
    pub fn get(&self) -> Option<OperationRef<'_>> {
        let (key, rest) = self.bytes.split_at(self.key_bytes);
        Some(match &self.shape {
            Shape::Nothing => return None,
            Shape::Get => OperationRef::Get { key },
            Shape::Put => OperationRef::Put { key, value: rest },
            Shape::Delete => OperationRef::Delete { key },
            Shape::CasFromAbsence => OperationRef::Cas { key, expected: None, new: rest },
            Shape::Cas { expected_bytes } => {
                let (expected, new) = rest.split_at(*expected_bytes);
                OperationRef::Cas { key, expected: Some(expected), new }
            }
            Shape::Other(operation) => OperationRef::Other(operation),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_comes_back_whatever_was_held_before() {
        let (key, value) = (b"k".as_slice(), b"value".as_slice());
        let ttl = Operation::Put { key: key.to_vec(), value: value.to_vec(), ttl_s: Some(1) };
        let operations = [
            OperationRef::Put { key, value },
            OperationRef::Get { key: b"" },
            OperationRef::Cas { key, expected: None, new: value },
            OperationRef::Cas { key, expected: Some(b""), new: value },
            OperationRef::Cas { key, expected: Some(b"old"), new: b"" },
            OperationRef::Other(&ttl),
            OperationRef::Delete { key },
        ];
        let mut open = OpenOperation::default();
        for first in operations {
            for second in operations {
                open.set(first);
                assert_eq!(open.get(), Some(first));
                open.set(second);
                assert_eq!(open.get(), Some(second));
                assert_eq!(second.to_operation().borrowed(), second);
            }
        }
        open.clear();
        assert_eq!(open.get(), None);
    }
}
