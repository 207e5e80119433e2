//! What need not be read.
//!
//! Whoever looks for certain keys, or for values that a statement asks for,
//! passes over the files, the row groups and the pages whose bounds say that
//! they hold none of them. A row that might be wanted is always read: bounds
//! leave things out, they never decide.

use std::collections::BTreeSet;
use std::fs::File;

use arrow::array::{Array as _, ArrayRef, UInt32Array};
use arrow::compute::take;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator, TableProviderFilterPushDown};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection, RowSelector};
use parquet::errors::ParquetError;
use pools::rows::Schema;

use crate::arrow_rows::{arrow_type, column_type};
use crate::bounds::{Bound, Extent, Extents, extent_of};
use crate::keys::{Coder, Ends, KeyRange, Sought};
use crate::rest::{Rest, RestFile};

/// What of a file is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Choice<'a> {
    /// Everything.
    All,
    /// Rows that may bear one of these keys. The file's key range is known.
    Keys(Sought<'a>),
    /// Rows that may hold these values.
    Where(&'a [Wanted]),
}

/// Returns the range of keys in a file.
pub(crate) fn key_range(coder: &Coder, extents: &Extents) -> Option<KeyRange> {
    let mut columns = Vec::new();
    for (name, column_type) in coder.columns().iter().zip(coder.types()) {
        let Some(Extent { low: Some(low), high: Some(high), nulls }) = extents.of(name) else { break };
        let ends = Ends { low: low.array(false), high: high.array(true), nulls: vec![*nulls] };
        if *ends.low.data_type() != arrow_type(*column_type) {
            break;
        }
        columns.push(ends);
    }
    coder.ranges(1, &columns).ok()?.pop().flatten()
}

/// Tells what of a file has to be read to find keys; `None` if nothing.
pub(crate) fn keys_in<'a>(rest: &Rest, file: &RestFile, sought: Sought<'a>) -> Option<Choice<'a>> {
    match &file.keys {
        Some(range) if sought.coder.is_for(&rest.shape) => sought.may_lie_in(range).then_some(Choice::Keys(sought)),
        _ => Some(Choice::All),
    }
}

/// Leaves out of a reader what is not wanted.
pub(crate) fn narrow(
    builder: ParquetRecordBatchReaderBuilder<File>,
    choice: Choice<'_>,
) -> Result<ParquetRecordBatchReaderBuilder<File>, ParquetError> {
    match choice {
        Choice::All => Ok(builder),
        Choice::Where(wanted) => {
            let groups = builder.metadata().row_groups();
            let holds = |wanted: &Wanted, group: usize| {
                let place = builder.schema().fields().iter().position(|field| wanted.is_of(field.name()))?;
                let column_type = column_type(builder.schema().field(place).data_type());
                Some(wanted.may_lie_in(&extent_of(&groups[group], place, column_type)))
            };
            let kept =
                (0..groups.len()).filter(|group| wanted.iter().all(|wanted| holds(wanted, *group) != Some(false)));
            let kept = kept.collect();
            Ok(builder.with_row_groups(kept))
        }
        Choice::Keys(sought) => {
            let (groups, selection) = pages(&builder, sought)?;
            let builder = builder.with_row_groups(groups);
            Ok(match selection {
                Some(selection) => builder.with_row_selection(selection),
                None => builder,
            })
        }
    }
}

