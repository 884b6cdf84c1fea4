"""The calls that the contracts' own pages print, sent as they stand there.

Only the address is another one: https://api.jeantechnologies.com and https://apigcp.trynia.ai are
this process here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from .serving import TOKEN, served

UPSERT = """curl --request POST \\
--url https://api.jeantechnologies.com/v1/users \\
--header 'Authorization: Bearer <token>' \\
--header 'Content-Type: application/json' \\
--data '
{
"user_id": "u_alice",
"domain": "dating",
"context": "32, NYC, looking for someone serious. Reads a lot, runs in the park, vegetarian.",
"fields": {
"age": 32,
"location": "New York, NY"
},
"memory_ref": "jeanmemory://tenant/u_alice"
}
'"""

UPSERT_SHORT = """curl https://api.jeantechnologies.com/v1/users \\
-H "Authorization: Bearer $JEAN_API_KEY" \\
-H "Content-Type: application/json" \\
-d '{
"user_id": "u_alice",
"domain": "dating",
"context": "32, NYC, looking for someone serious. Reads a lot, runs in the park, vegetarian.",
"fields": { "location": "New York, NY" }
}'"""

APPEND = """curl https://api.jeantechnologies.com/v1/context \\
    -H "Authorization: Bearer $JEAN_API_KEY" \\
    -H "Content-Type: application/json" \\
    -d '{
      "user_id": "u_alice",
      "domain": "dating",
      "source": "chat",
      "content": "Just got back from a week of hiking in the Catskills. Loved it. Already planning \
the next trip."
    }'"""

APPEND_TS = """await fetch("https://api.jeantechnologies.com/v1/context", {
    method: "POST",
    headers: {
      Authorization: `Bearer ${process.env.JEAN_API_KEY}`,
      "Content-Type": "application/json",
    },
    body: JSON.stringify({
      user_id: "u_alice",
      domain: "dating",
      source: "chat",
      content:
        "Just got back from a week of hiking in the Catskills. Loved it. Already planning the next \
trip.",
    }),
  });"""

UPDATE = """curl --request PUT \\
  --url https://apigcp.trynia.ai/v2/contexts/{context_id} \\
  --header 'Authorization: Bearer <token>' \\
  --header 'Content-Type: application/json' \\
  --data '
{
  "title": "<string>",
  "summary": "<string>",
  "content": "<string>",
  "tags": [
    "<string>"
  ],
  "metadata": {},
  "nia_references": {
    "indexed_repositories": [
      "<string>"
    ],
    "indexed_documentation": [
      "<string>"
    ],
    "queried_repositories": [
      "<string>"
    ],
    "queried_documentation": [
      "<string>"
    ],
    "web_searches": [
      "<string>"
    ],
    "deep_research_queries": [
      "<string>"
    ]
  },
  "edited_files": [
    {
      "file_path": "<string>",
      "operation": "created",
      "lines_added": 123,
      "lines_removed": 123,
      "language": "<string>"
    }
  ],
  "memory_type": "scratchpad",
  "ttl_seconds": 1,
  "lineage": {
    "source_ids": [
      "<string>"
    ],
    "confidence": 0.5,
    "derived_from": [
      "<string>"
    ],
    "tool_calls": [
      "<string>"
    ],
    "model_version": "<string>"
  }
}
'"""

HIKING = (
    "Just got back from a week of hiking in the Catskills. Loved it. Already planning the next "
    "trip."
)
SUMMARY = "What was found out about the importer."
CONTENT = "The importer tries five times, since the feed is closed for a minute at midnight."
ROW_KEYS = ["user_id", "domain", "schema_version", "fields", "derived", "embeddings"]
APPENDED_KEYS = ["user_id", "domain", "context_id", "fields_updated", "embeddings_refreshed"]

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl isn't here")
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node isn't here")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("seeds"), token=TOKEN, embedder="hashing") as address:
        yield address


