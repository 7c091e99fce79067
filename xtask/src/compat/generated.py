"""Makes every call of the client that `openapi-python-client` generates from openapi.yaml, and
prints a line for each: the client, the call, and `ok` or what went wrong."""

import importlib
import os
import pkgutil

import contract.api
from contract import AuthenticatedClient
from contract.models import (
    AddMemberRequest, AssignableRole, CreateGroupRequest, CreateTokenRequest, LeakReport, MintRequest,
    RevocationFilter, RevokeTokensRequest, RotateTokenRequest, UpdateMemberRequest,
)

# The operations are in a package for each of their tags.
MODULES = [name for _, name, _ in pkgutil.walk_packages(contract.api.__path__, "contract.api.")]
CLIENT = AuthenticatedClient(os.environ["ORGTOKENS_URL"], os.environ["ORGTOKENS_TOKEN"])


def call(operation, *arguments, **body):
    """Makes a call that must succeed, prints its line, and returns the parsed answer."""
    module = next(name for name in MODULES if name.endswith(f".{operation}"))
    function = importlib.import_module(module).sync_detailed
    response = function(*arguments, client=CLIENT, **body)
    outcome = "ok" if response.status_code < 300 else response.content.decode()
    print("openapi-python-client", operation, outcome, sep="\t")
    return response.parsed


call("create_group", "acme", body=CreateGroupRequest(name="generated", location="lhr"))
call("list_groups", "acme")
call("get_group", "acme", "generated")
minted = call("create_api_token", "generated", body=MintRequest(organization="acme"))
listed = call("list_organization_api_tokens", "acme")
assert minted.id in [token.id for token in listed.tokens]
call("list_api_tokens")
call("validate_api_token")
call("revoke_organization_api_token", "acme", minted.id)
call("create_api_token", "spare")
call("revoke_api_token", "spare")
limits = CreateTokenRequest(name="short", expiration="1d", allowed_ips=["127.0.0.0/8"])
short = call("create_organization_api_token", "acme", body=limits)
assert call("get_organization_api_token", "acme", short.id).token.expires_at
call("rotate_organization_api_token", "acme", short.id, body=RotateTokenRequest(overlap="1h"))
call("revoke_credentials", body=LeakReport(credentials=[short.token]))
unused = RevokeTokensRequest(filter_=RevocationFilter(never_used=True), dry_run=True)
revoked = call("revoke_organization_api_tokens", "acme", body=unused)
assert short.id not in [token.id for token in revoked.tokens]
policy = call("get_token_policy", "acme").policy
call("update_token_policy", "acme", body=policy)
call("list_organization_member_api_tokens", "acme", "alice")
call("get_current_user")
call("list_organizations")
call("get_organization", "acme")
call("add_organization_member", "acme", body=AddMemberRequest(username="bob"))
call("list_organization_members", "acme")
call("get_organization_member", "acme", "bob")
updated = call("update_member_role", "acme", "bob", body=UpdateMemberRequest(AssignableRole.ADMIN))
assert updated.member.role == "admin"
call("remove_organization_member", "acme", "bob")
call("delete_group", "acme", "generated")
page = call("list_organization_audit_logs", "acme", page_size=1)
assert page.audit_logs[0].code == "group-delete"
