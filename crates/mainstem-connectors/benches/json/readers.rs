//! The readers: ours, arrow-json, simd-json, sonic-rs and serde_json, each in the fastest way that its documentation shows.
//! Invariant: a reader gives the projected columns of the rows that pass the filter, whatever is inside the strings. All are
//! compiled alike, for every x86-64; simd-json chooses its instructions when it starts, sonic-rs only by `-C target-cpu`.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, BooleanArray};
use arrow_json::ReaderBuilder;
use arrow_schema::{Field, Schema};
use arrow_select::filter::filter;
use mainstem_connectors::format::json::decoder;
use mainstem_connectors::format::{BadRecords, DecodeRequest};
use mainstem_core::TypeKind;
use mainstem_core::ingest::{Decode, Decoded, Lines, Payload};
use mainstem_core::table::{FilterOp, Literal, ScanFilter};
use serde::Deserialize;
use simd_json::{Buffers, Node, StaticNode, Tape};
use sonic_rs::{JsonValueTrait as _, PointerTree};

use crate::columns::Builder;
use crate::input::{as_messages, event_columns, table};

/// What is to be read.
pub(crate) struct Task<'a> {
    pub(crate) columns: &'a [(String, TypeKind)],
    pub(crate) projection: &'a [usize],
    /// The column that has to be `Paid`.
    pub(crate) paid_only: Option<usize>,
}

/// Batches, each a list of columns.
pub(crate) type Batches = Vec<Vec<ArrayRef>>;

pub(crate) trait Reader {
    fn name(&self) -> &'static str;

    /// What is not measured: a copy for those that write into their input.
    fn prepare(&mut self, _piece: &Lines) {}

    fn read(&mut self, piece: &Lines) -> Batches;
}

/// Ours first: the others are compared with it.
pub(crate) fn general(task: &Task<'_>) -> Vec<Box<dyn Reader>> {
    vec![
        Box::new(Ours::new(task, "Mainstem, lines of a file", |lines| {
            Payload::Lines(lines.clone())
        })),
        Box::new(Ours::new(task, "Mainstem, records of a log", |lines| {
            as_messages(&Payload::Lines(lines.clone()))
        })),
        Box::new(ArrowJson::new(task)),
        Box::new(SimdJson::new(task)),
        Box::new(SonicLazy::new(task)),
    ]
}

pub(crate) fn payments() -> Vec<Box<dyn Reader>> {
    typed::<Payment<'static>>()
}

pub(crate) fn paid() -> Vec<Box<dyn Reader>> {
    typed::<Paid<'static>>()
}

pub(crate) fn events() -> Vec<Box<dyn Reader>> {
    typed::<Event<'static>>()
}

pub(crate) fn three_of_events() -> Vec<Box<dyn Reader>> {
    typed::<ThreeOfEvent<'static>>()
}

struct Ours {
    name: &'static str,
    decoder: Box<dyn Decode>,
    payload: fn(&Lines) -> Payload,
    next: Option<Payload>,
}

impl Ours {
    fn new(task: &Task<'_>, name: &'static str, payload: fn(&Lines) -> Payload) -> Self {
        let columns = task.columns.iter().map(|(name, kind)| (name.as_str(), kind.clone()));
        let paid = |column| ScanFilter {
            column,
            op: FilterOp::Eq,
            literal: Literal::String("Paid".into()),
        };
        let request = DecodeRequest {
            table: table(columns),
            projection: task.projection.to_vec(),
            filters: task.paid_only.map(paid).into_iter().collect(),
            bad_records: BadRecords::Fail,
            time_zone: "UTC".into(),
        };
        Self { name, decoder: decoder(&request).unwrap(), payload, next: None }
    }
}

impl Reader for Ours {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&mut self, piece: &Lines) {
        self.next = Some((self.payload)(piece));
    }

    fn read(&mut self, _piece: &Lines) -> Batches {
        let mut out = Decoded::default();
        self.decoder.decode(self.next.take().unwrap(), 0, &mut out).unwrap();
        out.batches.iter().map(|batch| batch.columns().to_vec()).collect()
    }
}

struct ArrowJson {
    decoder: arrow_json::reader::Decoder,
    /// Where the projected columns stand, and the one that is filtered by.
    projection: Vec<usize>,
    paid_only: Option<usize>,
}

