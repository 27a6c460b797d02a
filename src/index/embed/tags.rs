//! What the models' answers become: tags, and the photos that need not be shown to a detector.

use super::{BatchWork, EmbedThread};
use crate::boxes;
use crate::index::lanes::Lane;
use crate::index::spaces::Role;
use crate::looks::Looks;
use crate::store::{ModelResult, Tagged};
use crate::tag::SeenByModels;

impl BatchWork {
    /// What tells the photo's kind.
    fn looks(&self) -> Option<Looks> {
        let now = self.seen.inspection.as_ref().map(|seen| seen.looks);
        now.or(self.seen.looks)
    }

    /// What a model has made of the photo, now or before.
    fn vector(&self, model: Option<i64>) -> Option<&[f32]> {
        let model = model?;
        let now = self.made.iter().find(|made| made.model == model);
        let now = now.map(|made| &made.embedding);
        let before = || self.seen.known.iter().find(|(of, _)| *of == model);
        let found = now.or_else(|| before().map(|(_, kept)| kept));
        found.map(|found| found.values.as_slice())
    }
}

impl EmbedThread {
    /// The tags of those photos that the classifier or a detector has seen now, of all that is known of
    /// them. A photo that only another search model has seen keeps the tags it has.
    pub(super) fn tag(&mut self, works: &mut [BatchWork]) -> Vec<Option<Tagged>> {
        let (Some(current), Some(plan)) = (self.current.as_ref().map(|c| c.get()), &self.plan)
        else {
            return works.iter().map(|_| None).collect();
        };
        let model = |role| self.lanes.iter().find(|l| l.role == role)?.model;
        let [classifier, things, faces] = [Role::Tags, Role::Things, Role::Faces].map(model);
        let makers = [classifier, things, faces];
        let is_new = |work: &BatchWork| {
            let mut made = work.made.iter();
            made.any(|made| makers.contains(&Some(made.model)))
        };
        for work in works.iter_mut().filter(|work| is_new(work)) {
            if let (None, Some(vector)) = (&work.logits, work.vector(classifier)) {
                work.logits = plan.tags.classifier.logits(vector).ok();
            }
        }
        let tagged_now: Vec<bool> = works.iter().map(is_new).collect();
        let seen: Vec<SeenByModels<'_>> = works
            .iter()
            .zip(&tagged_now)
            .filter(|(_, now)| **now)
            .map(|(work, _)| SeenByModels {
                logits: work.logits.as_deref(),
                search: work.vector(current.search),
                things: work.vector(things),
                faces: work.vector(faces),
                looks: work.looks(),
            })
            .collect();
        let mut tagged = self.tagging.tags(&current, &seen).into_iter();
        tagged_now
            .into_iter()
            .map(|now| now.then(|| tagged.next()).flatten())
            .collect()
    }

    /// Photos in which the other detector saw nobody have no faces, and are not shown to this one.
    pub(super) fn pass_over(
        &self,
        lane: &Lane,
        model: i64,
        things: Option<i64>,
        works: &mut [BatchWork],
    ) {
        let Some(plan) = &self.plan else {
            return;
        };
        let (detectors, words) = (&plan.tags.detectors, plan.tags.classifier.vocabulary());
        for work in works {
            let Some(at) = work.tensors.iter().position(|t| t.lane == lane.id) else {
                continue;
            };
            let found = work.vector(things).map(boxes::of);
            if found.is_some_and(|found| !detectors.faces_wanted(words, &found)) {
                work.tensors.swap_remove(at);
                work.made.push(ModelResult {
                    model,
                    embedding: boxes::kept(&[]),
                });
            }
        }
    }
}
