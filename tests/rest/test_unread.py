"""Who may write and not read is shown nothing that was stored before."""

from __future__ import annotations

from pathlib import Path

from lineal.app import open_service

from .serving import app_of, client_of, settings_of

CANARY = "quetzal"
ROW = {"user_id": "u_alice", "domain": "dating", "fields": {"nickname": CANARY}}
CONVERSATION = {
    "title": f"About the {CANARY}",
    "summary": f"What was said of the {CANARY}.",
    "content": f"A {CANARY} was seen in the garden behind the house this morning.",
    "agent_source": "tests",
}


async def test_a_write_is_answered_without_what_was_there(tmp_path: Path) -> None:
    async with open_service(settings_of(tmp_path)) as service:
        async with client_of(app_of(service)) as reader:
            await reader.post("/v1/users", json=ROW)
            made = (await reader.post("/v2/contexts", json=CONVERSATION)).json()
            assert CANARY in made["content"]
        async with client_of(app_of(service, scopes=frozenset({"write"}))) as writer:
            path = f"/v2/contexts/{made['id']}"
            answers = [
                await writer.put(path, json={"tags": ["seen"]}),
                await writer.post("/v2/contexts", json=CONVERSATION),
                await writer.post("/v1/users", json={**ROW, "fields": {}, "context": "Hello."}),
            ]
            for answer in answers:
                assert answer.status_code == 200
                assert CANARY not in answer.text
            assert answers[0].json()["id"] == made["id"]
            assert (await writer.get(path)).status_code == 403
