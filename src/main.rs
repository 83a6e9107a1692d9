//! The `tamis` command.

fn main() -> std::process::ExitCode {
    tamis::app::main()
}
