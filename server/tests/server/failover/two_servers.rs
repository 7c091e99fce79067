//! Two servers over one database: each sees at once what the other changed.

use super::{Server, start_cluster};
use std::sync::Barrier;
use std::thread;

const ROUNDS: usize = 50;
const MINTS: usize = 12;

#[test]
#[ignore = "takes minutes: cargo nextest run -p orgtokens-server --run-ignored only -j1 failover"]
fn a_token_minted_on_one_server_works_on_the_other_and_stops_working_when_revoked_there() {
    let (cluster, owner) = start_cluster();
    let servers = [(); 2].map(|()| Server::start(&cluster.url(), &owner, 16));
    let is_wrong = |round: &usize| {
        let (here, there) = (&servers[round % 2], &servers[(round + 1) % 2]);
        let name = format!("round-{round}");
        let Ok(token) = here.mint(&name) else { return true };
        let statuses = [there.validate(&token), there.revoke(&name), here.validate(&token)];
        statuses != [200, 200, 401]
    };
    let wrong = (0..ROUNDS).filter(is_wrong).count();
    println!("{ROUNDS} rounds, {wrong} wrong");
    assert_eq!(wrong, 0);
}

#[test]
#[ignore = "takes minutes: cargo nextest run -p orgtokens-server --run-ignored only -j1 failover"]
fn of_12_concurrent_mints_of_one_name_on_two_servers_one_succeeds_and_11_receive_409() {
    let (cluster, owner) = start_cluster();
    let servers = [(); 2].map(|()| Server::start(&cluster.url(), &owner, 16));
    let is_wrong = |round: &usize| {
        let statuses = mint_at_once(&servers, &format!("name-{round}"));
        let count = |status| statuses.iter().filter(|found| **found == status).count();
        (count(200), count(409)) != (1, MINTS - 1)
    };
    let wrong = (0..ROUNDS).filter(is_wrong).count();
    println!("{ROUNDS} rounds, {wrong} wrong");
    assert_eq!(wrong, 0);
}

fn mint_at_once(servers: &[Server; 2], name: &str) -> Vec<u16> {
    let start = &Barrier::new(MINTS);
    thread::scope(|scope| {
        let mint = |number: usize| {
            scope.spawn(move || {
                start.wait();
                servers[number % 2].mint(name).map_or_else(|status| status, |_| 200)
            })
        };
        let mints: Vec<_> = (0..MINTS).map(mint).collect();
        mints.into_iter().map(|mint| mint.join().unwrap()).collect()
    })
}
