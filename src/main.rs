//! The `photond` binary: everything is in the library.

fn main() -> std::process::ExitCode {
    photond::cli::leave(photond::cli::run())
}
