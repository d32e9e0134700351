//! One point and its JSON.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point of a series.
///
/// JSON: `[x, y, ms]`, where x and y are numbers or, because JSON has no others, `"NaN"`, `"Infinity"` and `"-Infinity"`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The step, the epoch, or the index of the line.
    pub x: f64,
    /// The value.
    pub y: f64,
    /// When it was printed, in milliseconds UTC.
    pub ms: i64,
}

struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            number if number.is_finite() => serializer.serialize_f64(number),
            number if number.is_nan() => serializer.serialize_str("NaN"),
            number if number > 0.0 => serializer.serialize_str("Infinity"),
            _ => serializer.serialize_str("-Infinity"),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(f64),
            Text(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Number(number) => Ok(Self(number)),
            Form::Text(text) => match text.as_str() {
                "NaN" => Ok(Self(f64::NAN)),
                "Infinity" => Ok(Self(f64::INFINITY)),
                "-Infinity" => Ok(Self(f64::NEG_INFINITY)),
                _ => Err(D::Error::custom("not a number")),
            },
        }
    }
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (Number(self.x), Number(self.y), self.ms).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (x, y, ms) = <(Number, Number, i64)>::deserialize(deserializer)?;
        Ok(Self { x: x.0, y: y.0, ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_json_lacks_round_trip() {
        let points = [(1.0, f64::INFINITY), (2.0, f64::NEG_INFINITY), (3.5, 0.1)]
            .map(|(x, y)| Point { x, y, ms: 7 });
        let json = serde_json::to_string(&points).unwrap();
        assert_eq!(
            json,
            r#"[[1.0,"Infinity",7],[2.0,"-Infinity",7],[3.5,0.1,7]]"#
        );
        assert_eq!(serde_json::from_str::<[Point; 3]>(&json).unwrap(), points);
        let nan: Point = serde_json::from_str(r#"[1,"NaN",7]"#).unwrap();
        assert!(nan.y.is_nan());
        assert!(serde_json::from_str::<Point>(r#"[1,"one",7]"#).is_err());
    }
}