impl ArrowJson {
    fn new(task: &Task<'_>) -> Self {
        let fields = task.projection.iter().chain(&task.paid_only).map(|&column| {
            let (name, kind) = &task.columns[column];
            Field::new(name, kind.clone().nullable().to_arrow(), true)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let decoder = ReaderBuilder::new(schema).with_batch_size(8192).build_decoder().unwrap();
        let count = task.projection.len();
        Self { decoder, projection: (0..count).collect(), paid_only: task.paid_only.map(|_| count) }
    }

    fn flush(&mut self, batches: &mut Batches) {
        let Some(batch) = self.decoder.flush().unwrap() else { return };
        let columns = self.projection.iter().map(|&column| batch.column(column));
        batches.push(match self.paid_only {
            None => columns.cloned().collect(),
            Some(status) => {
                let status = batch.column(status).as_string::<i32>();
                let paid: BooleanArray =
                    status.iter().map(|status| Some(status == Some("Paid"))).collect();
                columns.map(|column| filter(column, &paid).unwrap()).collect()
            }
        });
    }
}

impl Reader for ArrowJson {
    fn name(&self) -> &'static str {
        "arrow-json, Decoder"
    }

    fn read(&mut self, piece: &Lines) -> Batches {
        let mut batches = Batches::new();
        let mut rest = &piece.data[..];
        while !rest.is_empty() {
            let read = self.decoder.decode(rest).unwrap();
            rest = &rest[read..];
            if !rest.is_empty() {
                self.flush(&mut batches);
            }
        }
        self.flush(&mut batches);
        batches
    }
}

/// The place of a wanted field: the n-th field of a record is mostly the n-th field of the one before.
struct Fields {
    names: Vec<String>,
    /// For each field of `names` its builder; `None` if nobody asks for it.
    wanted: Vec<Option<usize>>,
}

impl Fields {
    fn new(task: &Task<'_>) -> Self {
        let names: Vec<String> = task.columns.iter().map(|(name, _)| name.clone()).collect();
        let place = |column| task.projection.iter().position(|&wanted| wanted == column);
        Self { wanted: (0..names.len()).map(place).collect(), names }
    }

    #[inline]
    fn index(&self, expected: usize, name: &str) -> Option<usize> {
        match self.names.get(expected) {
            Some(expected_name) if expected_name == name => Some(expected),
            _ => self.names.iter().position(|known| known == name),
        }
    }
}

struct SimdJson {
    fields: Fields,
    paid_only: Option<usize>,
    builders: Vec<Builder>,
    own: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
}

impl SimdJson {
    fn new(task: &Task<'_>) -> Self {
        Self {
            fields: Fields::new(task),
            paid_only: task.paid_only,
            builders: builders(task),
            own: Vec::new(),
            buffers: Buffers::new(4096),
            tape: Tape(Vec::new()),
        }
    }
}

impl Reader for SimdJson {
    fn name(&self) -> &'static str {
        "simd-json, tape"
    }

    fn prepare(&mut self, piece: &Lines) {
        self.own.clear();
        self.own.extend_from_slice(&piece.data);
    }

    fn read(&mut self, _piece: &Lines) -> Batches {
        let Self { fields, paid_only, builders, own, buffers, tape } = self;
        for line in own.split_mut(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let mut full = std::mem::replace(tape, Tape(Vec::new())).reset();
            simd_json::fill_tape(line, buffers, &mut full).unwrap();
            if paid_only.is_none_or(|column| is_paid(&full.0, &fields.names[column])) {
                append(&full.0, fields, builders);
            }
            *tape = full.reset();
        }
        vec![builders.iter_mut().map(Builder::finish).collect()]
    }
}

