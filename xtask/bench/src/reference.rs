//! The references: handlers without authentication and without an access log, which answer every
//! request with the same tokens from memory. The program runs them as its own child processes.

use anyhow::{Context, Error, Result};
use bytes::Bytes;
use clap::Subcommand;
use dropshot::{
    ApiDescription, Body, ConfigDropshot, HandlerTaskMode, HttpError, HttpResponseOk, Path,
    RequestContext, ServerBuilder, ServerContext, endpoint,
};
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slog::{Discard, Logger, o};
use std::convert::Infallible;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use tokio::net::TcpListener;

/// Any free port.
const LISTEN: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// A reference, and the file with the list that it answers.
#[derive(Debug, Subcommand)]
pub enum Reference {
    /// Serve a list with dropshot, which serializes it for each request
    #[command(hide = true)]
    Dropshot { list: PathBuf },
    /// Serve the bytes of a list with dropshot
    #[command(hide = true)]
    DropshotBytes { list: PathBuf },
    /// Serve the bytes of a list with hyper alone
    #[command(hide = true)]
    Hyper { list: PathBuf },
}

impl Reference {
    /// Serves until the process is killed.
    pub fn run(&self) -> Result<()> {
        let runtime = tokio::runtime::Runtime::new()?;
        match self {
            Self::Dropshot { list } => runtime.block_on(dropshot(&fs::read(list)?)),
            Self::DropshotBytes { list } => runtime.block_on(dropshot_bytes(fs::read(list)?)),
            Self::Hyper { list } => runtime.block_on(hyper(fs::read(list)?.into())),
        }
    }
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct TokenList {
    tokens: Vec<Token>,
}

/// A token with the members that the service's list has, in the same order.
#[derive(Deserialize, Serialize, JsonSchema)]
struct Token {
    name: String,
    id: String,
    organization: String,
    created_at: String,
    owner: Owner,
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct Owner {
    username: String,
    email: String,
}

#[derive(Deserialize, JsonSchema)]
struct OrganizationPath {
    #[expect(dead_code, reason = "dropshot requires a declaration of every path variable")]
    organization: String,
}

/// Answers the list for any organization.
#[endpoint { method = GET, path = "/v1/organizations/{organization}/api-tokens" }]
async fn answer_list(
    rqctx: RequestContext<&'static TokenList>,
    _: Path<OrganizationPath>,
) -> Result<HttpResponseOk<&'static TokenList>, HttpError> {
    Ok(HttpResponseOk(rqctx.context()))
}

async fn dropshot(text: &[u8]) -> Result<()> {
    let tokens: TokenList = serde_json::from_slice(text).context("the list is not as expected")?;
    anyhow::ensure!(serde_json::to_vec(&tokens)? == text, "the reference answers other bytes");
    let tokens: &'static TokenList = Box::leak(Box::new(tokens));
    let mut api = ApiDescription::new();
    api.register(answer_list)?;
    serve(api, tokens, HandlerTaskMode::Detached).await
}

/// Answers the bytes of the list for any organization.
#[endpoint { method = GET, path = "/v1/organizations/{organization}/api-tokens" }]
async fn answer_bytes(
    rqctx: RequestContext<Bytes>,
    _: Path<OrganizationPath>,
) -> Result<Response<Body>, HttpError> {
    Ok(respond(rqctx.context().clone().into()))
}

/// What every handler of dropshot takes at least: it allocates no list, and starts no task.
async fn dropshot_bytes(list: Vec<u8>) -> Result<()> {
    let mut api = ApiDescription::new();
    api.register(answer_bytes)?;
    serve(api, list.into(), HandlerTaskMode::CancelOnDisconnect).await
}

async fn serve<C: ServerContext>(
    api: ApiDescription<C>,
    context: C,
    default_handler_task_mode: HandlerTaskMode,
) -> Result<()> {
    let config = ConfigDropshot {
        bind_address: LISTEN.into(),
        default_handler_task_mode,
        ..Default::default()
    };
    let server = ServerBuilder::new(api, context, Logger::root(Discard, o!())).config(config);
    let server = server.start()?;
    announce(server.local_addr());
    server.await.map_err(Error::msg)
}

async fn hyper(list: Bytes) -> Result<()> {
    let listener = TcpListener::bind(LISTEN).await?;
    announce(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let list = list.clone();
        let answer = move |_: Request<_>| {
            std::future::ready(Ok::<_, Infallible>(respond(Full::new(list.clone()))))
        };
        let connection = http1::Builder::new();
        tokio::spawn(connection.serve_connection(TokioIo::new(stream), service_fn(answer)));
    }
}

fn respond<B>(list: B) -> Response<B> {
    let mut response = Response::new(list);
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn announce(address: SocketAddr) {
    println!("listening on http://{address}");
}
