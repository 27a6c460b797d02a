//! The store as its callers see it: whole databases on disk, changes in, rows out.

mod labelling;
mod library;
mod migration;
mod models;
mod reading;
mod word_search;
