//! `demo`: a server on a temporary database, with a user of every role and every token that they
//! may mint. Its database is removed when it ends; it opens no other one.

use super::{plain_text, print, serve};
use anyhow::Context;
use comfy_table::{Table, presets};
use orgtokens_server::caller::{Credential, Origin, Role};
use orgtokens_server::name::{Email, Name, Slug};
use orgtokens_server::records::MintRequest;
use orgtokens_server::scope::RequestedScope;
use orgtokens_server::server::Settings;
use orgtokens_server::service::{Operator, Service};
use orgtokens_server::store::Store;
use orgtokens_server::token::PlainToken;
use std::net::SocketAddr;
use std::str::FromStr;

/// A token of the demo, and the role of its user.
struct Row {
    role: Role,
    binding: &'static str,
    name: Name,
    token: PlainToken,
}

/// Serves the demo until a signal ends it, and removes its database.
pub async fn demo(listen: SocketAddr) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let path = folder.path().join("demo.db");
    let service = Service::new(Store::create(&format!("sqlite://{}", path.display())).await?);
    let rows = fill(&service).await?;
    let (log, signals) = (serve::logger(), serve::Signals::new()?);
    let server = serve::start(service, listen, &Settings::default(), &log)?;
    print(&format!("\n{}\n\n{}", table(&rows), curl_lines(&rows, server.address())))?;
    serve::run(server, signals, log).await
}

fn parse<T: FromStr<Err = String>>(text: &str) -> anyhow::Result<T> {
    text.parse().map_err(anyhow::Error::msg)
}

async fn fill(service: &Service) -> anyhow::Result<Vec<Row>> {
    let (operator, organization) = (Operator(service), parse::<Slug>("my-org")?);
    let mut rows = Vec::new();
    for role in Role::ALL.iter().copied() {
        let username = parse::<Name>(role.as_str())?;
        let email = parse::<Email>(&format!("{username}@example.com"))?;
        let (name, token) = if role == Role::Owner {
            ("first", operator.init(&organization, &username, &email).await?)
        } else {
            operator.add_user(&username, &email).await?;
            operator.set_member(&organization, &username, role).await?;
            let name = "unrestricted";
            (name, operator.mint_token(&username, &parse(name)?).await?)
        };
        let credential = Credential::new(&token, Origin::Cli);
        if role == Role::Owner {
            let (group, location) = (parse("default")?, parse("lhr")?);
            service.create_group(&credential, &organization, group, location).await?;
        }
        rows.push(Row { role, binding: "everything", name: parse(name)?, token });
        rows.extend(mint_bound(service, &credential, role, &organization).await?);
    }
    Ok(rows)
}

/// Mints the bound tokens that a caller of this role may mint.
async fn mint_bound(
    service: &Service,
    credential: &Credential,
    role: Role,
    slug: &Slug,
) -> anyhow::Result<Vec<Row>> {
    let organization = MintRequest { organization: Some(slug.clone()), ..MintRequest::default() };
    let group = MintRequest {
        group: Some(parse("default")?),
        scopes: Some(vec![RequestedScope::ReadOnly]),
        ..organization.clone()
    };
    let mut requests = vec![("organization my-org", "my-org", organization)];
    if matches!(role, Role::Owner | Role::Admin) {
        requests.push(("group default, read", "my-org-default", group));
    }
    let mut rows = Vec::new();
    for (binding, name, request) in requests {
        let name = parse::<Name>(name)?;
        let token = service.mint_token(credential, &name, &request).await?.token;
        rows.push(Row { role, binding, name, token });
    }
    Ok(rows)
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["who", "acts on", "name", "token"]);
    for Row { role, binding, name, token } in rows {
        table.add_row([role.as_str(), binding, name.as_str(), plain_text(token)]);
    }
    table
}

fn curl_lines(rows: &[Row], address: SocketAddr) -> String {
    let token = rows.first().map(|row| plain_text(&row.token)).unwrap_or_default();
    let curl = format!("curl -H 'Authorization: Bearer {token}'");
    let base = format!("http://{address}/v1");
    [
        "# list the tokens of the organization".to_owned(),
        format!("{curl} {base}/organizations/my-org/api-tokens"),
        "# mint a token that is bound to it; the secret is shown once".to_owned(),
        format!(
            "{curl} -H 'Content-Type: application/json' -d '{{\"organization\": \"my-org\"}}' {base}/auth/api-tokens/ci-bot"
        ),
        "# revoke it by name".to_owned(),
        format!("{curl} -X DELETE {base}/auth/api-tokens/ci-bot"),
        "# read the audit log".to_owned(),
        format!("{curl} '{base}/organizations/my-org/audit-logs?page_size=2'"),
    ]
    .join("\n")
}
