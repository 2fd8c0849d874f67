//! What is no value of its own: the key of a map, the text of a moment, the
//! numbers of a vector.

use serde::ser::{self, Impossible, Serialize, Serializer};

use super::WRAPPED_MAX;
use crate::{DateTime, SerdeError};

/// What such a type turned out to be.
pub(super) enum Scalar {
    /// A string, or what is written as one.
    Text(String),
    Number(f32),
    Numbers(Vec<f32>),
}

impl Scalar {
    /// As the name of a field.
    pub(super) fn into_key(self) -> Result<String, SerdeError> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Number(_) => Err(SerdeError::key("f32")),
            Self::Numbers(_) => Err(SerdeError::key("list")),
        }
    }

    pub(super) fn into_moment(self) -> Result<DateTime, SerdeError> {
        match self {
            Self::Text(text) => text.parse().map_err(ser::Error::custom),
            _ => Err(ser::Error::custom("the content of a moment is its text")),
        }
    }

    pub(super) fn into_numbers(self) -> Result<Vec<f32>, SerdeError> {
        match self {
            Self::Numbers(numbers) => Ok(numbers),
            _ => Err(ser::Error::custom("the content of a vector is a sequence of f32")),
        }
    }
}

/// Makes one.
#[derive(Clone, Copy)]
pub(super) struct ScalarSerializer {
    wrapped: usize,
}

impl ScalarSerializer {
    pub(super) fn new() -> Self {
        Self { wrapped: 0 }
    }

    fn wrapped(self) -> Result<Self, SerdeError> {
        if self.wrapped >= WRAPPED_MAX {
            return Err(SerdeError::wrapped(WRAPPED_MAX));
        }
        Ok(Self { wrapped: self.wrapped + 1 })
    }
}

/// The numbers of a vector, one by one.
pub(super) struct Numbers(Vec<f32>);

impl ser::SerializeSeq for Numbers {
    type Ok = Scalar;
    type Error = SerdeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, element: &T) -> Result<(), SerdeError> {
        // Numbers stand in a vector bare; nothing else may nest here, on the stack.
        match element.serialize(ScalarSerializer { wrapped: WRAPPED_MAX })? {
            Scalar::Number(number) => {
                self.0.push(number);
                Ok(())
            }
            // Only a key is anything else: a sequence of, say, strings.
            _ => Err(SerdeError::key("list")),
        }
    }

    fn end(self) -> Result<Scalar, SerdeError> {
        Ok(Scalar::Numbers(self.0))
    }
}

macro_rules! written_as_text {
    ($($method:ident($type:ty);)*) => {$(
        fn $method(self, value: $type) -> Result<Scalar, SerdeError> {
            Ok(Scalar::Text(value.to_string()))
        }
    )*};
}

impl Serializer for ScalarSerializer {
    type Ok = Scalar;
    type Error = SerdeError;
    type SerializeSeq = Numbers;
    type SerializeTuple = Impossible<Scalar, SerdeError>;
    type SerializeTupleStruct = Impossible<Scalar, SerdeError>;
    type SerializeTupleVariant = Impossible<Scalar, SerdeError>;
    type SerializeMap = Impossible<Scalar, SerdeError>;
    type SerializeStruct = Impossible<Scalar, SerdeError>;
    type SerializeStructVariant = Impossible<Scalar, SerdeError>;

    written_as_text! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_char(char);
        serialize_str(&str);
    }

    fn serialize_f32(self, value: f32) -> Result<Scalar, SerdeError> {
        Ok(Scalar::Number(value))
    }

    fn serialize_f64(self, _: f64) -> Result<Scalar, SerdeError> {
        Err(SerdeError::key("f64"))
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<Scalar, SerdeError> {
        Err(SerdeError::key("bytes"))
    }

    fn serialize_none(self) -> Result<Scalar, SerdeError> {
        Err(SerdeError::key("null"))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Scalar, SerdeError> {
        value.serialize(self.wrapped()?)
    }

    fn serialize_unit(self) -> Result<Scalar, SerdeError> {
        Err(SerdeError::key("null"))
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Scalar, SerdeError> {
        Err(SerdeError::key("null"))
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Scalar, SerdeError> {
        Ok(Scalar::Text(variant.to_owned()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Scalar, SerdeError> {
        value.serialize(self.wrapped()?)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Scalar, SerdeError> {
        Err(SerdeError::key("map"))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Numbers, SerdeError> {
        if self.wrapped >= WRAPPED_MAX {
            return Err(SerdeError::key("list"));
        }
        // A slice tells its length truly; others grow as they go.
        Ok(Numbers(Vec::with_capacity(len.unwrap_or(0).min(4096))))
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, SerdeError> {
        Err(SerdeError::key("list"))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, SerdeError> {
        Err(SerdeError::key("list"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, SerdeError> {
        Err(SerdeError::key("map"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, SerdeError> {
        Err(SerdeError::key("map"))
    }

    fn serialize_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStruct, SerdeError> {
        Err(SerdeError::key("map"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, SerdeError> {
        Err(SerdeError::key("map"))
    }
}
