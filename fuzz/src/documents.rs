//! Values and documents, drawn from the bytes of an input.

use arbitrary::{Result, Unstructured};
use selvedge_encoding::{DateTime, Document, Value};

/// Names from so few that they meet.
const NAMES: [&str; 8] = ["", "a", "b", "c", "ab", "list", "map", "é"];
/// Levels of a value that is drawn.
const DEPTH_MAX: usize = 6;
/// Elements of a container that is drawn.
const ELEMENTS_MAX: usize = 12;
/// Long enough that ends need two bytes.
const LONG: usize = 300;

/// A name of a field: mostly one of few.
pub(crate) fn name(input: &mut Unstructured<'_>) -> Result<String> {
    if input.ratio(1, 8)? {
        let text = input.arbitrary::<&str>()?;
        return Ok(text.chars().take(40).collect());
    }
    Ok((*input.choose(&NAMES)?).to_owned())
}

/// A document of up to a dozen fields.
pub(crate) fn document(input: &mut Unstructured<'_>) -> Result<Document> {
    fields(input, DEPTH_MAX)
}

/// A value of any type.
pub(crate) fn value(input: &mut Unstructured<'_>) -> Result<Value> {
    value_at(input, DEPTH_MAX)
}

fn fields(input: &mut Unstructured<'_>, depth: usize) -> Result<Document> {
    let mut document = Document::new();
    for _ in 0..input.int_in_range(0..=ELEMENTS_MAX)? {
        document.set(name(input)?, value_at(input, depth)?);
    }
    Ok(document)
}

fn value_at(input: &mut Unstructured<'_>, depth: usize) -> Result<Value> {
    let kinds = if depth == 0 { 11 } else { 13 };
    Ok(match input.int_in_range(0..=kinds - 1)? {
        0 => Value::Null,
        1 => Value::Bool(input.arbitrary()?),
        2 => Value::I64(i64::from(input.arbitrary::<i8>()?)),
        3 => Value::I64(input.arbitrary()?),
        4 => Value::from(input.arbitrary::<u64>()?),
        5 => Value::F64(f64::from_bits(input.arbitrary()?)),
        6 => Value::String(input.arbitrary::<&str>()?.to_owned()),
        7 => Value::String("x".repeat(input.int_in_range(0..=LONG)?)),
        8 => Value::Bytes(input.arbitrary()?),
        9 => Value::Timestamp(DateTime::from_micros(input.arbitrary()?)),
        10 => {
            Value::Vector(input.arbitrary::<Vec<u32>>()?.into_iter().map(f32::from_bits).collect())
        }
        11 => {
            let len = input.int_in_range(0..=ELEMENTS_MAX)?;
            let elements: Result<_> = (0..len).map(|_| value_at(input, depth - 1)).collect();
            Value::List(elements?)
        }
        _ => Value::Map(fields(input, depth - 1)?),
    })
}
