//! Functions that a script declares in SQL.
//! Invariant: the body is bound when the function is declared, so it calls only what was there before; a function
//! cannot call itself.

use mainstem_core::DataType;

use crate::bound::Bound;

/// CREATE FUNCTION.
#[derive(Debug, Clone)]
pub struct UserFunction {
    /// As declared.
    pub name: String,
    /// Names and types.
    pub parameters: Vec<(String, DataType)>,
    /// Over the parameters as columns.
    pub body: Bound,
}

impl UserFunction {
    /// `f(a INT, b STRING)`
    pub fn usage(&self) -> String {
        let list: Vec<String> = self.parameters.iter().map(|(n, t)| format!("{n} {t}")).collect();
        format!("{}({})", self.name, list.join(", "))
    }
}
