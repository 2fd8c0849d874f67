//! Vectors in serde.

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use super::marked::VECTOR;
use crate::Value;

/// Numbers that become a vector, where a `Vec<f32>` becomes a list.
///
/// ```
/// use selvedge_encoding::{Value, Vector, from_value, to_value};
///
/// let embedding = Vector(vec![0.5, 0.25]);
/// let value = to_value(&embedding)?;
/// assert_eq!(value, Value::Vector(vec![0.5, 0.25]));
/// assert_eq!(from_value::<Vector>(value)?, embedding);
/// # Ok::<(), selvedge_encoding::SerdeError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vector(
    /// The numbers.
    pub Vec<f32>,
);

impl From<Vec<f32>> for Vector {
    fn from(numbers: Vec<f32>) -> Self {
        Self(numbers)
    }
}

impl From<Vector> for Vec<f32> {
    fn from(vector: Vector) -> Self {
        vector.0
    }
}

impl From<Vector> for Value {
    fn from(vector: Vector) -> Self {
        Self::Vector(vector.0)
    }
}

impl Serialize for Vector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_numbers(&self.0, serializer)
    }
}

/// Numbers as a vector.
pub(super) fn serialize_numbers<S: Serializer>(
    numbers: &[f32],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_newtype_struct(VECTOR, numbers)
}

impl<'de> Deserialize<'de> for Vector {
    /// From a vector, or a list of numbers.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(VECTOR, VectorVisitor)
    }
}

struct VectorVisitor;

impl<'de> Visitor<'de> for VectorVisitor {
    type Value = Vector;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("vector or list of numbers")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Vector, D::Error> {
        inner.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Vector, A::Error> {
        let mut vector = Vec::with_capacity(numbers.size_hint().unwrap_or(0).min(4096));
        while let Some(number) = numbers.next_element()? {
            vector.push(number);
        }
        Ok(Vector(vector))
    }
}
