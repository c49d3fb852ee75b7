//! A parser of names that takes any text, and tells shells the names that exist.
//!
//! In: a text. Out: the same text. A wrong name is refused later, by the code that knows the target
//! and can explain the refusal; a form like `NAME@1+3` is read there too.

use clap::{
    Arg, Command, Error,
    builder::{PossibleValue, StringValueParser, TypedValueParser},
};
use cluster::defects::Defect;
use std::ffi::OsStr;

/// The parser, with the function that lists the names for completions.
#[derive(Debug, Clone, Copy)]
pub struct Suggested(pub fn() -> Vec<&'static str>);

impl TypedValueParser for Suggested {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.0)().into_iter().map(PossibleValue::new)))
    }
}

/// Returns the names of the embedded cluster's defects.
pub fn defect_names() -> Vec<&'static str> {
    Defect::ALL.into_iter().map(Defect::name).collect()
}
