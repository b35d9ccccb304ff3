//! Which columns live in a record's key and which in its value, as `key.fields`, `key.fields-prefix` and
//! `value.fields-include` say; and the table as each side's format sees it.
//! Invariant: a derived table keeps the order of the DDL within a side; metadata columns belong to the value side.

use mainstem_core::table::{Column, Options, TableSpec};
use mainstem_core::{DataType, Error, Result, TypeKind};

/// The metadata column by which key rows and value rows find each other.
pub(crate) const OFFSET_KEY: &str = "offset";

/// How a table's columns are spread over key and value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Columns in the key, in the order of `key.fields` (or of the primary key).
    pub(crate) key: Vec<usize>,
    /// Columns in the value.
    pub(crate) value: Vec<usize>,
    /// Metadata columns.
    pub(crate) metadata: Vec<usize>,
    /// The key's format, if there is a key.
    pub(crate) key_format: Option<String>,
    /// The value's format.
    pub(crate) value_format: String,
    /// Taken off the names of key columns before the key's format sees them.
    pub(crate) prefix: String,
}

/// A table as one side's format sees it, and where its columns stand in the declared table.
#[derive(Debug, Clone)]
pub(crate) struct SideTable {
    pub(crate) table: TableSpec,
    /// For each column of `table` its index in the declared table; a column added here has none.
    pub(crate) origin: Vec<Option<usize>>,
}

impl SideTable {
    /// The index here of a declared column.
    pub(crate) fn index_of(&self, declared: usize) -> Option<usize> {
        self.origin.iter().position(|o| *o == Some(declared))
    }
}

impl Layout {
    /// Reads the options of `kafka` (`upsert` false) or `upsert-kafka` (true).
    pub(crate) fn new(table: &TableSpec, upsert: bool) -> Result<Self> {
        let text = |name: &str| table.options.get(name).map(String::as_str);
        let value_format = match (text("format"), text("value.format")) {
            (Some(format), None) if !upsert => format,
            (None, Some(format)) => format,
            (Some(_), Some(_)) => {
                return Err(Error::user("'format' and 'value.format' are both given")
                    .with_hint("keep one of them"));
            }
            _ if upsert => return Err(Error::user("option 'value.format' is missing")),
            _ => {
                return Err(Error::user("option 'format' is missing")
                    .with_hint("add 'format' = 'json', or 'value.format' together with a key"));
            }
        };
        let prefix = text("key.fields-prefix").unwrap_or_default().to_owned();
        let except_key = match text("value.fields-include").unwrap_or("ALL") {
            word if word.eq_ignore_ascii_case("ALL") => false,
            word if word.eq_ignore_ascii_case("EXCEPT_KEY") => true,
            word => {
                return Err(Error::user(format!(
                    "option 'value.fields-include' has the value '{word}', which is not one of \
                     ALL, EXCEPT_KEY"
                )));
            }
        };
        if !prefix.is_empty() && !except_key {
            return Err(Error::user(
                "'key.fields-prefix' needs 'value.fields-include' = 'EXCEPT_KEY'",
            )
            .with_detail("with ALL the same prefixed names would have to be in the value too"));
        }
        let key = if upsert { upsert_key(table)? } else { key_fields(table)? };
        for &column in &key {
            let name = &table.columns[column].name;
            if !name.starts_with(&prefix) {
                return Err(Error::user(format!(
                    "key column '{name}' does not start with '{prefix}', the 'key.fields-prefix'"
                )));
            }
        }
        let (metadata, physical): (Vec<usize>, Vec<usize>) =
            (0..table.columns.len()).partition(|&i| table.columns[i].metadata_key.is_some());
        let value = physical.into_iter().filter(|c| !except_key || !key.contains(c)).collect();
        Ok(Self {
            key_format: text("key.format").map(str::to_owned).filter(|_| !key.is_empty()),
            key,
            value,
            metadata,
            value_format: value_format.to_owned(),
            prefix,
        })
    }

    /// The table as the value's format sees it: value columns, then metadata columns, then (on demand) the offset.
    pub(crate) fn value_table(&self, table: &TableSpec, with_offset: bool) -> SideTable {
        let side = if table.options.contains_key("value.format") { "value." } else { "" };
        let options = side_options(&table.options, side, &self.value_format);
        let columns = self.value.iter().chain(&self.metadata);
        let columns = columns.map(|&i| (table.columns[i].clone(), Some(i))).collect();
        side_table(table, options, columns, with_offset)
    }

