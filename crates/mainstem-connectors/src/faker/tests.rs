//! The faker by expressions: types, check digits, determinism, refusals with suggestions.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Float64Type, Int32Type, Time32MillisecondType, TimestampMillisecondType,
};
use arrow_array::{Array, ArrayRef};
use mainstem_core::clock::Rng;
use mainstem_core::types::Field;
use mainstem_core::{DataType, TypeKind};

use super::maker::Draw;
use super::methods::METHODS;
use super::*;
use crate::generator::testing::{self, NOW_MS};

const LOCALES: [Locale; 3] = [Locale::EnUs, Locale::PtBr, Locale::RoRo];

fn texts(expression: &str, locale: Locale) -> Vec<String> {
    let maker = providers::compile(expression, locale).unwrap();
    (0..300)
        .map(|row| {
            let mut out = String::new();
            maker.write(&mut Draw { rng: Rng::new(row), row, now_ms: NOW_MS }, &mut out);
            out
        })
        .collect()
}

fn one(kind: TypeKind, expression: &str) -> Result<ArrayRef> {
    let options = [("fields.f.expression", expression)];
    Ok(testing::columns(&FAKER, &[("f", kind.nullable())], &options, 0..1000)?.remove(0))
}

fn refusal(kind: TypeKind, expression: &str) -> String {
    let error = one(kind, expression).unwrap_err();
    format!("{error} [{}]", error.hint().unwrap_or("no hint"))
}

