//! Weights of edges.

use std::fmt;

use selvedge_encoding::{FieldPath, PathError, ValueRef};
use selvedge_graph::EdgeRef;

use crate::algorithms::error::AlgorithmError;

/// What it costs to follow an edge: a finite number, not negative.
pub struct Weight<'w>(Kind<'w>);

enum Kind<'w> {
    Field { path: Result<FieldPath, PathError>, default: Option<f64> },
    Of(Box<dyn Fn(&EdgeRef<'_>) -> f64 + 'w>),
}

impl<'w> Weight<'w> {
    /// A field of the edge's document. An edge without it is an error.
    #[must_use]
    pub fn field(path: &str) -> Self {
        Self(Kind::Field { path: FieldPath::parse(path), default: None })
    }

    /// A field of the edge's document, or, where it is absent, this.
    #[must_use]
    pub fn field_or(path: &str, default: f64) -> Self {
        Self(Kind::Field { path: FieldPath::parse(path), default: Some(default) })
    }

    /// What a closure makes of an edge.
    #[must_use]
    pub fn of(weight: impl Fn(&EdgeRef<'_>) -> f64 + 'w) -> Self {
        Self(Kind::Of(Box::new(weight)))
    }

    /// The same for each edge.
    #[must_use]
    pub fn one() -> Self {
        Self::of(|_| 1.0)
    }

    pub(crate) fn read(&self, edge: &EdgeRef<'_>) -> Result<f64, AlgorithmError> {
        let weight = match &self.0 {
            Kind::Of(weight) => weight(edge),
            Kind::Field { path, default } => {
                let path = path.as_ref().map_err(PathError::clone)?;
                let field = || path.to_string();
                match (path.get(edge.document()), default) {
                    (Some(ValueRef::I64(weight)), _) => weight as f64,
                    (Some(ValueRef::U64(weight)), _) => weight as f64,
                    (Some(ValueRef::F64(weight)), _) => weight,
                    (None, Some(weight)) => *weight,
                    (None, None) => {
                        return Err(AlgorithmError::MissingWeight {
                            edge: edge.named(),
                            field: field(),
                        });
                    }
                    (Some(other), _) => {
                        let (edge, found) = (edge.named(), other.type_name());
                        return Err(AlgorithmError::NotANumber { edge, field: field(), found });
                    }
                }
            }
        };
        if weight.is_finite() && weight >= 0.0 {
            return Ok(weight);
        }
        Err(AlgorithmError::BadWeight { edge: edge.named(), weight: weight.to_string() })
    }

    /// Tells a path that is none, even if no edge is ever weighed.
    pub(crate) fn check(&self) -> Result<(), AlgorithmError> {
        match &self.0 {
            Kind::Field { path: Err(error), .. } => Err(error.clone().into()),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Weight<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Field { path, default } => {
                f.debug_struct("Field").field("path", path).field("default", default).finish()
            }
            Kind::Of(_) => f.write_str("Of(..)"),
        }
    }
}
