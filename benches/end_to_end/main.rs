//! End-to-end figures of the real binary, each beside its comparison in the same run.
//!
//! `make bench` runs all sections; `make bench BENCH="large rescan"` some of them. Photos are made
//! here unless `PHOTOND_BENCH_LARGE` (12 MP JPEGs) or `PHOTOND_BENCH_LABELLED` (a folder with a
//! `labels.tsv` of file name and WordNet id) name folders of real ones. `PHOTOND_BENCH_SIGLIP` names
//! a folder with graphs of a full-size model. Absolute times on shared machines lie: read the
//! ratios.

#![allow(clippy::print_stdout)]

mod encoders;
mod facts;
mod gallery;
mod latency;
mod library;
mod measure;
mod photos;
mod quality;
mod rescan;
mod retag;
mod scale;
mod search;
mod search_quality;
mod sidecars;
mod siglip;
mod throughput;

type Section = (&'static str, fn());

const SECTIONS: &[Section] = &[
    ("large", throughput::large),
    ("small", throughput::small),
    ("facts", facts::run),
    ("sidecars", sidecars::run),
    ("rescan", rescan::run),
    ("scale", scale::run),
    ("latency", latency::run),
    ("search", search::run),
    ("gallery", gallery::run),
    ("search-quality", search_quality::run),
    ("encoders", encoders::run),
    ("quality", quality::scaled_against_full),
    ("labels", quality::labels),
    ("retag", retag::run),
];

fn main() {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(encoders::ALONE) {
        encoders::alone(&args.next().expect("a graph"));
        return;
    }
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    for (name, section) in SECTIONS {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            println!("\n== {name}");
            section();
        }
    }
}
