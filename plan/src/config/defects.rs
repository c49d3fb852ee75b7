//! Assigns defects to stores: `NAME[@STORE[+STORE]...]`, stores by their number in the order of
//! their start.
//!
//! In: specifications as the command line gives them. Out: the defects of one store, or one
//! sentence that says what is wrong with them. The number is that of the process's name, `store-3`:
//! PD assigns the ids, which are not known before.

use super::ClusterShape;
use cluster::{
    defects::{Defect, Defects},
    read_mode::ReadMode,
};
use failure::Failure;

/// One defect, and the stores that have it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Spec {
    defect: Defect,
    /// The stores' numbers from 1; empty = every store.
    stores: Vec<u32>,
}

impl Spec {
    fn parse(text: &str, stores: u32) -> Result<Self, Failure> {
        let (name, numbers) = match text.split_once('@') {
            Some((name, numbers)) => (name, Some(numbers)),
            None => (text, None),
        };
        let known = || Defect::ALL.map(Defect::name).join(", ");
        let defect = Defect::from_name(name).ok_or_else(|| {
            Failure::usage(format!("there is no defect {name:?}; the known ones are: {}", known()))
        })?;
        let number = |number: &str| match number.trim_start_matches("store-").parse::<u32>() {
            Ok(number) if (1..=stores).contains(&number) => Ok(number),
            _ => Err(Failure::usage(format!(
                "--defect {text}: {number:?} is no store; write their numbers, 1 to {stores}, as in {name}@1+3"
            ))),
        };
        let stores = numbers.map_or(Ok(Vec::new()), |all| all.split('+').map(number).collect())?;
        Ok(Self { defect, stores })
    }
}

impl ClusterShape {
    fn specs(&self) -> Result<Vec<Spec>, Failure> {
        self.defects.iter().map(|text| Spec::parse(text, self.stores)).collect()
    }

    pub(super) fn check_defects(&self) -> Result<(), Failure> {
        let read = ReadMode::from_name(&self.read).ok_or_else(|| {
            Failure::usage(format!("--read {:?} is unknown: use read-index or lease", self.read))
        })?;
        let long_lease = |spec: &Spec| spec.defect == Defect::LongLease;
        if self.specs()?.iter().any(long_lease) && read != ReadMode::Lease {
            return Err(Failure::usage(
                "--defect long-lease does nothing without leases: add --read lease",
            ));
        }
        Ok(())
    }

    /// The defects of the store with this number, by name.
    pub fn defects_of(&self, number: u32) -> Result<Vec<String>, Failure> {
        let has = |spec: &Spec| spec.stores.is_empty() || spec.stores.contains(&number);
        let specs = self.specs()?.into_iter().filter(has);
        Ok(specs.map(|spec| spec.defect.name().to_owned()).collect())
    }
}

/// The defects of these names, for one store.
pub fn named(names: &[String]) -> Result<Defects, Failure> {
    names.iter().map(|name| Spec::parse(name, 0).map(|spec| spec.defect)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(defects: &[&str], read: &str) -> ClusterShape {
        let defects = defects.iter().map(|text| (*text).to_owned()).collect();
        ClusterShape { defects, read: read.to_owned(), ..ClusterShape::default() }
    }

    #[test]
    fn a_defect_is_every_stores_or_that_of_those_named() {
        let shape = shape(&["stale-read@1+3", "cas-race"], "read-index");
        shape.check().expect("usable");
        assert_eq!(shape.defects_of(1).expect("known"), ["stale-read", "cas-race"]);
        assert_eq!(shape.defects_of(2).expect("known"), ["cas-race"]);
        assert_eq!(shape.defects_of(3).expect("known"), ["stale-read", "cas-race"]);
    }

    #[test]
    fn what_cannot_be_is_said_in_one_sentence() {
        let said =
            |defect, read| shape(&[defect], read).check().expect_err("refused").sentence.clone();
        assert!(said("stale-reed", "read-index").contains("the known ones are: stale-read"));
        for wrong in ["stale-read@", "stale-read@0", "stale-read@7", "stale-read@1-3"] {
            assert!(said(wrong, "read-index").contains("as in stale-read@1+3"), "{wrong}");
        }
        assert!(said("long-lease", "read-index").contains("add --read lease"));
        assert!(said("stale-read", "leese").contains("use read-index or lease"));
        shape(&["long-lease@3"], "lease").check().expect("usable");
    }
}