/// Returns the row groups in which keys may lie, and which of their rows.
fn pages(
    builder: &ParquetRecordBatchReaderBuilder<File>,
    sought: Sought<'_>,
) -> Result<(Vec<usize>, Option<RowSelection>), ParquetError> {
    let metadata = builder.metadata();
    let mut columns = Vec::new();
    for key in sought.coder.columns() {
        let field = builder.schema().fields().iter().find(|field| field.name().eq_ignore_ascii_case(key));
        let Some(field) = field else { break };
        columns.push(StatisticsConverter::try_new(field.name(), builder.schema(), builder.parquet_schema())?);
    }
    let groups = metadata.row_groups();
    let mut ends = Vec::new();
    for column in &columns {
        let nulls = column.row_group_null_counts(groups)?;
        ends.push(Ends {
            low: column.row_group_mins(groups)?,
            high: column.row_group_maxes(groups)?,
            nulls: nulls.iter().collect(),
        });
    }
    let may_lie_in = |range: &Option<KeyRange>| range.as_ref().is_none_or(|range| sought.may_lie_in(range));
    let ranges = sought.coder.ranges(groups.len(), &ends)?;
    let kept: Vec<usize> = (0..groups.len()).filter(|group| may_lie_in(&ranges[*group])).collect();
    let (Some(column_index), Some(offset_index)) = (metadata.column_index(), metadata.offset_index()) else {
        return Ok((kept, None));
    };
    let mut selectors = Vec::new();
    for group in &kept {
        // Each column has pages of its own; between two ends of any of them
        // lies a stretch that is in one page of each.
        let rows = groups[*group].num_rows() as usize;
        let starts_of = |column: &StatisticsConverter<'_>| -> Option<Vec<usize>> {
            let place = column.parquet_column_index()?;
            let pages = offset_index.get(*group)?.get(place)?.page_locations();
            Some(pages.iter().map(|page| page.first_row_index as usize).collect())
        };
        let starts: Option<Vec<Vec<usize>>> = columns.iter().map(starts_of).collect();
        let Some(starts) = starts.filter(|starts| starts.iter().all(|pages| pages.first() == Some(&0))) else {
            selectors.push(RowSelector::select(rows));
            continue;
        };
        let stretches: Vec<usize> = starts.iter().flatten().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let mut ends = Vec::new();
        for (column, starts) in columns.iter().zip(&starts) {
            let page_of = |row: &usize| starts.partition_point(|start| start <= row) as u32 - 1;
            let pages: UInt32Array = stretches.iter().map(page_of).collect::<Vec<_>>().into();
            let spread = |values: ArrayRef| -> Result<ArrayRef, ParquetError> { Ok(take(&values, &pages, None)?) };
            let nulls = column.data_page_null_counts(column_index, offset_index, [group])?;
            ends.push(Ends {
                low: spread(column.data_page_mins(column_index, offset_index, [group])?)?,
                high: spread(column.data_page_maxes(column_index, offset_index, [group])?)?,
                nulls: pages
                    .values()
                    .iter()
                    .map(|page| nulls.is_valid(*page as usize).then(|| nulls.value(*page as usize)))
                    .collect(),
            });
        }
        let ranges = sought.coder.ranges(stretches.len(), &ends)?;
        let next = stretches.iter().skip(1).copied().chain([rows]);
        for ((start, end), range) in stretches.iter().zip(next).zip(&ranges) {
            let count = end - start;
            selectors.push(if may_lie_in(range) { RowSelector::select(count) } else { RowSelector::skip(count) });
        }
    }
    Ok((kept, Some(selectors.into())))
}

/// Values of one column that a statement asks for: what lies between two ends.
/// An end that is `None` is open.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wanted {
    column: String,
    low: Option<Bound>,
    high: Option<Bound>,
}

impl Wanted {
    fn is_of(&self, column: &str) -> bool {
        self.column.eq_ignore_ascii_case(column)
    }

    /// Returns what holds for values between these ends and for those between
    /// others.
    fn or(self, other: &Wanted) -> Wanted {
        let outer = |one: Option<Bound>, other: &Option<Bound>, outward: fn(Bound, Bound) -> Bound| {
            let (one, other) = one.zip(other.clone())?;
            one.compare(&other).is_some().then(|| outward(one, other))
        };
        let (low, high) = (outer(self.low, &other.low, Bound::smaller), outer(self.high, &other.high, Bound::larger));
        Wanted { column: self.column, low, high }
    }

    /// Tells whether values between these ends may be among those of a column.
    fn may_lie_in(&self, extent: &Extent) -> bool {
        let is_below = |high: &Option<Bound>, low: &Option<Bound>| {
            let order = high.as_ref().zip(low.as_ref()).and_then(|(high, low)| high.compare(low));
            order.is_some_and(std::cmp::Ordering::is_lt)
        };
        !is_below(&extent.high, &self.low) && !is_below(&self.high, &extent.low)
    }
}

