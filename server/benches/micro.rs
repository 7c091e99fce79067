//! What every request runs: the parser of tokens, the access table, the serializer of a list, and the
//! hash of an audit entry. Run it with `cargo bench -p orgtokens-server`.

use chrono::DateTime;
use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher, black_box};
use orgtokens_server::access::{Action, Place, decide};
use orgtokens_server::caller::{Binding, OrganizationId, Role};
use orgtokens_server::name::Name;
use orgtokens_server::records::{OrganizationToken, Token, TokenOwner};
use orgtokens_server::store::{Chain, ChainEntry};
use orgtokens_server::token::{MalformedToken, PlainToken, TokenId};
use std::str::FromStr;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

fn name<T: FromStr<Err = String>>(text: &str) -> T {
    text.parse().expect("it is well formed")
}

#[divan::bench]
fn parse_token(bencher: Bencher<'_, '_>) {
    let token = PlainToken::generate().expect("there are random bits");
    bencher.bench(|| black_box(token.reveal()).parse::<PlainToken>());
}

#[divan::bench]
fn refuse_token_with_wrong_checksum(bencher: Bencher<'_, '_>) {
    let text = format!("orgt_{}", "0".repeat(22) + "zzzzzz");
    assert_eq!(text.parse::<PlainToken>(), Err(MalformedToken::Checksum));
    bencher.bench(|| black_box(&text).parse::<PlainToken>());
}

#[divan::bench]
fn digest_token(bencher: Bencher<'_, '_>) {
    let token = PlainToken::generate().expect("there are random bits");
    bencher.bench(|| black_box(&token).digest());
}

#[divan::bench]
fn decide_list() -> bool {
    let binding = black_box(Binding::Organization(OrganizationId(1)));
    let place = Place { organization: OrganizationId(1), allows_unrestricted: true };
    decide(&binding, place, black_box(Role::Owner), Action::ManageTokens).is_ok()
}

#[divan::bench]
fn serialize_20_tokens(bencher: Bencher<'_, '_>) {
    let tokens: Vec<_> = (0..20).map(token).collect();
    let length = serde_json::to_vec(&tokens).map_or(0, |text| text.len());
    let bencher = bencher.counter(BytesCount::new(length));
    bencher.bench(|| serde_json::to_vec(black_box(&tokens)));
}

fn token(index: i64) -> OrganizationToken {
    let created_at = DateTime::from_timestamp(1_767_225_600 + index, 0).unwrap_or_default();
    let token = Token {
        name: name(&format!("org-0001-{index}")),
        id: TokenId::generate(created_at),
        organization: Some(name("org-0001")),
        group: None,
        scopes: None,
        created_at,
    };
    let username: Name = name("user-01");
    let owner = TokenOwner { username, email: "user-01@example.com".to_owned() };
    OrganizationToken { token, owner: Some(owner) }
}

#[divan::bench]
fn hash_audit_entry(bencher: Bencher<'_, '_>) {
    let data = format!("{{\"token\":\"{}\"}}", "x".repeat(200));
    let link = ChainEntry {
        chain: Some(Chain::Organization(OrganizationId(1))),
        sequence: 7,
        code: "user-token-create",
        message: "minted token ci of user-01",
        origin: "web",
        author: "user-01",
        created_at: 1_767_225_600_000,
        data: &data,
    };
    bencher.bench(|| black_box(&link).hash(black_box(&[0; 32])));
}
