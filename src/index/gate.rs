//! How much work is let through: all of it, live photos only, or none.

use std::sync::{Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};

/// What is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flow {
    /// Nothing is begun.
    Nothing,
    /// Photos that have just come in.
    Live,
    /// The backlog, photos that a model has not seen, tags to be made again.
    Everything,
}

/// The gate that every stage asks before it begins something.
pub(super) struct Gate(Mutex<Setting>);

struct Setting {
    flow: Flow,
    /// Dropped with the setting, which wakes everybody who waits for another one.
    _turns: Sender<()>,
    turned: Receiver<()>,
}

impl Default for Gate {
    fn default() -> Self {
        Self(Mutex::new(Setting::new(Flow::Everything)))
    }
}

impl Setting {
    fn new(flow: Flow) -> Self {
        let (turns, turned) = bounded(0);
        Self {
            flow,
            _turns: turns,
            turned,
        }
    }
}

impl Gate {
    /// What is let through, and a channel that closes when that changes.
    pub fn look(&self) -> (Flow, Receiver<()>) {
        let setting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (setting.flow, setting.turned.clone())
    }

    pub fn flow(&self) -> Flow {
        self.look().0
    }

    /// Lets this much through; true if that is a change.
    pub fn set(&self, flow: Flow) -> bool {
        let mut setting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = setting.flow != flow;
        if changes {
            *setting = Setting::new(flow);
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_is_woken_by_a_change_and_by_nothing_else() {
        let gate = Gate::default();
        let (flow, turned) = gate.look();
        assert_eq!(flow, Flow::Everything);
        assert!(!gate.set(Flow::Everything));
        assert!(turned.try_recv().is_err_and(|e| e.is_empty()));
        assert!(gate.set(Flow::Live));
        assert!(turned.recv().is_err(), "closed");
        assert_eq!(gate.flow(), Flow::Live);
    }
}
