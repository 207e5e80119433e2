//! The combinations of a DOMAIN_TABLE.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::evaluator::{InScope, Scope};
use super::given::Group;
use super::group_key::GroupKey;
use super::keys::group;
use super::operand::{Operand, Places};
use super::row_list::RowList;
use crate::log::NO_ROW;
use crate::pql::plan::Grain;
use crate::value::Value;

/// The combinations of a DOMAIN_TABLE.
pub(super) struct DomainRows {
    /// Per row of the source its combination, or [`NO_ROW`]; nothing where the
    /// combinations were named from outside.
    of_source: Option<Vec<u32>>,
    /// How many there are.
    pub(super) count: usize,
    /// The first row of each combination.
    firsts: Vec<u32>,
    /// What each is, made when somebody asks.
    keys: OnceLock<Arc<Vec<Vec<Value>>>>,
    /// Made when rows of touched cases have to find their combinations.
    places: OnceLock<HashMap<Vec<GroupKey>, u32>>,
}

impl DomainRows {
    /// Returns the place of a combination, once they can be found by key.
    pub(super) fn place(&self, key: &[Value]) -> u32 {
        let key: Vec<GroupKey> = key.iter().cloned().map(GroupKey::from).collect();
        self.places.get().and_then(|places| places.get(&key)).copied().unwrap_or(NO_ROW)
    }
}

impl InScope<'_> {
    pub(super) fn domain_places(&self, grain: Grain, domain: usize) -> Vec<u32> {
        let rows = self.domain(domain);
        let described = &self.own.program.domains[domain];
        if let (true, Some(of_source)) = (self.has_own_domains(), &rows.of_source) {
            return match self.places(grain, described.source) {
                Places::Listed(places) => {
                    let place = |place: &u32| if *place == NO_ROW { NO_ROW } else { of_source[*place as usize] };
                    places.iter().map(place).collect()
                }
                _ => of_source.clone(),
            };
        }
        let known = self.found_by_key(domain);
        let operands: Vec<Operand> = described.keys.iter().map(|key| self.operand(key, grain)).collect();
        let place = |row: usize| {
            let key: Vec<Value> = operands.iter().map(|operand| operand.value(row)).collect();
            known.place(&key)
        };
        (0..self.length(grain)).map(place).collect()
    }

    /// Tells whether the combinations of a DOMAIN_TABLE are those of what is in
    /// scope rather than of the whole.
    fn has_own_domains(&self) -> bool {
        self.is_whole() || self.given.is_some()
    }

    /// Returns what the combinations of a DOMAIN_TABLE are.
    pub(super) fn domain_keys(&self, domain: usize) -> Arc<Vec<Vec<Value>>> {
        let rows = self.domain(domain);
        let made = rows.keys.get_or_init(|| {
            let home = if self.has_own_domains() { self } else { &self.everything() };
            let described = &self.own.program.domains[domain];
            let operands: Vec<Operand> = described.keys.iter().map(|key| home.operand(key, described.source)).collect();
            let key = |row: &u32| operands.iter().map(|operand| operand.value(*row as usize)).collect();
            Arc::new(rows.firsts.iter().map(key).collect())
        });
        made.clone()
    }

    /// Returns the combinations of a DOMAIN_TABLE, to be found by their keys.
    pub(super) fn found_by_key(&self, domain: usize) -> Arc<DomainRows> {
        let rows = self.domain(domain);
        rows.places.get_or_init(|| {
            let keys = self.domain_keys(domain);
            let key = |key: &Vec<Value>| key.iter().cloned().map(GroupKey::from).collect();
            keys.iter().enumerate().map(|(place, values)| (key(values), place as u32)).collect()
        });
        rows
    }

    /// Lists the combinations of a DOMAIN_TABLE, always of the whole. A
    /// combination with a missing part is none.
    ///
    /// Where figures are given, only the combinations in scope are listed: the
    /// figures of others are not asked for.
    pub(super) fn domain(&self, domain: usize) -> Arc<DomainRows> {
        if !self.is_whole() && self.given.is_none() {
            return self.everything().domain(domain);
        }
        if let Some(known) = self.own.domains.borrow().get(&domain) {
            return known.clone();
        }
        if let Scope::Combinations(own, keys) = &self.own.scope
            && *own == domain
        {
            let rows = Arc::new(DomainRows {
                of_source: None,
                count: keys.len(),
                firsts: Vec::new(),
                keys: OnceLock::from(Arc::new(keys.clone())),
                places: OnceLock::new(),
            });
            self.own.domains.borrow_mut().insert(domain, rows.clone());
            return rows;
        }
        let described = &self.own.program.domains[domain];
        let grain = described.source;
        let operands: Vec<Operand> = described.keys.iter().map(|key| self.operand(key, grain)).collect();
        let grouped = group(&RowList::all(self.length(grain)), &operands);
        let mut firsts = Vec::new();
        let mut numbers = Vec::with_capacity(grouped.firsts.len());
        for row in grouped.firsts {
            let is_whole = operands.iter().all(|operand| !operand.is_null(row as usize));
            numbers.push(if is_whole { firsts.len() as u32 } else { NO_ROW });
            if is_whole {
                firsts.push(row);
            }
        }
        let of_source = grouped.groups.iter().map(|group| numbers[*group as usize]).collect();
        let rows = Arc::new(DomainRows {
            of_source: Some(of_source),
            count: firsts.len(),
            firsts,
            keys: OnceLock::new(),
            places: OnceLock::new(),
        });
        self.own.domains.borrow_mut().insert(domain, rows.clone());
        rows
    }

    /// Names what stands at each place of a grain, the same on every root.
    pub(crate) fn groups(&self, grain: Grain) -> Vec<Group> {
        match grain {
            Grain::Constant | Grain::Group => vec![Group::All],
            Grain::Table(table) => self.frame(table).rows.iter().map(Group::Row).collect(),
            Grain::Domain(domain) => self.domain_keys(domain).iter().map(|key| Group::key(key)).collect(),
            Grain::Edges => unreachable!("pairs belong to one case, and no figure of several has a value for them"),
        }
    }
}
