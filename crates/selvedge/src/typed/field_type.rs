//! Which type a field has that holds a Rust type: what its `Deserialize` asks for first.
//!
//! A tracer stands where a deserializer would: it notes what is asked for, and fails.
//! Options and newtypes hand it on to what they hold, lists to an element; structs and
//! maps are maps, whatever they hold.

use std::cell::{Cell, RefCell};
use std::fmt;

use selvedge_base::limits::FIELD_TYPE_DEPTH_MAX;
use selvedge_encoding::{DATETIME_NEWTYPE, VALUE_NEWTYPE, VECTOR_NEWTYPE};
use selvedge_schema::FieldType;
use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, SeqAccess,
    VariantAccess, Visitor,
};

/// The type of a field whose Rust type is `T`, as its `Deserialize` tells. What may be
/// several things, an untagged enum say, is [`FieldType::Any`].
///
/// ```
/// use selvedge::{DateTime, FieldType, field_type};
///
/// assert_eq!(field_type::<u8>(), FieldType::Uint);
/// assert_eq!(field_type::<Vec<Option<String>>>().to_string(), "list of string or null");
/// assert_eq!(field_type::<DateTime>(), FieldType::Timestamp);
/// ```
#[must_use]
pub fn field_type<T: DeserializeOwned>() -> FieldType {
    field_type_by(|tracer| T::deserialize(tracer).map(drop))
}

/// The same, of what `read` reads.
#[doc(hidden)]
pub fn field_type_by(read: impl Fn(Tracer<'_>) -> Result<(), Traced>) -> FieldType {
    let trace = Trace::default();
    let tracer = || Tracer { trace: &trace, depth: 0 };
    let first = trace.run(|| read(tracer()));
    // Each variant of an enum is asked for by itself: what asks is used up.
    let mut found = first;
    for variant in 1..trace.variants.get() {
        trace.variant.set(variant);
        if trace.run(|| read(tracer())) != found {
            found = trace.differing(&found);
        }
    }
    found
}

#[derive(Default)]
struct Trace {
    found: RefCell<Option<FieldType>>,
    /// Which variant of an enum is traced, and how many there are.
    variant: Cell<usize>,
    variants: Cell<usize>,
}

impl Trace {
    fn run(&self, read: impl FnOnce() -> Result<(), Traced>) -> FieldType {
        self.found.take();
        // What reads without asking, `PhantomData` say, holds nothing.
        let _ = read();
        self.found.take().unwrap_or(FieldType::Any)
    }

    /// The type of an enum whose variants are of different types.
    fn differing(&self, found: &FieldType) -> FieldType {
        match found {
            FieldType::List(of) => FieldType::list(self.differing(of)),
            FieldType::Nullable(of) => self.differing(of).nullable(),
            _ => FieldType::Any,
        }
    }
}

/// Notes what it is asked for.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Tracer<'t> {
    trace: &'t Trace,
    /// Options, newtypes and lists around.
    depth: usize,
}

/// The end of a trace.
#[doc(hidden)]
#[derive(Debug)]
pub struct Traced;

impl fmt::Display for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a type was traced, and no value read")
    }
}

impl std::error::Error for Traced {}

impl de::Error for Traced {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl Tracer<'_> {
    fn note<T>(self, found: FieldType) -> Result<T, Traced> {
        *self.trace.found.borrow_mut() = Some(found);
        Err(Traced)
    }

    /// What is noted inside, made that of the outside.
    fn inside<T>(
        self,
        read: impl FnOnce(Self) -> Result<T, Traced>,
        outside: impl FnOnce(FieldType) -> FieldType,
    ) -> Result<T, Traced> {
        // Types may hold themselves without end.
        if self.depth + 1 >= FIELD_TYPE_DEPTH_MAX {
            return self.note(FieldType::Any);
        }
        self.trace.found.take();
        let _ = read(Self { depth: self.depth + 1, ..self });
        let found = self.trace.found.take().unwrap_or(FieldType::Any);
        self.note(outside(found))
    }
}

