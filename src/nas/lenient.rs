//! JSON values as DSM really sends them: numbers as strings, `null` for anything, objects as strings, rows of the
//! wrong type.
//!
//! These types accept every JSON value and turn what they cannot use into "absent", so that one odd field never
//! costs a whole answer. They do not judge what a missing value means; `wire` does.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The largest integer that a JSON float names exactly.
const EXACT_FLOAT: f64 = 9_007_199_254_740_992.0;

/// One scalar of unknown type. Lists and objects are read past and become `Absent`.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) enum Scalar {
    #[default]
    Absent,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

impl Scalar {
    /// An integer, from a number, a whole float or a numeric string.
    pub(super) fn int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Float(value) => whole(*value),
            Self::Text(text) => {
                let text = text.trim();
                text.parse().ok().or_else(|| text.parse().ok().and_then(whole))
            }
            Self::Absent | Self::Bool(_) => None,
        }
    }

    /// As [`Scalar::int`], without the negative ones.
    pub(super) fn uint(&self) -> Option<u64> {
        self.int().and_then(|value| u64::try_from(value).ok())
    }

    /// A point in time, seconds since 1970. DSM writes 0 or -1 where there is none.
    pub(super) fn seconds(&self) -> Option<i64> {
        self.int().filter(|value| *value > 0)
    }

    /// A finite number.
    pub(super) fn number(&self) -> Option<f64> {
        let value = match self {
            Self::Float(value) => *value,
            Self::Text(text) => text.trim().parse().ok()?,
            Self::Int(_) => self
                .int()
                .and_then(|value| i32::try_from(value).ok())
                .map(f64::from)?,
            Self::Absent | Self::Bool(_) => return None,
        };
        value.is_finite().then_some(value)
    }

    /// A boolean, also from 0 and 1 and their usual spellings.
    pub(super) fn flag(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Self::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            Self::Int(_) | Self::Float(_) | Self::Text(_) => self.int().map(|value| value != 0),
            Self::Absent => None,
        }
    }

    /// A non-empty text; numbers become their digits.
    pub(super) fn text(self) -> Option<String> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            Self::Int(value) => Some(value.to_string()),
            Self::Float(value) => Some(value.to_string()),
            Self::Absent | Self::Bool(_) | Self::Text(_) => None,
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the range and the fraction are checked first"
)]
fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() <= EXACT_FLOAT).then_some(value as i64)
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(value).map_or(Scalar::Absent, Scalar::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Absent)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Absent)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Absent)
    }
}

/// An object, or a string that holds one; anything else is `None`.
#[derive(Debug, Clone)]
pub(super) struct Object<T>(pub(super) Option<T>);

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: for<'any> Deserialize<'any>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: for<'any> Deserialize<'any>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_str<E>(self, value: &str) -> Result<Option<T>, E> {
        // A derived struct also reads a list of its fields: only the text of an object will do.
        Ok(value
            .trim_start()
            .starts_with('{')
            .then(|| serde_json::from_str(value).ok())
            .flatten())
    }

    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Option<T>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}

/// A row as DSM spells it, and what the model makes of it.
pub(super) trait Row: for<'any> Deserialize<'any> {
    /// The value of the model.
    type Value;

    /// `None` for a row that lacks what identifies it.
    fn convert(self) -> Option<Self::Value>;
}

/// A list of rows. Each is converted as soon as it is parsed, so that a long list is never held in both forms; the ones
/// that are no objects or cannot be converted are counted.
#[derive(Debug, Default, Clone)]
pub(super) enum Rows<R: Row> {
    /// The key is absent.
    #[default]
    Absent,
    /// The key holds `null`.
    Null,
    /// The key holds something that is no list.
    Other,
    /// The values, and how many elements gave none.
    List {
        values: Vec<R::Value>,
        unreadable: usize,
    },
}

impl<R: Row> Rows<R> {
    /// The values where a list is optional; everything else is an empty list.
    pub(super) fn or_empty(self) -> Vec<R::Value> {
        match self {
            Self::List { values, .. } => values,
            Self::Absent | Self::Null | Self::Other => Vec::new(),
        }
    }
}

