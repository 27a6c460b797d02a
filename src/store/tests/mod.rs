//! The store as its callers see it: whole databases on disk, changes in, rows out.

mod durable;
mod gallery;
pub(crate) mod library;
mod localities;
mod migration;
mod models;
mod persons;
mod picture_text;
mod reading;
mod said;
mod sidecars;
mod steps;
mod tags;
mod word_search;
mod wounds;
