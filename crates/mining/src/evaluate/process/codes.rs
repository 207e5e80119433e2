//! Something per code, and names as small numbers.
//!
//! The texts of a column are codes. What a name from the query means for a
//! code is found out once per code, not once per event.

use std::collections::HashMap;

use crate::evaluate::group_key::GroupKey;
use crate::evaluate::operand::Operand;
use crate::evaluate::threads::fill_runs;
use crate::log::NO_CODE;
use crate::value::Type;

/// Codes below this are places of a vector. More distinct activities than that
/// are rare; then a map saves a vector as long as the largest code.
const DENSE: u32 = 1 << 16;

/// Something for each code, made when it is first asked for.
#[derive(Default)]
pub(super) struct PerCode<T> {
    dense: Vec<T>,
    sparse: HashMap<u32, T>,
}

impl<T: Clone + Default> PerCode<T> {
    pub(super) fn of(&mut self, code: u32) -> &mut T {
        if code >= DENSE {
            return self.sparse.entry(code).or_default();
        }
        let place = code as usize;
        if place >= self.dense.len() {
            self.dense.resize(place + 1, T::default());
        }
        &mut self.dense[place]
    }
}

/// The names of a query; each is known by its place.
pub(super) struct Names<'n> {
    places: HashMap<&'n str, usize>,
    known: PerCode<Known>,
}

/// What is known of a code.
#[derive(Clone, Copy, Default)]
enum Known {
    #[default]
    Nothing,
    /// None of the names.
    Other,
    /// The name at this place.
    Name(usize),
}

impl<'n> Names<'n> {
    pub(super) fn new(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut places = HashMap::new();
        for name in names {
            let next = places.len();
            places.entry(name).or_insert(next);
        }
        Names { places, known: PerCode::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }

    /// Returns the place of the name that an event bears, if it is one of them.
    pub(super) fn at(&mut self, value: &Operand, row: usize) -> Option<usize> {
        let known = self.known.of(value.code(row)?);
        match *known {
            Known::Name(place) => Some(place),
            Known::Other => None,
            Known::Nothing => {
                let found = self.places.get(value.text(row)?).copied();
                *known = found.map_or(Known::Other, Known::Name);
                found
            }
        }
    }
}

/// Numbers the values of events so that equal ones have equal numbers; a
/// missing value is [`NO_CODE`].
pub(super) fn identities(value: &Operand, rows: usize) -> Vec<u32> {
    if value.vector.value_type() == Type::String {
        return fill_runs(rows, |run, into| value.read_codes(run, into));
    }
    let mut known: HashMap<GroupKey, u32> = HashMap::new();
    let number = |row| match GroupKey::from(value.value(row)) {
        GroupKey::Null => NO_CODE,
        key => {
            let next = known.len() as u32;
            *known.entry(key).or_insert(next)
        }
    };
    (0..rows).map(number).collect()
}