#[test]
fn texts_look_right() {
    let rows: [(&str, &str); 47] = [
        ("#{Name.fullName}", r"^[\w.' ]+$"),
        ("#{name.first_name} #{NAME.LASTNAME}", r"^\w+ [\w']+$"),
        ("#{Internet.emailAddress}", r"^[a-z]+\.[a-z]+\d*@[a-z]+\.com$"),
        ("#{internet.safeEmailAddress}", r"@example\.(com|org|net)$"),
        ("#{Internet.domainName}", r"^[a-z]+\.[a-z]+$"),
        ("#{Internet.url}", r"^www\.[a-z]+\.[a-z]+$"),
        ("#{Internet.password}", r"^[a-z0-9]{8,16}$"),
        ("#{Internet.password '3','5','true','true'}", r"^[A-Za-z0-9!@#$%^&*]{3,5}$"),
        ("#{Internet.ipV4Address}", r"^\d{1,3}(\.\d{1,3}){3}$"),
        ("#{Internet.ipV6Address}", r"^[0-9a-f]{4}(:[0-9a-f]{4}){7}$"),
        ("#{Internet.macAddress}", r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$"),
        (
            "#{Internet.uuid}",
            r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        ),
        ("#{PhoneNumber.cellPhone}", r"^[-() 0-9]{12,14}$"),
        ("#{Address.zipCode}", r"^\d{5}(-\d{4})?$"),
        ("#{Address.stateAbbr}", r"^[A-Z]{2}$"),
        ("#{Address.latitude}", r"^-?\d{1,2}\.\d{1,8}$"),
        ("#{Address.fullAddress}", r", [A-Z]{2} \d{5}(-\d{4})?$"),
        ("#{Commerce.productName}", r"^[\w ]+ \w+ \w+$"),
        ("#{Commerce.price}", r"^\d{1,3}\.\d{1,2}$"),
        ("#{commerce.promotionCode}", r"^[A-Za-z]+\d{6}$"),
        ("#{Finance.iban}", r"^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$"),
        ("#{Finance.iban 'DE'}", r"^DE\d{20}$"),
        ("#{Finance.bic}", r"^[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?$"),
        ("#{Finance.creditCard}", r"^\d{4}-\d{4}-\d{4}-\d{3,4}$"),
        ("#{IdNumber.valid}", r"^\d{3}-\d{2}-\d{4}$"),
        ("#{CPF.valid}", r"^\d{3}\.\d{3}\.\d{3}-\d{2}$"),
        ("#{Cpf.cpf 'false'}", r"^\d{11}$"),
        ("#{CNPJ.valid}", r"^\d{2}\.\d{3}\.\d{3}/0001-\d{2}$"),
        ("#{code.isbn13}|#{code.ean8}", r"^97[89]\d{10}\|\d{8}$"),
        ("#{Lorem.sentence}", r"^[A-Z][a-z ]*\.$"),
        ("#{lorem.paragraph}", r"^([A-Z][a-z ]*\.( |$)){3,6}"),
        ("#{lorem.characters '5'}", r"^[a-z0-9]{5}$"),
        ("#{number.digits '4'}", r"^\d{4}$"),
        ("#{number.randomDouble '2','1','9'}", r"^[1-9]\.\d{1,2}$"),
        ("#{bool.bool}", r"^(true|false)$"),
        ("#{Crypto.sha256}", r"^[0-9a-f]{64}$"),
        ("#{color.hex}", r"^#[0-9A-F]{6}$"),
        ("#{regexify '(a|b){2}\\d'}", r"^[ab]{2}\d$"),
        ("#{bothify '??-##'}", r"^[a-z]{2}-\d{2}$"),
        ("#{bothify '??-##','true'}", r"^[A-Z]{2}-\d{2}$"),
        ("#{numerify '#?#'}", r"^\d\?\d$"),
        ("#{letterify '?#?'}", r"^[a-z]#[a-z]$"),
        ("#{examplify 'AB-12x'}", r"^[A-Z]{2}-\d{2}[a-z]$"),
        ("#{templatify 'te?t?','?','s','x'}", r"^te[sx]t[sx]$"),
        ("#{date.past '15','SECONDS'}", r"^2026-01-02 03:0[34]:\d{2}\.\d{3}$"),
        ("#{date.past '1','DAYS','yyyy/MM'}", r"^2026/01$"),
        ("#{date.birthday '20','30','yyyy'}", r"^(199[56789]|200\d)$"),
    ];
    for (expression, pattern) in rows {
        let pattern = regex::Regex::new(pattern).unwrap();
        for text in texts(expression, Locale::EnUs) {
            assert!(pattern.is_match(&text), "{expression} made {text:?}");
        }
    }
}

#[test]
fn locales_have_their_own_words() {
    let rows = [
        (Locale::PtBr, "#{Address.zipCode}", r"^\d{5}-\d{3}$"),
        (Locale::PtBr, "#{IdNumber.valid}", r"^\d{3}\.\d{3}\.\d{3}-\d{2}$"),
        (Locale::PtBr, "#{PhoneNumber.cellPhone}", r"^(\(\d\d\)|\+55 \d\d) 9\d{4}-\d{4}$"),
        (Locale::PtBr, "#{Finance.iban}", r"^BR\d{25}[A-Z][A-Z0-9]$"),
        (Locale::RoRo, "#{Address.zipCode}", r"^[1-9]\d{5}$"),
        (Locale::RoRo, "#{Address.streetAddress}", r" nr\. [1-9]\d{0,2}A?$"),
        (Locale::RoRo, "#{IdNumber.valid}", r"^[1256]\d{12}$"),
        (Locale::RoRo, "#{Finance.iban}", r"^RO\d\d[A-Z]{4}[A-Z0-9]{16}$"),
        (Locale::RoRo, "#{Internet.emailAddress}", r"^[a-z]+\.[a-z]+\d*@[a-z]+\.(com|ro)$"),
        (Locale::RoRo, "#{PhoneNumber.cellPhone}", r"^(07|\+40 7)\d{1,2} \d{3} \d{3}$"),
    ];
    for (locale, expression, pattern) in rows {
        let pattern = regex::Regex::new(pattern).unwrap();
        for text in texts(expression, locale) {
            assert!(pattern.is_match(&text), "{expression} made {text:?}");
        }
    }
    for (text, locale) in [("pt-br", Locale::PtBr), ("ro", Locale::RoRo), ("en_US", Locale::EnUs)] {
        assert_eq!(Locale::parse(text).unwrap(), locale);
    }
    let hint = |text| Locale::parse(text).unwrap_err().hint().unwrap().to_owned();
    assert_eq!(hint("pt_BX"), "did you mean 'pt_BR'?");
    assert_eq!(hint("klingon"), "use en_US, pt_BR or ro_RO");
}

#[test]
fn every_method_compiles_in_every_locale() {
    let arguments = |name: &str| match name.rsplit('.').next().unwrap() {
        "regexify" | "bothify" | "numerify" | "letterify" | "examplify" => " 'a'",
        "templatify" => " 'a?','?','x'",
        "option" | "nextElement" => " 'a','b'",
        "digits" => " '3'",
        "numberBetween" => " '1','5'",
        "randomDouble" => " '2','1','5'",
        "between" => " '2025-01-01','2026-01-01'",
        "past" | "future" => " '5','HOURS'",
        "timestamp" => " '2025-01-01','5'",
        _ => "",
    };
    let mut names: Vec<_> = METHODS.iter().map(|(name, _)| *name).collect();
    for name in &names {
        for locale in LOCALES {
            let expression = format!("#{{{name}{}}}", arguments(name));
            assert!(texts(&expression, locale).iter().any(|t| !t.is_empty()), "{expression}");
        }
    }
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "a name stands twice");
}

