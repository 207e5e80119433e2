//! What a file holds: for good, and only perhaps.

use base::Chance;

/// The piece of a write that a disk keeps or loses as a whole, in bytes.
const SECTOR: u64 = 512;

/// What was left of writes that nobody had synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// Changes that arrived.
    pub kept: u64,
    /// Changes that did not.
    pub lost: u64,
    /// Writes of which a part arrived.
    pub torn: u64,
}

/// A change to a file.
pub(crate) enum Change {
    Write { at: u64, bytes: Vec<u8> },
    Cut { to: u64 },
}

/// How a crash treats what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survival {
    /// All of it is lost.
    Nothing,
    /// All of it arrived: only the process ended, or the disk was quick.
    Everything,
    /// It arrived in order, up to some point.
    Beginning,
    /// Some of it arrived, in any order, and some in part.
    Anything,
}

impl Survival {
    pub(crate) fn draw(chance: &dyn Chance) -> Self {
        match chance.number() % 8 {
            0 => Survival::Nothing,
            1 => Survival::Everything,
            2 | 3 => Survival::Beginning,
            _ => Survival::Anything,
        }
    }

    /// Tells whether one thing that stands for itself survives.
    pub(crate) fn keeps(self, chance: &dyn Chance) -> bool {
        match self {
            Survival::Nothing => false,
            Survival::Everything => true,
            Survival::Beginning | Survival::Anything => chance.number().is_multiple_of(2),
        }
    }
}

/// The content of a file: what is durable, and what has happened since.
#[derive(Default)]
pub(crate) struct Content {
    durable: Vec<u8>,
    pending: Vec<Change>,
    /// As the operating system has it, in bytes.
    len: u64,
}

impl Content {
    pub(crate) fn durable(durable: Vec<u8>) -> Self {
        Content { len: durable.len() as u64, durable, pending: Vec::new() }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn change(&mut self, change: Change) {
        self.len = match &change {
            Change::Write { at, bytes } => self.len.max(at + bytes.len() as u64),
            Change::Cut { to } => *to,
        };
        self.pending.push(change);
    }

    pub(crate) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            apply(&mut self.durable, &change);
        }
    }

    /// Loses what a failed sync was to make durable.
    pub(crate) fn forget_pending(&mut self) {
        self.pending.clear();
    }

    pub(crate) fn after_crash(&self, survival: Survival, chance: &dyn Chance, remains: &mut Remains) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let arrived = match survival {
            Survival::Nothing => 0,
            Survival::Everything | Survival::Anything => self.pending.len(),
            Survival::Beginning => (chance.number() % (self.pending.len() as u64 + 1)) as usize,
        };
        for (place, change) in self.pending.iter().enumerate() {
            if place >= arrived {
                // The one that was under way when the power went.
                let was_under_way = survival == Survival::Beginning && place == arrived;
                if was_under_way && apply_in_part(&mut bytes, change, chance) {
                    remains.torn += 1;
                } else {
                    remains.lost += 1;
                }
                continue;
            }
            match survival {
                Survival::Anything => match chance.number() % 3 {
                    0 => remains.lost += 1,
                    1 if apply_in_part(&mut bytes, change, chance) => remains.torn += 1,
                    _ => {
                        apply(&mut bytes, change);
                        remains.kept += 1;
                    }
                },
                _ => {
                    apply(&mut bytes, change);
                    remains.kept += 1;
                }
            }
        }
        bytes
    }
}

fn apply(file: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { at, bytes } => put(file, *at, bytes),
        Change::Cut { to } => file.resize(*to as usize, 0),
    }
}

fn put(file: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let (start, end) = (at as usize, at as usize + bytes.len());
    if file.len() < end {
        file.resize(end, 0);
    }
    file[start..end].copy_from_slice(bytes);
}

/// Applies some sectors of a write, or its beginning; false for a change that
/// happens wholly or not at all.
fn apply_in_part(file: &mut Vec<u8>, change: &Change, chance: &dyn Chance) -> bool {
    let Change::Write { at, bytes } = change else { return false };
    let is_short = chance.number().is_multiple_of(2);
    let first_sector = at / SECTOR;
    let last_sector = (at + bytes.len() as u64 - 1) / SECTOR;
    if is_short {
        let kept = chance.number() % bytes.len() as u64;
        put(file, *at, &bytes[..kept as usize]);
        return true;
    }
    for sector in first_sector..=last_sector {
        if chance.number().is_multiple_of(2) {
            continue;
        }
        let from = (sector * SECTOR).max(*at);
        let to = ((sector + 1) * SECTOR).min(at + bytes.len() as u64);
        put(file, from, &bytes[(from - at) as usize..(to - at) as usize]);
    }
    true
}