    /// The table as the key's format sees it: key columns without their prefix, then (on demand) the metadata
    /// columns and the offset.
    pub(crate) fn key_table(
        &self,
        table: &TableSpec,
        with_metadata: bool,
        with_offset: bool,
    ) -> SideTable {
        let format = self.key_format.as_deref().unwrap_or_default();
        let options = side_options(&table.options, "key.", format);
        let keys = self.key.iter().map(|&i| {
            let mut column = table.columns[i].clone();
            column.name = column.name[self.prefix.len()..].to_owned();
            (column, Some(i))
        });
        let metadata = self.metadata.iter().filter(|_| with_metadata);
        let metadata = metadata.map(|&i| (table.columns[i].clone(), Some(i)));
        let columns = keys.chain(metadata).collect();
        side_table(table, options, columns, with_offset)
    }
}

fn side_table(
    table: &TableSpec,
    options: Options,
    mut columns: Vec<(Column, Option<usize>)>,
    with_offset: bool,
) -> SideTable {
    if with_offset {
        columns.push((
            Column {
                // A name that no SQL identifier of a user is likely to have; formats go by the metadata key.
                name: "\u{1}offset".to_owned(),
                data_type: DataType { kind: TypeKind::BigInt, nullable: false },
                metadata_key: Some(OFFSET_KEY.to_owned()),
            },
            None,
        ));
    }
    let (columns, origin): (Vec<Column>, Vec<Option<usize>>) = columns.into_iter().unzip();
    SideTable {
        table: TableSpec {
            name: table.name.clone(),
            columns,
            primary_key: Vec::new(),
            partition_keys: Vec::new(),
            options,
        },
        origin,
    }
}

/// The options of one side: `key.json.x` becomes `json.x`; what belongs to the other side is left out.
fn side_options(all: &Options, side: &str, format: &str) -> Options {
    let mut options: Options = all
        .iter()
        .filter_map(|(name, value)| {
            let own = name.strip_prefix(side)?;
            own.starts_with(&format!("{format}.")).then(|| (own.to_owned(), value.clone()))
        })
        .collect();
    options.extend(
        all.iter()
            .filter(|(name, _)| name.starts_with("mainstem."))
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    options.insert("format".to_owned(), format.to_owned());
    options
}

fn upsert_key(table: &TableSpec) -> Result<Vec<usize>> {
    if !table.options.contains_key("key.format") {
        return Err(Error::user("option 'key.format' is missing"));
    }
    if table.options.contains_key("key.fields") {
        return Err(Error::user("'key.fields' does not belong to 'upsert-kafka'")
            .with_hint("its key is the PRIMARY KEY"));
    }
    if table.primary_key.is_empty() {
        return Err(Error::user("'upsert-kafka' needs a PRIMARY KEY")
            .with_hint("add PRIMARY KEY (...) NOT ENFORCED to the table"));
    }
    Ok(table.primary_key.clone())
}

fn key_fields(table: &TableSpec) -> Result<Vec<usize>> {
    let fields = table.options.get("key.fields").map(String::as_str).unwrap_or_default();
    let names: Vec<&str> = fields.split(';').map(str::trim).filter(|n| !n.is_empty()).collect();
    match (table.options.contains_key("key.format"), names.is_empty()) {
        (false, true) => return Ok(Vec::new()),
        (true, true) => {
            return Err(Error::user("'key.format' is given without 'key.fields'")
                .with_hint("name the key's columns: 'key.fields' = 'id;region'"));
        }
        (false, false) => {
            return Err(Error::user("'key.fields' is given without 'key.format'")
                .with_hint("add 'key.format' = 'raw', 'json' or another format"));
        }
        (true, false) => {}
    }
    names
        .iter()
        .map(|name| {
            let column = table.columns.iter().position(|c| c.name == *name);
            column.filter(|&c| table.columns[c].metadata_key.is_none()).ok_or_else(|| {
                Error::user(format!("'key.fields' names '{name}', which is no physical column"))
            })
        })
        .collect()
}
