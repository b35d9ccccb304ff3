//! Syntax to relations: names are resolved, types settled, statements refused with the place that is wrong.
//! Invariant: binding does no I/O and changes nothing; the same text over the same catalog binds the same way.
//! The parts: `expr` expressions, `query` SELECT and FROM, `aggregate` GROUP BY, `window` window functions, `ddl`
//! CREATE TABLE, `like` and `create_as` its LIKE and AS SELECT, `insert` INSERT, `interval_cast` CAST to
//! INTERVAL.

mod aggregate;
mod aggregate_call;
mod alter;
mod attach;
mod call;
mod changelog;
mod construct;
mod correlation;
mod create_as;
mod ddl;
mod emit;
mod expr;
mod function;
mod grouping_sets;
mod insert;
mod interval_cast;
mod json;
mod lateral;
mod like;
mod match_recognize;
mod order;
mod over;
mod query;
mod scope;
mod set;
mod state_ttl;
mod subquery;
mod time_join;
mod using;
mod values;
mod window;

pub use alter::bind_alter_table;
pub use create_as::bind_create_as;
pub use ddl::bind_create_table;
pub use function::bind_create_function;
pub use insert::bind_insert;
pub(crate) use query::{conjunction, conjuncts};
pub(crate) use time_join::moved;

use crate::catalog::{Catalog, ConnectorCatalog, Namespace, Object};
use crate::error::{SqlError, SqlResult};
use crate::rel::{Rel, RelField};
use crate::session::Session;
use crate::source::Span;

/// How deep views may use views.
const VIEW_DEPTH_MAX: usize = 32;

/// What binding needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Tables and views.
    pub catalog: &'a Catalog,
    /// Connectors and formats.
    pub connectors: &'a ConnectorCatalog,
    /// Settings.
    pub session: &'a Session,
    /// Where names without qualifiers are, if not in what is in use: in a view.
    pub home: Option<&'a Namespace>,
}

impl<'a> Context<'a> {
    /// The table or view of that name.
    pub(crate) fn object(&self, name: &crate::ast::ObjectName) -> Option<&'a Object> {
        self.catalog.get(name, self.home)
    }
}

/// Binds queries; knows the WITH clauses around them.
struct Binder<'a> {
    context: Context<'a>,
    ctes: Vec<(String, Rel)>,
    view_depth: usize,
    /// The query around the sub-query that is bound.
    scope: Option<std::rc::Rc<scope::Scope>>,
    /// What the hints of the query say.
    ttl: state_ttl::TimesToLive,
}

/// An expression that reads no column.
pub fn bind_constant(session: &Session, expr: &crate::ast::Expr) -> SqlResult<crate::bound::Bound> {
    expr::ExprBinder::new(session, &[]).bind(expr)
}

/// A query as a relation.
pub fn bind_query(context: Context<'_>, query: &crate::ast::Query) -> SqlResult<Rel> {
    Binder { context, ctes: Vec::new(), view_depth: 0, scope: None, ttl: Default::default() }
        .query(query)
}

/// The error for a column that does not exist, with the nearest one that does.
fn unknown_column(name: &str, fields: &[RelField], span: Span) -> SqlError {
    let error = SqlError::new(format!("unknown column '{name}'"), span);
    let names: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
    match mainstem_core::options::nearest(name, names.iter().copied()) {
        Some(near) => error.with_hint(format!("did you mean '{near}'?")),
        None if names.is_empty() => error.with_hint("there is no table in FROM"),
        None => error.with_hint(format!("there is {}", names.join(", "))),
    }
}