macro_rules! notes {
    ($($method:ident => $found:ident),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Traced> {
            self.note(FieldType::$found)
        }
    )*};
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Traced;

    notes! {
        deserialize_any => Any, deserialize_ignored_any => Any, deserialize_unit => Any,
        deserialize_bool => Bool,
        deserialize_i8 => Int, deserialize_i16 => Int, deserialize_i32 => Int,
        deserialize_i64 => Int, deserialize_i128 => Number,
        deserialize_u8 => Uint, deserialize_u16 => Uint, deserialize_u32 => Uint,
        deserialize_u64 => Uint, deserialize_u128 => Uint,
        deserialize_f32 => Float, deserialize_f64 => Float,
        deserialize_char => String, deserialize_str => String, deserialize_string => String,
        deserialize_identifier => String,
        deserialize_bytes => Bytes, deserialize_byte_buf => Bytes,
        deserialize_map => Map,
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Traced> {
        self.inside(|inner| visitor.visit_some(inner), FieldType::nullable)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: V,
    ) -> Result<V::Value, Traced> {
        self.note(FieldType::Any)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Traced> {
        match name {
            DATETIME_NEWTYPE => self.note(FieldType::Timestamp),
            VECTOR_NEWTYPE => self.note(FieldType::Vector(None)),
            VALUE_NEWTYPE => self.note(FieldType::Any),
            _ => self.inside(|inner| visitor.visit_newtype_struct(inner), |found| found),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Traced> {
        self.inside(|inner| visitor.visit_seq(Element(inner)), FieldType::list)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Traced> {
        self.note(FieldType::list(FieldType::Any))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        _: V,
    ) -> Result<V::Value, Traced> {
        self.note(FieldType::list(FieldType::Any))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Traced> {
        self.note(FieldType::Map)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Traced> {
        self.trace.variants.set(variants.len());
        match variants.get(self.trace.variant.get()) {
            Some(name) => visitor.visit_enum(Variant { tracer: self, name }),
            None => self.note(FieldType::Any),
        }
    }
}

/// A list whose elements are traced.
struct Element<'t>(Tracer<'t>);

impl<'de> SeqAccess<'de> for Element<'_> {
    type Error = Traced;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Traced> {
        seed.deserialize(self.0).map(Some)
    }
}

/// A variant of an enum: text if it holds nothing, otherwise a map.
struct Variant<'t> {
    tracer: Tracer<'t>,
    name: &'static str,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Traced;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Traced> {
        let name: StrDeserializer<'_, Traced> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Traced;

    fn unit_variant(self) -> Result<(), Traced> {
        self.tracer.note(FieldType::String)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Traced> {
        self.tracer.note(FieldType::Map)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Traced> {
        self.tracer.note(FieldType::Map)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Traced> {
        self.tracer.note(FieldType::Map)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap, HashSet};
    use std::net::IpAddr;
    use std::path::PathBuf;
    use std::time::Duration;

    use selvedge_encoding::{DateTime, Document, Value, Vector};
    use serde::Deserialize;

    use super::*;

    fn text<T: DeserializeOwned>() -> String {
        field_type::<T>().to_string()
    }

    #[derive(Deserialize)]
    struct Wrapped<T>(T);

    #[derive(Deserialize)]
    struct Endless(#[expect(dead_code, reason = "only traced")] Option<Box<Self>>);

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only traced")]
    struct Tree {
        children: Vec<Self>,
    }

    #[derive(Deserialize)]
    enum Plain {
        One,
        Two,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only traced")]
    enum Holding {
        Newtype(u8),
        Tuple(u8, u8),
        Struct { field: u8 },
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only traced")]
    enum Mixed {
        Nothing,
        Something(u8),
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only traced")]
    enum Untagged {
        Number(u8),
        Text(String),
    }

    #[derive(Deserialize)]
    enum Never {}

    #[test]
    fn scalars() {
        for (found, wanted) in [
            (text::<bool>(), "bool"),
            (text::<i8>(), "int"),
            (text::<i64>(), "int"),
            (text::<u8>(), "uint"),
            (text::<usize>(), "uint"),
            (text::<i128>(), "number"),
            (text::<f32>(), "float"),
            (text::<f64>(), "float"),
            (text::<char>(), "string"),
            (text::<String>(), "string"),
            (text::<Box<str>>(), "string"),
            (text::<PathBuf>(), "string"),
            (text::<IpAddr>(), "string"),
            (text::<DateTime>(), "timestamp"),
            (text::<Vector>(), "vector"),
            (text::<Value>(), "any"),
            (text::<()>(), "any"),
        ] {
            assert_eq!(found, wanted);
        }
    }

    #[test]
    fn what_holds_others() {
        for (found, wanted) in [
            (text::<Option<u8>>(), "uint or null"),
            (text::<Option<Option<u8>>>(), "uint or null"),
            (text::<Vec<u8>>(), "list of uint"),
            (text::<Vec<Vec<f32>>>(), "list of list of float"),
            (text::<HashSet<String>>(), "list of string"),
            (text::<Vec<Option<DateTime>>>(), "list of timestamp or null"),
            (text::<(u8, String)>(), "list of any"),
            (text::<HashMap<String, u8>>(), "map"),
            (text::<BTreeMap<u8, u8>>(), "map"),
            // Read as a value that is then found to be a map.
            (text::<Document>(), "any"),
            (text::<Duration>(), "map"),
            (text::<Tree>(), "map"),
            (text::<Vec<Tree>>(), "list of map"),
            (text::<Wrapped<u8>>(), "uint"),
            (text::<Wrapped<Option<Vector>>>(), "vector or null"),
        ] {
            assert_eq!(found, wanted);
        }
        // The end comes, and what it says is of no use.
        assert_eq!(field_type::<Endless>().without_null(), &FieldType::Any);
    }

    #[test]
    fn enums() {
        for (found, wanted) in [
            (text::<Plain>(), "string"),
            (text::<Holding>(), "map"),
            (text::<Mixed>(), "any"),
            (text::<Vec<Mixed>>(), "list of any"),
            (text::<Option<Plain>>(), "string or null"),
            (text::<Untagged>(), "any"),
            (text::<Never>(), "any"),
        ] {
            assert_eq!(found, wanted);
        }
    }
}
