//! Flink's string functions: one file a function or close family, one line each in the list.
//! Invariant: characters are Unicode code points, except where Flink counts UTF-16 units (each such file says so).
//! Does not bind LIKE, SIMILAR TO or `||`: those are operators.

mod case;
mod classify;
mod concat;
mod encoding;
mod length;
mod printf;
pub(crate) mod regex;
mod rewrite;
mod search;
mod split;
mod substring;
mod trim;
mod units;
mod url;
mod uuid;

use crate::functions::ScalarFunction;

/// The functions of this folder.
pub static FUNCTIONS: &[&ScalarFunction] = &[
    &case::UPPER,
    &case::LOWER,
    &case::INITCAP,
    &classify::IS_ALPHA,
    &classify::IS_DIGIT,
    &classify::IS_DECIMAL,
    &concat::CONCAT,
    &concat::CONCAT_WS,
    &concat::ELT,
    &encoding::TO_BASE64,
    &encoding::FROM_BASE64,
    &encoding::HEX,
    &encoding::UNHEX,
    &encoding::BIN,
    &encoding::CHR,
    &encoding::ENCODE,
    &encoding::DECODE,
    &length::CHAR_LENGTH,
    &length::ASCII,
    &regex::functions::REGEXP,
    &regex::functions::REGEXP_REPLACE,
    &regex::functions::REGEXP_EXTRACT,
    &regex::functions::REGEXP_EXTRACT_ALL,
    &regex::functions::REGEXP_COUNT,
    &regex::functions::REGEXP_INSTR,
    &regex::functions::REGEXP_SUBSTR,
    &printf::PRINTF,
    &rewrite::REPLACE,
    &rewrite::TRANSLATE,
    &rewrite::OVERLAY,
    &rewrite::REVERSE,
    &rewrite::REPEAT,
    &rewrite::LPAD,
    &rewrite::RPAD,
    &search::POSITION,
    &search::LOCATE,
    &search::INSTR,
    &search::STARTSWITH,
    &search::ENDSWITH,
    &split::SPLIT_INDEX,
    &split::SPLIT,
    &split::STR_TO_MAP,
    &substring::SUBSTRING,
    &substring::LEFT,
    &substring::RIGHT,
    &trim::TRIM,
    &trim::LTRIM,
    &trim::RTRIM,
    &trim::BTRIM,
    &url::PARSE_URL,
    &url::URL_ENCODE,
    &url::URL_DECODE,
    &uuid::UUID,
];