def answer_of(command: str, base: str) -> Any:
    """What the printed command answers, run by a shell."""
    here = command.replace("https://api.jeantechnologies.com", base)
    here = here.replace("https://apigcp.trynia.ai", base).replace("<token>", TOKEN)
    run = subprocess.run(
        ["/bin/sh", "-c", here],
        env={**os.environ, "JEAN_API_KEY": TOKEN},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return json.loads(run.stdout)


@needs_curl
@pytest.mark.parametrize("command", [UPSERT, UPSERT_SHORT])
def test_the_printed_upsert_answers_the_row_as_it_is_printed(command: str, base: str) -> None:
    """U1-U9."""
    row = answer_of(command, base)
    assert list(row)[:7] == [*ROW_KEYS, "last_enriched_at"]
    assert row["fields"]["location"] == "New York, NY"
    assert row["fields"]["relationship_goal"] == "serious"
    assert row["fields"]["age"] == 32
    assert row["derived"] == {"attachment_style": "secure"}
    assert row["embeddings"]["dating"].keys() == {"dim", "version"}


@needs_curl
def test_the_printed_append_answers_what_is_printed(base: str) -> None:
    """A3-A6."""
    answer_of(UPSERT, base)
    answer = answer_of(APPEND, base)
    assert list(answer)[:5] == APPENDED_KEYS
    assert answer["context_id"].startswith("ctx_")
    again = answer_of(APPEND, base)
    assert again["duplicate_of"] == answer["context_id"]


def test_the_printed_python_call_works(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's call; httpx takes the same arguments as requests does."""
    monkeypatch.setenv("JEAN_API_KEY", TOKEN)
    headers = {"Authorization": f"Bearer {os.environ['JEAN_API_KEY']}"}
    row = {"user_id": "u_python", "domain": "dating", "fields": {}}
    assert httpx.post(f"{base}/v1/users", headers=headers, json=row).status_code == 200
    answer = httpx.post(
        f"{base}/v1/context",
        headers=headers,
        json={
            "user_id": "u_python",
            "domain": "dating",
            "source": "chat",
            "content": HIKING,
        },
    )
    assert answer.status_code == 200
    assert answer.json()["fields_updated"] == ["interests", "values_text"]
    assert answer.json()["embeddings_refreshed"] is True


@needs_node
def test_the_printed_typescript_call_works(base: str) -> None:
    row = {"user_id": "u_alice", "domain": "dating", "fields": {}}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    httpx.post(f"{base}/v1/users", headers=headers, json=row)
    call = APPEND_TS.replace("https://api.jeantechnologies.com", base).removesuffix(";")
    code = f"const r = {call}; console.log(JSON.stringify([r.status, await r.json()]));"
    node = shutil.which("node") or "node"
    run = subprocess.run(
        [node, "--input-type=module", "-e", code],
        env={**os.environ, "JEAN_API_KEY": TOKEN},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    status, answer = json.loads(run.stdout)
    assert status == 200
    assert list(answer)[:5] == APPENDED_KEYS


@needs_curl
def test_the_printed_update_answers_the_whole_context(base: str) -> None:
    """N1, N8, N16, N23; the placeholders long enough for the printed bounds."""
    context_id = saved(base)
    command = UPDATE.replace("{context_id}", context_id)
    command = command.replace('"summary": "<string>"', f'"summary": "{SUMMARY}"')
    command = command.replace('"content": "<string>"', f'"content": "{CONTENT}"')
    context = answer_of(command, base)
    printed = {"id", "user_id", "organization_id", "title", "summary", "content", "tags"}
    printed |= {"agent_source", "created_at", "updated_at", "metadata", "nia_references"}
    printed |= {"edited_files", "memory_type", "expires_at", "lineage"}
    assert printed <= context.keys()
    assert context["tags"] == ["<string>"]
    assert context["memory_type"] == "scratchpad"
    assert context["edited_files"][0]["lines_added"] == 123
    assert context["lineage"].keys() >= {"created_at", "source_ids", "confidence", "derived_from"}
    assert context["lineage"]["model_version"] == "<string>"


@needs_curl
def test_the_printed_update_is_refused_where_its_placeholders_are_too_short(base: str) -> None:
    """N2, in the envelope of E1."""
    error = answer_of(UPDATE.replace("{context_id}", saved(base)), base)["error"]
    assert error["code"] == "invalid_request"
    assert error["details"]["field"] == "summary"
    assert error["details"]["minimum"] == 10


def saved(base: str) -> str:
    body = {"title": "Importer", "summary": SUMMARY, "content": CONTENT, "agent_source": "cursor"}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = httpx.post(f"{base}/v2/contexts", headers=headers, json=body)
    return str(answer.json()["id"])
