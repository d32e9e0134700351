use std::process::Command;

use super::{finite, source};
use crate::error::Error;
use crate::literal::Literal;

/// A small generator of random numbers: tests must give the same values each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn text(&mut self) -> String {
        let hard = [
            '"', '\'', '\\', '$', '`', '\n', '\r', '\t', '#', '{', '%', '!', '\u{7f}', '\u{85}',
            '\u{2028}', '\u{feff}', '😀', 'é',
        ];
        let character = |random: &mut Self| match random.below(3) {
            0 => hard[usize::try_from(random.below(18)).unwrap()],
            1 => char::from(u8::try_from(32 + random.below(95)).unwrap()),
            _ => char::from_u32(u32::try_from(1 + random.below(0x11_0000)).unwrap()).unwrap_or('x'),
        };
        let length = self.below(12);
        (0..length).map(|_| character(self)).collect()
    }

    fn value(&mut self, depth: u64) -> Literal {
        match self.below(if depth == 0 { 5 } else { 7 }) {
            0 => Literal::Null,
            1 => Literal::Bool(self.below(2) == 1),
            2 => Literal::Integer(i128::from(self.0) - i128::from(u64::MAX / 2)),
            3 => Literal::Number(
                Some(f64::from_bits(self.0))
                    .filter(|value| value.is_finite())
                    .unwrap_or(0.5),
            ),
            4 => Literal::Text(self.text()),
            5 => Literal::List((0..self.below(4)).map(|_| self.value(depth - 1)).collect()),
            _ => Literal::Map(
                (0..self.below(4))
                    .map(|_| (self.text(), self.value(depth - 1)))
                    .collect(),
            ),
        }
    }
}

fn code(language: &str, value: &Literal) -> Result<String, Error> {
    let text = source(language, language, &[("x".into(), value.clone())])?;
    Ok(text
        .strip_prefix("# Parameters\n")
        .unwrap()
        .trim_end_matches('\n')
        .to_owned())
}

#[test]
fn python_reads_every_value_back() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..20_000 {
        let value = random.value(3);
        let code = code("python", &value).unwrap();
        assert!(code.is_ascii() && !code.contains('\n'), "{code}");
        let read = Literal::parse(code.strip_prefix("x = ").unwrap());
        assert_eq!(read.as_ref(), Some(&value), "{code}");
    }
}

#[test]
fn bash_reads_every_text_back() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let texts: Vec<String> = (0..300).map(|_| random.text()).collect();
    let list = Literal::List(texts.iter().cloned().map(Literal::Text).collect());
    let script = format!(
        "{}\nprintf '%s\\0' \"${{x[@]}}\"",
        code("bash", &list).unwrap()
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    let expected = texts.join("\0") + "\0";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn bash_has_maps_and_keeps_what_nests_as_json() {
    let inner = Literal::List(vec![Literal::Integer(1), Literal::Null]);
    let map = Literal::Map(vec![
        ("a b'c".into(), inner),
        ("k".into(), Literal::Bool(true)),
    ]);
    let script = format!(
        "{}\nprintf '%s|' \"${{x[a b\\'c]}}\" \"${{x[k]}}\"",
        code("bash", &map).unwrap()
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "[1,null]|true|",
        "{script}"
    );
}

#[test]
fn each_language_has_its_words() {
    let value = Literal::Map(vec![(
        "k$".into(),
        Literal::List(vec![
            Literal::Null,
            Literal::Bool(true),
            Literal::Integer(-3),
            Literal::Number(f64::NAN),
            Literal::Number(f64::NEG_INFINITY),
            Literal::Number(1e300),
            Literal::Text("é\"\\\n$😀\u{1}".into()),
        ]),
    )]);
    let python = r#"x = {"k$": [None, True, -3, float('nan'), float('-inf'), 1e+300, "\xe9\"\\\n$\U0001f600\x01"]}"#;
    assert_eq!(code("python3", &value).unwrap(), python);
    let r = r#"x = list("k$" = list(NULL, TRUE, -3, NaN, -Inf, 1e+300, "\u00e9\"\\\n$\U0001f600\u0001"))"#;
    assert_eq!(code("R", &value).unwrap(), r);
    let julia = r#"x = Dict("k\$" => [nothing, true, -3, NaN, -Inf, 1e+300, "\u00e9\"\\\n\$\U0001f600\u0001"])"#;
    assert_eq!(code("julia-1.12", &value).unwrap(), julia);
}

#[test]
fn numbers_are_written_as_python_writes_them() {
    let cases = [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (0.1, "0.1"),
        (1e-5, "1e-05"),
        (1.5e-7, "1.5e-07"),
        (0.0001, "0.0001"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e+16"),
        (123_456.75, "123456.75"),
        (5e-324, "5e-324"),
        (-2.5e20, "-2.5e+20"),
    ];
    for (value, text) in cases {
        assert_eq!(finite(value), text);
    }
}

#[test]
fn what_a_language_cannot_say_is_refused() {
    let nul = Literal::Text("a\0b".into());
    for language in ["r", "bash"] {
        assert!(matches!(code(language, &nul), Err(Error::Invalid(_))));
    }
    assert!(code("python", &nul).is_ok());
    let odd = Literal::Map(vec![(String::new(), Literal::Null)]);
    for language in ["r", "bash"] {
        assert!(code(language, &odd).is_err());
    }
    assert!(source("cobol", "cobol", &[]).is_err());
    for name in ["", "1a", "a b", "a;b", "a\nb", "a.b", "a=b", "$a"] {
        assert!(
            source("python", "", &[(name.into(), Literal::Null)]).is_err(),
            "{name}"
        );
    }
    assert!(source("bash", "", &[("é".into(), Literal::Null)]).is_err());
    assert_eq!(
        source("ir", "", &[("_x".into(), Literal::Null)]).unwrap(),
        "# Parameters\nx = NULL\n"
    );
}