impl<'de, R: Row> Deserialize<'de> for Rows<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RowsVisitor(PhantomData))
    }
}

struct RowsVisitor<R>(PhantomData<R>);

impl<'de, R: Row> Visitor<'de> for RowsVisitor<R> {
    type Value = Rows<R>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Rows<R>, E> {
        Ok(Rows::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Rows<R>, E> {
        Ok(Rows::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Rows<R>, E> {
        Ok(Rows::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Rows<R>, E> {
        Ok(Rows::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Rows<R>, E> {
        Ok(Rows::Other)
    }

    fn visit_unit<E>(self) -> Result<Rows<R>, E> {
        Ok(Rows::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Rows<R>, A::Error> {
        let mut values = Vec::new();
        let mut unreadable = 0;
        while let Some(Object(row)) = seq.next_element::<Object<R>>()? {
            match row.and_then(R::convert) {
                Some(value) => values.push(value),
                None => unreadable += 1,
            }
        }
        Ok(Rows::List { values, unreadable })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Rows<R>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Rows::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(json: &str) -> Scalar {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn scalars_read_every_spelling() {
        for (json, int) in [
            ("5", Some(5)),
            ("-1", Some(-1)),
            ("5.0", Some(5)),
            ("5.5", None),
            ("\"5\"", Some(5)),
            ("\" 7 \"", Some(7)),
            ("\"x\"", None),
            ("\"\"", None),
            ("null", None),
            ("true", None),
            ("[1]", None),
            ("{\"a\":[1]}", None),
            ("18446744073709551615", None),
            ("1e300", None),
        ] {
            assert_eq!(scalar(json).int(), int, "{json}");
        }
        assert_eq!(scalar("-4").uint(), None);
        assert_eq!(scalar("0").seconds(), None);
        assert_eq!(scalar("-1").seconds(), None);
        assert_eq!(scalar("\"0.25\"").number(), Some(0.25));
        assert_eq!(scalar("1").number(), Some(1.0));
        assert_eq!(scalar("\"NaN\"").number(), None);
        for (json, flag) in [
            ("true", Some(true)),
            ("\"false\"", Some(false)),
            ("\"TRUE\"", Some(true)),
            ("1", Some(true)),
            ("\"0\"", Some(false)),
            ("null", None),
            ("\"maybe\"", None),
        ] {
            assert_eq!(scalar(json).flag(), flag, "{json}");
        }
        assert_eq!(scalar("3").text().as_deref(), Some("3"));
        assert_eq!(scalar("\"\"").text(), None);
    }

    #[derive(Debug, serde::Deserialize)]
    struct Numbered {
        #[serde(default)]
        id: Scalar,
    }

    impl Row for Numbered {
        type Value = i64;

        fn convert(self) -> Option<i64> {
            self.id.int()
        }
    }

    #[test]
    fn objects_and_rows_survive_other_types() {
        for (json, id) in [
            ("{\"id\":4,\"other\":[{}]}", Some(4)),
            ("\"{\\\"id\\\": 4}\"", Some(4)),
            ("\"[4]\"", None),
            ("\"broken\"", None),
            ("[]", None),
            ("[4]", None),
            ("null", None),
            ("7", None),
        ] {
            let Object(row) = serde_json::from_str::<Object<Numbered>>(json).unwrap();
            assert_eq!(row.and_then(|row| row.id.int()), id, "{json}");
        }
        let rows: Rows<Numbered> =
            serde_json::from_str("[{\"id\":1},null,[2],\"x\",{},{\"id\":\"2\"}]").unwrap();
        let Rows::List { values, unreadable } = rows else {
            panic!("a list is a list")
        };
        assert_eq!((values, unreadable), (vec![1, 2], 4));
        assert!(matches!(
            serde_json::from_str::<Rows<Numbered>>("null").unwrap(),
            Rows::Null
        ));
        assert!(matches!(
            serde_json::from_str::<Rows<Numbered>>("{}").unwrap(),
            Rows::Other
        ));
    }
}