/// The fields of a flat record: after its first node, names and values in turn.
fn is_paid(nodes: &[Node<'_>], name: &str) -> bool {
    nodes[1..]
        .chunks_exact(2)
        .any(|field| field[0] == Node::String(name) && field[1] == Node::String("Paid"))
}

#[inline]
fn append(nodes: &[Node<'_>], fields: &Fields, builders: &mut [Builder]) {
    for (place, field) in nodes[1..].chunks_exact(2).enumerate() {
        let Node::String(name) = field[0] else { panic!("a name was expected") };
        let Some(wanted) = fields.index(place, name).and_then(|index| fields.wanted[index]) else {
            continue;
        };
        let builder = &mut builders[wanted];
        match field[1] {
            Node::String(text) => builder.text(text),
            Node::Static(StaticNode::I64(value)) => builder.long(value),
            Node::Static(StaticNode::U64(value)) => builder.long(value as i64),
            Node::Static(StaticNode::F64(value)) => builder.double(value),
            Node::Static(StaticNode::Bool(value)) => builder.flag(value),
            other => panic!("{other:?} was not expected"),
        }
    }
}

/// `get_many` of the wanted fields, each parsed when it is taken.
struct SonicLazy {
    tree: PointerTree,
    kinds: Vec<TypeKind>,
    paid_only: bool,
    builders: Vec<Builder>,
}

impl SonicLazy {
    fn new(task: &Task<'_>) -> Self {
        let mut tree = PointerTree::new();
        for &column in task.projection.iter().chain(&task.paid_only) {
            tree.add_path([task.columns[column].0.as_str()]);
        }
        Self {
            tree,
            kinds: task.projection.iter().map(|&column| task.columns[column].1.clone()).collect(),
            paid_only: task.paid_only.is_some(),
            builders: builders(task),
        }
    }
}

impl Reader for SonicLazy {
    fn name(&self) -> &'static str {
        "sonic-rs, get_many"
    }

    fn read(&mut self, piece: &Lines) -> Batches {
        for line in piece.data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let values = sonic_rs::get_many(line, &self.tree).unwrap();
            let last = values.last().and_then(Option::as_ref);
            if self.paid_only && last.and_then(|status| status.as_str()) != Some("Paid") {
                continue;
            }
            for ((value, kind), builder) in values.iter().zip(&self.kinds).zip(&mut self.builders) {
                let value = value.as_ref().unwrap();
                match kind {
                    TypeKind::BigInt => builder.long(value.as_i64().unwrap()),
                    TypeKind::Double => builder.double(value.as_f64().unwrap()),
                    TypeKind::Boolean => builder.flag(value.as_bool().unwrap()),
                    _ => builder.text(value.as_str().unwrap()),
                }
            }
        }
        vec![self.builders.iter_mut().map(Builder::finish).collect()]
    }
}

fn builders(task: &Task<'_>) -> Vec<Builder> {
    task.projection.iter().map(|&column| Builder::new(&task.columns[column].1)).collect()
}

/// A record as a struct of serde's.
trait Record {
    type Of<'a>: Deserialize<'a>;

    fn builders() -> Vec<Builder>;

    fn append(record: &Self::Of<'_>, builders: &mut [Builder]);
}

#[derive(Deserialize)]
struct Payment<'a> {
    #[serde(borrow)]
    event_timestamp: Cow<'a, str>,
    #[serde(borrow)]
    user_id: Cow<'a, str>,
    #[serde(borrow)]
    transaction_id: Cow<'a, str>,
    total_paid: f64,
    #[serde(borrow)]
    status: Cow<'a, str>,
}

impl Record for Payment<'static> {
    type Of<'a> = Payment<'a>;

    fn builders() -> Vec<Builder> {
        let (text, at) = (TypeKind::STRING, TypeKind::Timestamp { precision: 3 });
        [&at, &text, &text, &TypeKind::Double, &text].map(Builder::new).into()
    }

    #[inline]
    fn append(record: &Payment<'_>, builders: &mut [Builder]) {
        let [at, user, id, total, status] = builders else { panic!("five columns") };
        at.text(&record.event_timestamp);
        user.text(&record.user_id);
        id.text(&record.transaction_id);
        total.double(record.total_paid);
        status.text(&record.status);
    }
}

#[derive(Deserialize)]
struct Paid<'a> {
    total_paid: f64,
    #[serde(borrow)]
    event_timestamp: Cow<'a, str>,
    #[serde(borrow)]
    user_id: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
}

