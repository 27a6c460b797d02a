//! Which models the embed thread runs: taken on, loaded, put to rest, let go.
//!
//! What cannot be loaded now is tried again later, and said once. The table of spaces is put whenever that
//! changes, so that workers make pictures for what runs and for nothing else.

use super::{EmbedThread, Order, REST, RETRY};
use crate::embedding::ModelId;
use crate::index::error::IndexError;
use crate::index::job::Write;
use crate::index::lanes::{Lane, SearchChoice};
use crate::index::memory::give_memory_back;
use crate::index::spaces::{ModelState, Role, Table};
use crate::model::Runtime;
use std::time::Instant;

impl EmbedThread {
    pub(super) fn obey(&mut self, order: Order) {
        match order {
            Order::Use { choice, serving } => {
                self.choose(choice);
                self.keep(serving);
                self.publish();
                self.load();
            }
            // Of an earlier choice, if it is another: then it speaks of nothing any more.
            Order::Settled(id) if self.in_use.as_ref() == Some(&id) => self.keep(None),
            Order::Settled(_) | Order::End => {}
        }
        self.publish();
        self.shared.progress.turn();
    }

    /// Lets go of search models that are neither in use nor this one.
    fn keep(&mut self, serving: Option<ModelId>) {
        let before = self.lanes.len();
        let wanted = [self.in_use.take(), serving];
        self.lanes
            .retain(|l| l.role != Role::Search || wanted.iter().flatten().any(|id| *id == l.name));
        let [in_use, _] = wanted;
        self.in_use = in_use;
        if self.lanes.len() < before {
            give_memory_back();
        }
    }

    /// Takes a search model on beside those that run.
    pub(super) fn choose(&mut self, choice: SearchChoice) {
        let Some(plan) = &self.plan else {
            return;
        };
        match choice {
            SearchChoice::Derived => self.in_use = Some(plan.derived.id.clone()),
            SearchChoice::Broken(name, why) => {
                tracing::warn!("{why}");
                self.in_use = Some(ModelId(name));
            }
            SearchChoice::Graph(pack) => {
                self.in_use = Some(pack.id.clone());
                if !self.lanes.iter().any(|l| l.name == pack.id) {
                    self.lanes
                        .push(Lane::graph(self.next_lane, Role::Search, *pack));
                    self.next_lane += 1;
                }
            }
        }
    }

    pub(super) fn publish(&self) {
        self.shared.spaces.set(Table {
            spaces: self.lanes.iter().map(Lane::space).collect(),
            in_use: self.in_use.clone(),
        });
    }

    /// A large model is not kept in memory while nothing comes in.
    pub(super) fn rest(&mut self) {
        let tired = |l: &&mut Lane| l.role == Role::Search && l.idle() >= REST;
        let mut rested = false;
        for lane in self.lanes.iter_mut().filter(tired) {
            rested |= lane.rest();
        }
        if rested {
            give_memory_back();
        }
    }

    pub(super) fn retry(&mut self) {
        let waiting = |l: &Lane| !l.is_loaded() && l.is_due();
        if self.last_try.elapsed() >= RETRY && self.lanes.iter().any(waiting) {
            self.load();
        }
    }

    /// Loads what is not loaded yet.
    pub(super) fn load(&mut self) {
        self.last_try = Instant::now();
        let Some(plan) = &self.plan else {
            return;
        };
        let (data_dir, threads) = (plan.data_dir.clone(), plan.threads);
        let mut missing = None;
        if self.runtime.is_none() {
            match Runtime::find(&data_dir) {
                Ok(runtime) => self.runtime = Some(runtime),
                Err(e) => missing = Some(e.to_string()),
            }
        }
        let mut lanes = std::mem::take(&mut self.lanes);
        // The small ones are made beside each other; a large one may need all the memory there is.
        if let Some(runtime) = &self.runtime {
            let small = |l: &&mut Lane| l.role != Role::Search && !l.is_loaded() && l.is_due();
            for lane in lanes.iter_mut().filter(small) {
                // What is wrong is said when it is waited for.
                let _ = lane.begin(runtime, (threads, self.shared.background));
            }
        }
        let mut said = String::new();
        for lane in lanes.iter_mut().filter(|l| !l.is_loaded() && l.is_due()) {
            let before = lane.state.clone();
            match self.load_lane(lane, threads, missing.as_deref()) {
                Ok(()) => tracing::info!("{} runs", lane.name),
                Err(why) => {
                    if before != ModelState::Missing(why.clone()) && said != why {
                        tracing::warn!("{why}");
                        said.clone_from(&why);
                    }
                    lane.unload(why);
                }
            }
        }
        self.lanes = lanes;
        self.publish();
        self.shared.progress.turn();
    }

    fn load_lane(
        &self,
        lane: &mut Lane,
        threads: usize,
        missing: Option<&str>,
    ) -> Result<(), String> {
        if lane.model.is_none() {
            lane.model = Some(self.adopt(lane)?);
        }
        let Some(runtime) = &self.runtime else {
            return Err(missing.unwrap_or("ONNX Runtime is not loaded").to_owned());
        };
        let how = (threads, self.shared.background);
        if let Err(e) = lane.load(runtime, how, &self.shared.stop) {
            lane.put_off(RETRY, &e);
            return Err(e.to_string());
        }
        lane.state = ModelState::Ready {
            runtime: runtime.path.clone(),
        };
        Ok(())
    }

    /// The model's key in the store.
    fn adopt(&self, lane: &Lane) -> Result<i64, String> {
        let (name, dims, kind) = (lane.name.clone(), lane.dims, lane.role.kind());
        let adopted = Write::ask(&self.write, move |store| {
            store.adopt_model(&name, dims, kind)
        });
        adopted.map_err(|e| match e {
            IndexError::StageDied(_) => "the index cannot be written".to_owned(),
            e => e.to_string(),
        })
    }
}