#[test]
fn parallel_lists_have_equal_lengths() {
    use super::data::words as w;
    let count = |list: &str| list.split('|').count();
    let codes = [w::COUNTRY_CODES, w::COUNTRY_CODES_LOWER, w::COUNTRY_CODES_3, w::CAPITALS];
    assert!(codes.iter().all(|c| count(c) == count(w::COUNTRIES)));
    assert_eq!(count(w::CURRENCIES), count(w::CURRENCY_CODES));
    for locale in LOCALES {
        assert_eq!(
            count(locale.text("states").unwrap()),
            count(locale.text("state_abbrs").unwrap())
        );
    }
}

#[test]
fn every_type_is_cast() {
    let rows = [
        (TypeKind::TinyInt, "#{number.numberBetween '-128','128'}"),
        (TypeKind::SmallInt, "#{numerify '###'}"),
        (TypeKind::Int, "#{Options.option '1','2'}"),
        (TypeKind::BigInt, "#{number.randomNumber}"),
        (TypeKind::Float, "#{number.randomDouble '3','-1','1'}"),
        (TypeKind::Double, "#{number.numberBetween '1','5'}"),
        (TypeKind::Double, "#{numerify '#.#'}"),
        (TypeKind::Decimal { precision: 5, scale: 2 }, "#{number.randomDouble '3','-100','100'}"),
        (TypeKind::Decimal { precision: 5, scale: 2 }, "-#{numerify '##.###'}"),
        (TypeKind::Char { length: 3 }, "#{letterify '???'}"),
        (TypeKind::STRING, "#{Name.fullName}"),
        (TypeKind::BYTES, "#{Name.fullName}"),
        (TypeKind::Boolean, "#{bool.bool}"),
        (TypeKind::Boolean, "#{Options.option 'true','FALSE'}"),
        (TypeKind::Date, "#{date.birthday}"),
        (TypeKind::Date, "2025-0#{number.digit}-1#{number.digit}"),
        (TypeKind::Time { precision: 0 }, "#{time.future '15','5','SECONDS'}"),
        (TypeKind::Timestamp { precision: 3 }, "#{date.past '15','5','SECONDS'}"),
        (TypeKind::Timestamp { precision: 9 }, "#{date.future '15','5','SECONDS'}"),
        (TypeKind::TimestampLtz { precision: 6 }, "#{date.between '2025-01-01','2026-01-01'}"),
        (TypeKind::Timestamp { precision: 6 }, "2025-01-01 00:00:0#{number.digit}.123456"),
    ];
    for (kind, expression) in rows {
        if expression.starts_with("2025-0#") {
            assert!(refusal(kind, expression).contains("is not a DATE"));
            continue;
        }
        let made = one(kind.clone(), expression).unwrap();
        assert_eq!(made.data_type(), &kind.clone().nullable().to_arrow(), "{kind} {expression}");
        assert_eq!((made.len(), made.null_count()), (1000, 0));
    }
}