impl Record for Paid<'static> {
    type Of<'a> = Paid<'a>;

    fn builders() -> Vec<Builder> {
        let (text, at) = (TypeKind::STRING, TypeKind::Timestamp { precision: 3 });
        [&TypeKind::Double, &at, &text].map(Builder::new).into()
    }

    #[inline]
    fn append(record: &Paid<'_>, builders: &mut [Builder]) {
        if record.status != "Paid" {
            return;
        }
        let [total, at, user] = builders else { panic!("three columns") };
        total.double(record.total_paid);
        at.text(&record.event_timestamp);
        user.text(&record.user_id);
    }
}

#[derive(Deserialize)]
struct ThreeOfEvent<'a> {
    #[serde(borrow)]
    name_2: Cow<'a, str>,
    price_6: f64,
    #[serde(borrow)]
    at_14: Cow<'a, str>,
}

impl Record for ThreeOfEvent<'static> {
    type Of<'a> = ThreeOfEvent<'a>;

    fn builders() -> Vec<Builder> {
        let at = TypeKind::Timestamp { precision: 3 };
        [&TypeKind::STRING, &TypeKind::Double, &at].map(Builder::new).into()
    }

    #[inline]
    fn append(record: &ThreeOfEvent<'_>, builders: &mut [Builder]) {
        let [name, price, at] = builders else { panic!("three columns") };
        name.text(&record.name_2);
        price.double(record.price_6);
        at.text(&record.at_14);
    }
}

#[derive(Deserialize)]
struct Event<'a> {
    count_0: i64,
    price_1: f64,
    #[serde(borrow)]
    name_2: Cow<'a, str>,
    flag_3: bool,
    #[serde(borrow)]
    at_4: Cow<'a, str>,
    count_5: i64,
    price_6: f64,
    #[serde(borrow)]
    name_7: Cow<'a, str>,
    flag_8: bool,
    #[serde(borrow)]
    at_9: Cow<'a, str>,
    count_10: i64,
    price_11: f64,
    #[serde(borrow)]
    name_12: Cow<'a, str>,
    flag_13: bool,
    #[serde(borrow)]
    at_14: Cow<'a, str>,
    count_15: i64,
    price_16: f64,
    #[serde(borrow)]
    name_17: Cow<'a, str>,
    flag_18: bool,
    #[serde(borrow)]
    at_19: Cow<'a, str>,
}

impl Record for Event<'static> {
    type Of<'a> = Event<'a>;

    fn builders() -> Vec<Builder> {
        event_columns().iter().map(|(_, kind)| Builder::new(kind)).collect()
    }

    #[inline]
    fn append(record: &Event<'_>, builders: &mut [Builder]) {
        builders[0].long(record.count_0);
        builders[1].double(record.price_1);
        builders[2].text(&record.name_2);
        builders[3].flag(record.flag_3);
        builders[4].text(&record.at_4);
        builders[5].long(record.count_5);
        builders[6].double(record.price_6);
        builders[7].text(&record.name_7);
        builders[8].flag(record.flag_8);
        builders[9].text(&record.at_9);
        builders[10].long(record.count_10);
        builders[11].double(record.price_11);
        builders[12].text(&record.name_12);
        builders[13].flag(record.flag_13);
        builders[14].text(&record.at_14);
        builders[15].long(record.count_15);
        builders[16].double(record.price_16);
        builders[17].text(&record.name_17);
        builders[18].flag(record.flag_18);
        builders[19].text(&record.at_19);
    }
}

/// How a library makes a struct of a line.
type Parse<R> = for<'a> fn(&'a [u8]) -> <R as Record>::Of<'a>;

struct Typed<R: Record> {
    name: &'static str,
    parse: Parse<R>,
    builders: Vec<Builder>,
}

fn typed<R: Record + 'static>() -> Vec<Box<dyn Reader>> {
    let sonic: Parse<R> = |line| sonic_rs::from_slice(line).unwrap();
    let serde: Parse<R> = |line| serde_json::from_slice(line).unwrap();
    [("sonic-rs, struct", sonic), ("serde_json, struct", serde)]
        .map(|(name, parse)| {
            Box::new(Typed::<R> { name, parse, builders: R::builders() }) as Box<dyn Reader>
        })
        .into()
}

impl<R: Record> Reader for Typed<R> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn read(&mut self, piece: &Lines) -> Batches {
        for line in piece.data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            R::append(&(self.parse)(line), &mut self.builders);
        }
        vec![self.builders.iter_mut().map(Builder::finish).collect()]
    }
}
