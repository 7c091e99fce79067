//! Colour: in what a person reads on a terminal, and nowhere else.

use std::process::{Command, Stdio};

use crate::command::{file, text, write};

#[test]
fn a_report_and_the_help_have_colour_on_a_terminal_only() {
    let contract = std::fs::read_to_string(file("contract.yaml")).unwrap();
    let contract = write("colour.yaml", &contract.replace("maximum: 100", "maximum: 200"));
    let (contract, generated) = (contract.display(), file("generated.json"));
    let report = format!("--contract '{contract}' --generated '{}'", generated.display());
    for (arguments, colour, plain) in [
        (&*report, "\x1b[1;31m", "error[request-range]"),
        ("--help", "\x1b[1m\x1b[4m", "Usage:"),
        ("check-traffic --help", "\x1b[1m\x1b[4m", "Usage:"),
    ] {
        let command = format!("'{}' {arguments}", env!("CARGO_BIN_EXE_openapi-drift"));
        let run = |program: &str, options: &[&str], no_colour: &str| {
            let mut program = Command::new(program);
            program.args(options).env("TERM", "xterm").env("NO_COLOR", no_colour);
            text(&program.stdin(Stdio::null()).output().unwrap().stdout).to_owned()
        };
        // `script` gives a command a terminal.
        let terminal = ["--quiet", "--command", &command, "/dev/null"];
        let coloured = run("script", &terminal, "");
        assert!(coloured.contains(&format!("{colour}{plain}\x1b[0m")), "{coloured:?}");
        for output in [run("script", &terminal, "1"), run("sh", &["-c", &command], "")] {
            assert!(output.contains(plain) && !output.contains('\x1b'), "{output:?}");
        }
    }
}
