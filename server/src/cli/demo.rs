//! `demo`: a server on a temporary database, with a user of every role and their tokens. The database
//! is removed when the server stops. No other database is opened.

use super::output::table;
use super::{Listen, plain_text, serve};
use anyhow::Context;
use orgtokens_server::caller::{Credential, Origin, Role};
use orgtokens_server::name::Slug;
use orgtokens_server::records::MintRequest;
use orgtokens_server::scope::RequestedScope;
use orgtokens_server::server::Settings;
use orgtokens_server::service::{Operator, Service};
use orgtokens_server::store::Store;
use orgtokens_server::token::PlainToken;
use std::net::SocketAddr;
use std::str::FromStr;

/// The row of a token: the role of its user, its binding, its name and its plain text.
type Row = [String; 4];

fn row(role: Role, binding: &str, name: &str, token: &PlainToken) -> Row {
    [role.into_str(), binding, name, plain_text(token)].map(str::to_owned)
}

/// Serves the demo until a signal ends it, and removes its database.
pub async fn demo(listen: &Listen) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let path = folder.path().join("demo.db");
    let url = format!("sqlite://{}", path.display());
    let service = Service::new(Store::create(&url).await?);
    let rows = fill(&service).await?;
    serve::serve(service, &url, listen, &Settings::default(), None, |address| {
        let table = table(["who", "acts on", "name", "token"], &rows);
        format!("\n\n{table}\n\n{}", curl_lines(&rows[0][3], address))
    })
    .await
}

fn parse<T: FromStr<Err = String>>(text: &str) -> anyhow::Result<T> {
    text.parse().map_err(anyhow::Error::msg)
}

async fn fill(service: &Service) -> anyhow::Result<Vec<Row>> {
    let (operator, slug) = (Operator(service), parse::<Slug>("my-org")?);
    let mut rows = Vec::new();
    for role in Role::ALL.iter().copied() {
        let (username, email) = (parse(role.into_str())?, parse(&format!("{role}@example.com"))?);
        let (name, token) = if role == Role::Owner {
            ("first", operator.init(&slug, &username, &email).await?)
        } else {
            operator.add_user(&username, &email).await?;
            operator.set_member(&slug, &username, role).await?;
            let name = "unrestricted";
            (name, operator.mint_token(&username, &parse(name)?).await?)
        };
        rows.push(row(role, "everything", name, &token));
        let credential = Credential::new(&token, Origin::Cli);
        if role == Role::Owner {
            let (group, location) = (parse("default")?, parse("lhr")?);
            service.within(&credential, &slug).create_group(group, location).await?;
        }
        let mut request =
            MintRequest { organization: Some(slug.clone()), ..MintRequest::default() };
        let minted = service.mint_token(&credential, &parse("my-org")?, &request).await?;
        rows.push(row(role, "organization my-org", "my-org", &minted.token));
        if matches!(role, Role::Owner | Role::Admin) {
            request.group = Some(parse("default")?);
            request.scopes = Some(vec![RequestedScope::ReadOnly]);
            let name = "my-org-default";
            let minted = service.mint_token(&credential, &parse(name)?, &request).await?;
            rows.push(row(role, "group default, read", name, &minted.token));
        }
    }
    Ok(rows)
}

fn curl_lines(token: &str, address: SocketAddr) -> String {
    let curl = format!("curl -H 'Authorization: Bearer {token}'");
    let json = r#"-H 'Content-Type: application/json' -d '{"organization": "my-org"}'"#;
    let base = format!("http://{address}/v1");
    format!(
        "# list the tokens of the organization
{curl} {base}/organizations/my-org/api-tokens
# mint a token that is bound to it; the secret is shown once
{curl} {json} {base}/auth/api-tokens/ci-bot
# revoke it by name
{curl} -X DELETE {base}/auth/api-tokens/ci-bot
# read the audit log
{curl} '{base}/organizations/my-org/audit-logs?page_size=2'"
    )
}
