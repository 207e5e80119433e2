//! Looking for patterns in the values of cases.
//!
//! A pattern becomes a list of instructions that stand for all ways of reading
//! on at once. Which of them are alive after a value depends on the ones before
//! and on the value's class alone, so each such step is worked out once and
//! looked up from then on: an event costs one look into a table. The tables
//! grow with what the data shows, not with what the pattern could mean.

use std::collections::HashMap;

use super::codes::PerCode;
use crate::evaluate::operand::Operand;
use crate::pql::regex::{Regex, Symbol};

/// Beyond this many states the tables are emptied and begin to grow anew.
const STATES_MAX: usize = 10_000;

/// A step that was not worked out yet.
const UNKNOWN: u32 = u32::MAX;

#[derive(Debug)]
enum Instruction {
    /// Reads a value that the symbol takes.
    Read { symbol: usize, next: usize },
    /// Goes on at both.
    Both(usize, usize),
    /// Goes on before the first value only.
    IfFirst(usize),
    /// Goes on after the last value only.
    IfLast(usize),
    /// The pattern was found.
    Found,
}

/// Where all ways of reading on stand.
struct State {
    /// Places of `Read` instructions.
    alive: Vec<usize>,
    /// The pattern was found.
    found: bool,
    /// It is found if nothing follows.
    found_at_end: bool,
    /// By class of the value that is read.
    next: Vec<u32>,
}

/// A pattern that reads values.
pub(super) struct Automaton {
    instructions: Vec<Instruction>,
    symbols: Vec<Symbol>,
    begin: usize,
    states: Vec<State>,
    known: HashMap<(Vec<usize>, bool, bool), u32>,
    /// Which symbols take the values of a class.
    classes: Vec<Vec<bool>>,
    class_of: PerCode<Option<u32>>,
    first: u32,
}

impl Automaton {
    pub(super) fn new(pattern: &Regex) -> Self {
        let mut automaton = Automaton {
            instructions: vec![Instruction::Found],
            symbols: Vec::new(),
            begin: 0,
            states: Vec::new(),
            known: HashMap::new(),
            classes: Vec::new(),
            class_of: PerCode::default(),
            first: 0,
        };
        automaton.begin = automaton.write(pattern, 0);
        automaton.first = automaton.first_state();
        automaton
    }

    /// Writes the instructions of a pattern that goes on at `next`.
    fn write(&mut self, pattern: &Regex, next: usize) -> usize {
        match pattern {
            Regex::Symbol(symbol) => {
                let known = self.symbols.iter().position(|other| other == symbol);
                let symbol = known.unwrap_or_else(|| {
                    self.symbols.push(symbol.clone());
                    self.symbols.len() - 1
                });
                self.add(Instruction::Read { symbol, next })
            }
            Regex::Start => self.add(Instruction::IfFirst(next)),
            Regex::End => self.add(Instruction::IfLast(next)),
            Regex::Sequence(parts) => parts.iter().rev().fold(next, |next, part| self.write(part, next)),
            Regex::Either(parts) => {
                let begins: Vec<usize> = parts.iter().map(|part| self.write(part, next)).collect();
                let mut begins = begins.into_iter().rev();
                let last = begins.next().unwrap_or(next);
                begins.fold(last, |other, one| self.add(Instruction::Both(one, other)))
            }
            Regex::Repeat { inner, least, most } => {
                let mut begin = next;
                match most {
                    None => {
                        // The way back is closed once it is known where it leads.
                        let again = self.add(Instruction::Both(next, next));
                        let inside = self.write(inner, again);
                        self.instructions[again] = Instruction::Both(inside, next);
                        begin = again;
                    }
                    Some(most) => {
                        for _ in *least..*most {
                            let inside = self.write(inner, begin);
                            begin = self.add(Instruction::Both(inside, next));
                        }
                    }
                }
                (0..*least).fold(begin, |begin, _| self.write(inner, begin))
            }
        }
    }

    fn add(&mut self, instruction: Instruction) -> usize {
        self.instructions.push(instruction);
        self.instructions.len() - 1
    }

    fn first_state(&mut self) -> u32 {
        let begin = self.begin;
        self.state(&[begin], true)
    }

    /// Finds the state in which reading goes on at any of the given places.
    fn state(&mut self, begins: &[usize], is_first: bool) -> u32 {
        let mut alive = Vec::new();
        let (mut found, mut found_at_end) = (false, false);
        // Each instruction may be reached before the end and at the end.
        let mut seen = vec![[false; 2]; self.instructions.len()];
        let mut open: Vec<(usize, bool)> = begins.iter().map(|begin| (*begin, false)).collect();
        while let Some((place, at_end)) = open.pop() {
            if std::mem::replace(&mut seen[place][usize::from(at_end)], true) {
                continue;
            }
            match &self.instructions[place] {
                Instruction::Read { .. } if at_end => {}
                Instruction::Read { .. } => alive.push(place),
                Instruction::Both(one, other) => open.extend([(*one, at_end), (*other, at_end)]),
                Instruction::IfFirst(next) if is_first => open.push((*next, at_end)),
                Instruction::IfFirst(_) => {}
                Instruction::IfLast(next) => open.push((*next, true)),
                Instruction::Found => {
                    found |= !at_end;
                    found_at_end = true;
                }
            }
        }
        alive.sort_unstable();
        let next = self.states.len() as u32;
        let state = *self.known.entry((alive.clone(), found, found_at_end)).or_insert(next);
        if state == next {
            self.states.push(State { alive, found, found_at_end, next: Vec::new() });
        }
        state
    }

    fn class(&mut self, value: &Operand, row: usize) -> Option<u32> {
        let code = value.code(row)?;
        if let Some(class) = *self.class_of.of(code) {
            return Some(class);
        }
        let text = value.text(row)?;
        let takes: Vec<bool> = self.symbols.iter().map(|symbol| symbol.takes(text)).collect();
        let class = self.classes.iter().position(|known| *known == takes).unwrap_or_else(|| {
            self.classes.push(takes);
            self.classes.len() - 1
        }) as u32;
        *self.class_of.of(code) = Some(class);
        Some(class)
    }

    fn step(&mut self, state: u32, class: u32) -> u32 {
        let known = self.states[state as usize].next.get(class as usize);
        if let Some(next) = known.filter(|next| **next != UNKNOWN) {
            return *next;
        }
        let mut begins: Vec<usize> = Vec::new();
        for place in &self.states[state as usize].alive {
            if let Instruction::Read { symbol, next } = self.instructions[*place]
                && self.classes[class as usize][symbol]
            {
                begins.push(next);
            }
        }
        // The pattern may begin after any value.
        begins.push(self.begin);
        if self.states.len() >= STATES_MAX {
            self.states.clear();
            self.known.clear();
            self.first = self.first_state();
            return self.state(&begins, false);
        }
        let next = self.state(&begins, false);
        let steps = &mut self.states[state as usize].next;
        if steps.len() <= class as usize {
            steps.resize(class as usize + 1, UNKNOWN);
        }
        steps[class as usize] = next;
        next
    }

    /// Tells whether the values of the given rows, in their order, contain the
    /// pattern; missing values are left out.
    pub(super) fn finds(&mut self, value: &Operand, rows: impl Iterator<Item = usize>) -> bool {
        let mut state = self.first;
        for row in rows {
            if self.states[state as usize].found {
                return true;
            }
            if let Some(class) = self.class(value, row) {
                state = self.step(state, class);
            }
        }
        self.states[state as usize].found_at_end
    }
}
