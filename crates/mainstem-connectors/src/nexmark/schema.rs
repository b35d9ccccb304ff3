//! From the declared columns to what is to be made, in both shapes of the table.
//! Invariant: a declaration that is accepted can be filled: names and types are checked here, for all columns.

use arrow_schema::Fields;
use mainstem_core::options::nearest;
use mainstem_core::types::arrow_fields;
use mainstem_core::{DataType, Error, Result, TypeKind};

use super::config::{Kind, Kinds};
use super::filter::{self, Test};
use crate::api::SourceRequest;

/// A field of one kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    PersonId,
    PersonName,
    Email,
    CreditCard,
    City,
    State,
    PersonExtra,
    AuctionId,
    AuctionName,
    Description,
    InitialBid,
    Reserve,
    Expires,
    Seller,
    Category,
    AuctionExtra,
    BidAuction,
    Bidder,
    Price,
    Channel,
    Url,
    BidExtra,
    Time,
}

/// What a field is declared as.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    BigInt,
    Text,
    Timestamp,
}

use Wanted::{BigInt, Text, Timestamp};

const PERSON: &[(&str, Wanted, Item)] = &[
    ("id", BigInt, Item::PersonId),
    ("name", Text, Item::PersonName),
    ("emailAddress", Text, Item::Email),
    ("creditCard", Text, Item::CreditCard),
    ("city", Text, Item::City),
    ("state", Text, Item::State),
    ("dateTime", Timestamp, Item::Time),
    ("extra", Text, Item::PersonExtra),
];

const AUCTION: &[(&str, Wanted, Item)] = &[
    ("id", BigInt, Item::AuctionId),
    ("itemName", Text, Item::AuctionName),
    ("description", Text, Item::Description),
    ("initialBid", BigInt, Item::InitialBid),
    ("reserve", BigInt, Item::Reserve),
    ("dateTime", Timestamp, Item::Time),
    ("expires", Timestamp, Item::Expires),
    ("seller", BigInt, Item::Seller),
    ("category", BigInt, Item::Category),
    ("extra", Text, Item::AuctionExtra),
];

const BID: &[(&str, Wanted, Item)] = &[
    ("auction", BigInt, Item::BidAuction),
    ("bidder", BigInt, Item::Bidder),
    ("price", BigInt, Item::Price),
    ("channel", Text, Item::Channel),
    ("url", Text, Item::Url),
    ("dateTime", Timestamp, Item::Time),
    ("extra", Text, Item::BidExtra),
];

/// A scalar to make.
#[derive(Debug, Clone)]
pub(super) struct Scalar {
    pub(super) item: Item,
    pub(super) kind: TypeKind,
}

/// A column of the wide table.
#[derive(Debug, Clone)]
pub(super) enum WideColumn {
    EventType,
    Row(Kind, Fields, Vec<Scalar>),
}

/// The projected columns, in order.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    Wide(Vec<WideColumn>),
    Flat(Kind, Vec<Scalar>),
}

/// What is to be made.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) shape: Shape,
    /// The kinds whose events a wide table keeps.
    pub(super) kinds: Kinds,
    /// What the events of a flat table have to pass.
    pub(super) tests: Vec<Test>,
}

impl Plan {
    /// Whether any column that is made holds this field.
    pub(super) fn makes(&self, item: Item) -> bool {
        let among = |scalars: &[Scalar]| scalars.iter().any(|s| s.item == item);
        let projected = match &self.shape {
            Shape::Flat(_, scalars) => among(scalars),
            Shape::Wide(columns) => columns
                .iter()
                .any(|c| matches!(c, WideColumn::Row(_, _, scalars) if among(scalars))),
        };
        projected || self.tests.iter().any(|t| t.scalar.item == item)
    }
}

