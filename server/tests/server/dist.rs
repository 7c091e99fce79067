//! The installation files: their options and versions are valid.

use crate::support::database::text;
use std::fs;
use std::process::Command;

fn file(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_systemd_unit_uses_valid_options() {
    let unit = file("dist/orgtokens.service");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let mut words = start.split(' ').skip(1).map(|word| match word {
        "/etc/orgtokens/orgtokens.toml" => {
            concat!(env!("CARGO_MANIFEST_DIR"), "/dist/orgtokens.toml")
        }
        word => word,
    });
    assert_eq!(words.next(), Some("serve"));
    let mut check = Command::new(env!("CARGO_BIN_EXE_orgtokens-server"));
    let output = check.args(["config", "check"]).args(words).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn the_image_is_built_with_the_toolchain_of_the_workspace() {
    let toolchain = file("../rust-toolchain.toml");
    let version = toolchain.split('"').nth(1).unwrap();
    let image = file("dist/Dockerfile");
    assert!(image.contains(&format!("\nFROM rust:{version}-")), "{version}: {image}");
}