/// Returns how far the engine's conditions can be left to [`Wanted`]: it looks
/// again at each row.
pub(crate) fn pushdown(filters: &[&Expr]) -> Vec<TableProviderFilterPushDown> {
    let understood = |filter: &&Expr| {
        let mut wanted = Vec::new();
        understand(filter, &mut wanted);
        if wanted.is_empty() { TableProviderFilterPushDown::Unsupported } else { TableProviderFilterPushDown::Inexact }
    };
    filters.iter().map(understood).collect()
}

/// Returns what of a statement's conditions is understood: comparisons of a
/// column with a value. Each row that it asks for meets all of them.
pub(crate) fn wanted(filters: &[Expr], at_rest: &Schema) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for filter in filters {
        understand(filter, &mut wanted);
    }
    // A column whose type has changed since is compared in another order.
    wanted.retain(|wanted| {
        let place = at_rest.position(&wanted.column);
        let is = place.map(|place| at_rest.columns[place].column_type);
        let ends = wanted.low.iter().chain(&wanted.high);
        ends.map(Bound::column_type).all(|asked| Some(asked) == is)
    });
    wanted
}

fn understand(filter: &Expr, wanted: &mut Vec<Wanted>) {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            understand(left, wanted);
            understand(right, wanted);
        }
        // Of two ways out, that is certain which holds for both.
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let (mut one, mut other) = (Vec::new(), Vec::new());
            understand(left, &mut one);
            understand(right, &mut other);
            for one in one {
                let same = other.iter().find(|other| other.column == one.column);
                wanted.extend(same.map(|other| one.or(other)));
            }
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (column, op, value) = match (&**left, &**right) {
                (Expr::Column(column), Expr::Literal(value, _)) => (column, Some(*op), value),
                (Expr::Literal(value, _), Expr::Column(column)) => (column, op.swap(), value),
                _ => return,
            };
            let Some(value) = bound(value) else { return };
            let (low, high) = match op {
                Some(Operator::Eq) => (Some(value.clone()), Some(value)),
                Some(Operator::Lt | Operator::LtEq) => (None, Some(value)),
                Some(Operator::Gt | Operator::GtEq) => (Some(value), None),
                _ => return,
            };
            wanted.push(Wanted { column: column.name.clone(), low, high });
        }
        Expr::Between(Between { expr, negated: false, low, high }) => {
            let (Expr::Column(column), Expr::Literal(low, _), Expr::Literal(high, _)) = (&**expr, &**low, &**high)
            else {
                return;
            };
            wanted.push(Wanted { column: column.name.clone(), low: bound(low), high: bound(high) });
        }
        Expr::InList(InList { expr, list, negated: false }) => {
            let Expr::Column(column) = &**expr else { return };
            let values = list.iter().map(|value| match value {
                Expr::Literal(value, _) => bound(value),
                _ => None,
            });
            let Some(values) = values.collect::<Option<Vec<_>>>() else { return };
            let low = values.iter().cloned().reduce(Bound::smaller);
            let high = values.into_iter().reduce(Bound::larger);
            wanted.push(Wanted { column: column.name.clone(), low, high });
        }
        _ => {}
    }
}

fn bound(value: &ScalarValue) -> Option<Bound> {
    match value {
        ScalarValue::Int64(value) => value.map(Bound::Integer),
        ScalarValue::Float64(value) => value.filter(|value| !value.is_nan()).map(Bound::Float),
        ScalarValue::TimestampMicrosecond(value, _) => value.map(Bound::Time),
        ScalarValue::Utf8(value) | ScalarValue::Utf8View(value) | ScalarValue::LargeUtf8(value) => {
            value.clone().map(Bound::Text)
        }
        _ => None,
    }
}

/// Tells whether a file may hold what a statement asks for.
pub(crate) fn may_hold(file: &RestFile, wanted: &[Wanted]) -> bool {
    wanted.iter().all(|wanted| file.extents.of(&wanted.column).is_none_or(|extent| wanted.may_lie_in(extent)))
}
