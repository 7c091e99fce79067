//! The README, from the login to the end of a CI job's token.

use super::{Run, Shell};
use crate::support::World;
use orgtokens_server::caller::Role;

/// Returns the part of the README under a heading, for the organization of the test.
fn section(title: &str) -> String {
    let readme = include_str!("../../../../README.md");
    let (_, after) = readme.split_once(&format!("\n## {title}\n")).expect(title);
    let section = after.split_once("\n## ").map_or(after, |(section, _)| section);
    section.replace("my-org", "acme")
}

/// Returns what follows this text in lines that begin with it, without comments.
fn commands<'a>(section: &'a str, start: &str) -> Vec<&'a str> {
    let after = section.lines().filter_map(|line| line.trim_start().strip_prefix(start));
    after.map(|command| command.split(" #").next().unwrap_or(command).trim_end()).collect()
}

#[tokio::test]
async fn the_steps_of_the_readme_lead_to_a_token_for_a_ci_job_and_to_its_end() {
    let world = World::new().await;
    let owner = Shell::of(&world.user(Role::Owner));
    let steps = section("A token for a CI job");
    let [login, mint] = commands(&steps, "$ orgtokens ")[..] else { panic!("{steps}") };
    let login = login.replace("http://127.0.0.1:8080", &owner.url);
    let logged_in = owner.run_with(&[], &owner.token, &login).await;
    assert_eq!(logged_in.code, 0, "{logged_in:?}");
    let (mint, file) = mint.split_once(" > ").unwrap();
    let minted = owner.run_with(&[], "", mint).await;
    assert_eq!((minted.code, file), (0, "ci.token"), "{minted:?}");

    let job = Shell::new(&owner.url, minted.stdout.trim_end());
    let commands_of_job = commands(&steps, "- run: orgtokens ");
    assert_eq!(commands_of_job.len(), 2);
    for command in &commands_of_job {
        job.done(command).await;
    }
    let (_, revoke) = steps.split_once("`orgtokens token revoke ").unwrap();
    let revoke = format!("token revoke {}", revoke.split('`').next().unwrap());
    assert_eq!(owner.run_with(&[], "", &revoke).await.code, 0);
    let Run { code, stderr, .. } = job.run(commands_of_job[0]).await;
    assert_eq!(code, 1, "{stderr}");
}