#[test]
fn values_are_where_they_should_be() {
    let ints = one(TypeKind::Int, "#{number.numberBetween '1','4'}").unwrap();
    let mut ints = ints.as_primitive::<Int32Type>().values().to_vec();
    ints.sort_unstable();
    ints.dedup();
    assert_eq!(ints, [1, 2, 3]);
    let doubles = one(TypeKind::Double, "#{number.randomDouble '2','1','100'}").unwrap();
    let doubles = doubles.as_primitive::<Float64Type>().values();
    assert!(
        doubles
            .iter()
            .all(|d| (1.0..=100.0).contains(d) && ((d * 100.0).round() - d * 100.0).abs() < 1e-6)
    );
    let mean = doubles.iter().sum::<f64>() / 1000.0;
    assert!((46.0..55.0).contains(&mean), "{mean}");
    let rows = [
        ("#{date.past '15','5','SECONDS'}", -15_000..=-5_000),
        ("#{date.past '15','SECONDS'}", -15_000..=-1),
        ("#{date.future '15','5','SECONDS'}", 5_000..=15_000),
        ("#{date.future '15','SECONDS'}", 1..=15_000),
    ];
    for (expression, range) in rows {
        let made = one(TypeKind::Timestamp { precision: 3 }, expression).unwrap();
        for ms in made.as_primitive::<TimestampMillisecondType>().values() {
            assert!(range.contains(&(ms - NOW_MS)), "{expression}: {}", ms - NOW_MS);
        }
    }
    let born = one(TypeKind::Date, "#{date.birthday '18','65'}").unwrap();
    let age = |days: &i32| (NOW_MS / 86_400_000 - i64::from(*days)) as f64 / 365.25;
    assert!(
        born.as_primitive::<Date32Type>().values().iter().all(|d| (17.9..65.1).contains(&age(d)))
    );
    let time = one(TypeKind::Time { precision: 0 }, "#{time.past '5','SECONDS'}").unwrap();
    let now = (NOW_MS % 86_400_000) as i32;
    let times = time.as_primitive::<Time32MillisecondType>().values();
    assert!(times.iter().all(|t| (now - 5_000..now).contains(t)));
    for expression in ["#{date.past '5','SECONDS'}", "2026-01-02 03:04:05.678"] {
        let cut = one(TypeKind::Timestamp { precision: 0 }, expression).unwrap();
        let cut = cut.as_primitive::<TimestampMillisecondType>().values();
        assert!(cut.iter().all(|ms| ms % 1_000 == 0), "{expression}");
    }
    let steps = one(TypeKind::STRING, "#{sequence.timestamp '2026-01-01 00:00:00','250'}").unwrap();
    assert_eq!(steps.as_string::<i32>().value(5), "2026-01-01 00:00:01.250");
}

#[test]
fn flink_fakers_collections_work() {
    let row = |fields: &[(&str, TypeKind)]| {
        let field = |(name, kind): &(&str, TypeKind)| Field {
            name: (*name).into(),
            data_type: kind.clone().nullable(),
        };
        TypeKind::Row(fields.iter().map(field).collect()).nullable()
    };
    let string = || Box::new(DataType::string());
    let inner = row(&[("x", TypeKind::Int)]);
    let columns = [
        ("m", TypeKind::Map(string(), Box::new(TypeKind::Int.nullable())).nullable()),
        ("s", TypeKind::Multiset(string()).nullable()),
        ("a", TypeKind::Array(string()).nullable()),
        ("r", row(&[("house", TypeKind::STRING), ("points", TypeKind::Int)])),
        ("n", TypeKind::Array(Box::new(inner)).nullable()),
    ];
    let options = [
        ("fields.m.key.expression", "#{Options.option 'a','b','c'}"),
        ("fields.m.value.expression", "#{number.numberBetween '10','100'}"),
        ("fields.m.length", "3"),
        ("fields.s.expression", "#{Options.option 'a','b'}"),
        ("fields.s.length", "5"),
        ("fields.a.expression", "#{harry_potter.location}"),
        ("fields.a.length", "3"),
        ("fields.a.null-rate", "0.25"),
        ("fields.r.house.expression", "#{harry_potter.house}"),
        ("fields.r.points.expression", "#{number.numberBetween '10','100'}"),
        ("fields.n.element.x.expression", "#{number.digit}"),
        ("fields.n.length", "2"),
    ];
    let made = testing::columns(&FAKER, &columns, &options, 0..400).unwrap();
    let map = made[0].as_map();
    assert!((0..400).all(|i| (1..=3).contains(&map.value_length(i))), "equal keys are one");
    let bag = made[1].as_map();
    let counts = bag.values().as_primitive::<Int32Type>();
    assert_eq!(counts.values().iter().sum::<i32>(), 400 * 5);
    let array = made[2].as_list::<i32>();
    assert!((60..140).contains(&array.null_count()));
    assert_eq!(array.values().len(), 1200);
    assert_eq!(made[4].as_list::<i32>().value(7).len(), 2);
    testing::assert_cuts_do_not_matter(&FAKER, &columns, &options);
}

