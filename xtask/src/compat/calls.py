"""Makes the calls of the PyPI packages `tursopy` and `scpytsdk` that the server serves, and prints
a line for each: the client, the call, and `ok` or what went wrong."""

import importlib.util
import json
import os
import pathlib
import sys
import urllib.request

import tursopy

URL, TOKEN = os.environ["ORGTOKENS_URL"], os.environ["ORGTOKENS_TOKEN"]


def import_scpytsdk():
    """Imports the package, which imports its own module `enums` as `_enums`."""
    package = pathlib.Path(importlib.util.find_spec("scpytsdk").origin).parent
    spec = importlib.util.spec_from_file_location("scpytsdk._enums", package / "enums.py")
    sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[spec.name])
    return importlib.import_module("scpytsdk")


class Tursopy(tursopy.TursoClient):
    """The client, whose address cannot be configured."""

    base_url = property(lambda self: URL, lambda self, vendor: None)


def calls_of_tursopy():
    client = Tursopy(platform_token=TOKEN)
    yield "TursoClient", client is not None
    yield "create_platform_api_token", client.create_platform_api_token("from-python").name == "from-python"
    yield "list_platform_tokens", "from-python" in [token.name for token in client.list_platform_tokens()]
    yield "revoke_token", client.revoke_token("from-python") == "from-python"


def calls_of_scpytsdk():
    client = import_scpytsdk().SCPYTSDK(TOKEN, "acme", endpoint=URL)
    yield "SCPYTSDK", client is not None
    create_group("python")
    yield "group.list", [group.name for group in client.group.list()] == ["python"]
    yield "group.retrieve", client.group.retrieve("python").name == "python"
    client.group.delete("python")
    yield "group.delete", client.group.list() == []


def create_group(name):
    """The package has no call for this."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    body = json.dumps({"name": name, "location": "lhr"}).encode()
    request = urllib.request.Request(f"{URL}/v1/organizations/acme/groups", body, headers)
    urllib.request.urlopen(request).close()


for client, calls in {"tursopy": calls_of_tursopy(), "scpytsdk": calls_of_scpytsdk()}.items():
    try:
        for call, is_right in calls:
            print(client, call, "ok" if is_right else "the answer is not what was expected", sep="\t")
    except Exception as error:
        print(client, "the next call", f"{type(error).__name__}: {error}", sep="\t")