/// Checks the declaration and picks the projected columns; `flat` is the option `nexmark.table`.
pub(super) fn plan(request: &SourceRequest, flat: Option<&str>) -> Result<Plan> {
    let columns = &request.table.columns;
    let Some(flat) = flat else {
        let all = columns.iter().map(|c| wide_column(&c.name, &c.data_type));
        let all = all.collect::<Result<Vec<_>>>()?;
        let shape = Shape::Wide(request.projection.iter().map(|&i| all[i].clone()).collect());
        let kinds = filter::kinds(&all, &request.filters)?;
        return Ok(Plan { shape, kinds, tests: Vec::new() });
    };
    let kind = kind(&flat.to_ascii_lowercase()).ok_or_else(|| {
        Error::internal("'nexmark.table' was validated as person, auction or bid")
    })?;
    let all = columns.iter().map(|c| scalar(kind, &c.name, &c.data_type));
    let all = all.collect::<Result<Vec<_>>>()?;
    let shape = Shape::Flat(kind, request.projection.iter().map(|&i| all[i].clone()).collect());
    let tests = filter::tests(&all, &request.filters)?;
    Ok(Plan { shape, kinds: Kinds::only(kind), tests })
}

fn kind(name: &str) -> Option<Kind> {
    match name {
        "person" => Some(Kind::Person),
        "auction" => Some(Kind::Auction),
        "bid" => Some(Kind::Bid),
        _ => None,
    }
}

fn fields(kind: Kind) -> &'static [(&'static str, Wanted, Item)] {
    match kind {
        Kind::Person => PERSON,
        Kind::Auction => AUCTION,
        Kind::Bid => BID,
    }
}

fn wide_column(name: &str, data_type: &DataType) -> Result<WideColumn> {
    if name == "event_type" {
        return match data_type.kind {
            TypeKind::Int => Ok(WideColumn::EventType),
            _ => Err(wrong_type(name, data_type, "INT")),
        };
    }
    let Some(kind) = kind(name) else {
        let hint = if let Some((flat, _)) = ["person", "auction", "bid"]
            .into_iter()
            .filter_map(|k| kind(k).map(|kind| (k, kind)))
            .find(|(_, kind)| fields(*kind).iter().any(|f| f.0 == name))
        {
            format!("for a table of the fields of one kind, set 'nexmark.table' = '{flat}'")
        } else {
            "its columns are event_type INT and the ROWs person, auction, bid".to_owned()
        };
        return Err(
            Error::user(format!("connector 'nexmark' has no column '{name}'")).with_hint(hint)
        );
    };
    let TypeKind::Row(declared) = &data_type.kind else {
        return Err(wrong_type(name, data_type, &row_text(kind)));
    };
    let scalars = declared.iter().map(|f| {
        scalar(kind, &f.name, &f.data_type).map_err(|e| e.context(format!("column '{name}'")))
    });
    Ok(WideColumn::Row(kind, arrow_fields(declared), scalars.collect::<Result<_>>()?))
}

fn scalar(kind: Kind, name: &str, data_type: &DataType) -> Result<Scalar> {
    let known = fields(kind);
    let Some((_, wanted, item)) = known.iter().find(|f| f.0 == name) else {
        let error = Error::user(format!("nexmark's events have no field '{name}' of this kind"));
        return Err(match nearest(name, known.iter().map(|f| f.0)) {
            Some(other) => error.with_hint(format!("did you mean '{other}'?")),
            None => error.with_hint(format!("expected {}", row_text(kind))),
        });
    };
    let fits = match wanted {
        BigInt => data_type.kind == TypeKind::BigInt,
        Text => data_type.kind.is_string(),
        Timestamp => data_type.kind.is_timestamp(),
    };
    if fits {
        Ok(Scalar { item: *item, kind: data_type.kind.clone() })
    } else {
        Err(wrong_type(name, data_type, wanted_text(*wanted)))
    }
}

fn wanted_text(wanted: Wanted) -> &'static str {
    match wanted {
        BigInt => "BIGINT",
        Text => "STRING",
        Timestamp => "TIMESTAMP(3)",
    }
}

fn row_text(kind: Kind) -> String {
    let fields = fields(kind).iter().map(|f| format!("{} {}", f.0, wanted_text(f.1)));
    format!("ROW<{}>", fields.collect::<Vec<_>>().join(", "))
}

fn wrong_type(name: &str, data_type: &DataType, wanted: &str) -> Error {
    Error::user(format!("'{name}' is declared as {data_type}, but nexmark makes {wanted}"))
        .with_hint(format!("declare '{name}' as {wanted}"))
}