#[test]
fn rows_depend_on_seed_and_number_only() {
    let columns =
        [("a", DataType::string()), ("b", TypeKind::Int.nullable()), ("c", DataType::string())];
    let options = [
        ("fields.a.expression", "#{Name.fullName} #{regexify '[a-z]{3,9}'}"),
        ("fields.b.expression", "#{number.numberBetween '0','1000000'}"),
        ("fields.b.null-rate", "0.3"),
        ("fields.c.expression", "#{sequence.number '7','2'}"),
    ];
    testing::assert_cuts_do_not_matter(&FAKER, &columns, &options);
    let with = |seed| {
        let mut options = options.to_vec();
        options.push(("seed", seed));
        testing::columns(&FAKER, &columns, &options, 0..50).unwrap()
    };
    assert_eq!(with("1"), with("1"));
    assert_ne!(&with("1")[0], &with("2")[0]);
    assert_eq!(with("1")[2].as_string::<i32>().value(3), "13");
    let alone = testing::columns(&FAKER, &columns[..1], &options[..1], 0..50).unwrap();
    assert_eq!(&alone[0], &with("0")[0], "a column does not depend on the others");
}

#[test]
fn what_is_wrong_is_refused() {
    let rows = [
        ("#{Name.fullNme}", "did you mean '#{Name.fullName}'?"),
        ("#{Nam.fullName}", "did you mean '#{Name.fullName}'?"),
        ("#{Address.bogusMethod}", "known are Address.fullAddress"),
        ("#{Klingon.insult}", "the providers are Address, "),
        ("#{regexfy 'a'}", "did you mean '#{regexify}'?"),
        ("#{regexify '[a'}", "a class is not closed"),
        ("#{Name.fullName 'x'}", "takes no arguments"),
        ("#{number.numberBetween '1'}", "for example #{number.numberBetween '1','100'}"),
        ("#{number.numberBetween '5','1'}", "5 is greater than 1"),
        ("#{number.numberBetween 'a','1'}", "which is not a whole number"),
        ("#{date.past '5','FORTNIGHTS'}", "use MILLISECONDS, SECONDS"),
        ("#{date.past '5','SECONDS','QQ'}", "the letter 'Q' is not supported"),
        ("#{Finance.iban 'XX'}", "which is not one of AT, BE"),
        ("#{Name.fullName", "not closed by '}'"),
    ];
    for (expression, expected) in rows {
        let text = refusal(TypeKind::STRING, expression);
        assert!(text.contains(expected), "{expression}: {text}");
    }
    let casts = [
        (TypeKind::Int, "#{Name.fullName}", "is not a INT"),
        (TypeKind::Int, "#{Options.option '1','x'}", "the text 'x' is not a INT"),
        (TypeKind::TinyInt, "#{number.numberBetween '1','1000'}", "do not fit into TINYINT"),
        (
            TypeKind::Decimal { precision: 3, scale: 2 },
            "#{number.numberBetween '1','11'}",
            "do not all fit",
        ),
        (TypeKind::Timestamp { precision: 3 }, "#{Lorem.word}", "is not a TIMESTAMP(3)"),
        (TypeKind::IntervalDayTime, "1", "faker makes no INTERVAL"),
    ];
    for (kind, expression, expected) in casts {
        let text = refusal(kind, expression);
        assert!(text.contains(expected), "{expression}: {text}");
    }
    let options: [(&[(&str, &str)], &str); 5] = [
        (&[], "field 'age' has no expression [add 'fields.age.expression' = "),
        (&[("fields.agee.expression", "1")], "did you mean 'fields.age'?"),
        (&[("fields.age.expresion", "1")], "did you mean 'fields.age.expression'?"),
        (
            &[("fields.age.expression", "1"), ("fields.age.length", "2")],
            "'fields.age.length' is not known",
        ),
        (&[("fields.age.expression", "1"), ("locale", "pt_BX")], "did you mean 'pt_BR'?"),
    ];
    for (options, expected) in options {
        let columns = [("age", TypeKind::Int.nullable())];
        let error = testing::columns(&FAKER, &columns, options, 0..1).unwrap_err();
        let text = format!("{error} [{}]", error.hint().unwrap_or("no hint"));
        assert!(text.contains(expected), "{options:?}: {text}");
    }
}
