//! Models of a process as Petri nets.
//!
//! Tokens lie on places; a transition takes one from each place before it and
//! gives one to each place behind it. Transitions are what happens: those of an
//! activity with its events, silent ones whenever it helps.

/// A checked net; places and transitions are numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Net {
    /// How many places there are.
    pub places: usize,
    /// The transitions.
    pub transitions: Vec<Transition>,
    /// The activities, each with its transitions.
    pub activities: Vec<(String, Vec<usize>)>,
    /// Where a token lies at the beginning.
    pub start: Vec<usize>,
    /// The case is complete with a token on one of these.
    pub end: Vec<usize>,
}

/// What happens in one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transition {
    /// Places that give a token.
    pub takes: Vec<usize>,
    /// Places that get one.
    pub gives: Vec<usize>,
}

impl Net {
    /// Returns the transitions that no activity stands for.
    pub fn silent(&self) -> Vec<usize> {
        let is_named = |place: &usize| self.activities.iter().any(|(_, own)| own.contains(place));
        (0..self.transitions.len()).filter(|place| !is_named(place)).collect()
    }

    /// Adds a transition to an activity.
    pub(crate) fn map(&mut self, activity: &str, transition: usize) {
        match self.activities.iter_mut().find(|(known, _)| known == activity) {
            Some((_, own)) => own.push(transition),
            None => self.activities.push((activity.to_owned(), vec![transition])),
        }
    }
}
