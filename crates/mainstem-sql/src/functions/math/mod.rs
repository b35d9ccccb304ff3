//! Flink's arithmetic functions: one file a close family, one line each in the list.
//! Invariant: no function fails on a number: what has no result in DOUBLE is NaN or an infinity, integers wrap, a
//! decimal that does not fit is NULL. Does not bind `+ - * / %`: those are operators.

mod exact;
mod inet;
mod random;
mod real;
mod round;
mod wide;

use crate::functions::ScalarFunction;

/// The functions of this folder.
pub static FUNCTIONS: &[&ScalarFunction] = &[
    &exact::ABS,
    &exact::SIGN,
    &exact::CEIL,
    &exact::FLOOR,
    &inet::INET_ATON,
    &inet::INET_NTOA,
    &random::RAND,
    &random::RAND_INTEGER,
    &real::POWER,
    &real::SQRT,
    &real::LN,
    &real::LOG,
    &real::LOG2,
    &real::LOG10,
    &real::EXP,
    &real::SIN,
    &real::SINH,
    &real::COS,
    &real::COSH,
    &real::TAN,
    &real::TANH,
    &real::COT,
    &real::ASIN,
    &real::ACOS,
    &real::ATAN,
    &real::ATAN2,
    &real::DEGREES,
    &real::RADIANS,
    &real::PI,
    &real::E,
    &round::ROUND,
    &round::TRUNCATE,
];
