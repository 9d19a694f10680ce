"""py-synologydsm-api against a NAS: url, user, password and certificate come as arguments, the outcome goes out as JSON."""

import asyncio
import json
import ssl
import sys
from urllib.parse import urlsplit

from aiohttp import ClientSession, TCPConnector
from synology_dsm import SynologyDSM

TASK = "SYNO.ActiveBackup.Task"
LOG = "SYNO.ActiveBackup.Log"


async def main() -> None:
    url, user, password, certificate = sys.argv[1:5]
    address = urlsplit(url)
    trust = ssl.create_default_context(cafile=certificate) if certificate else False
    seen = {}
    async with ClientSession(connector=TCPConnector(ssl=trust)) as session:
        dsm = SynologyDSM(
            session, address.hostname, address.port, user, password, use_https=address.scheme == "https"
        )
        seen["login"] = await dsm.login()
        info = dsm.information
        seen["information"] = [info.model, info.serial, info.version_string, info.uptime > 0]

        async def ask(how, api, method, **fields):
            # The newest version that the catalogue offers lacks the reading methods.
            return await how(api, method, fields, max_version=1)

        listed = await ask(dsm.get, TASK, "list", load_result="true", load_devices="true", load_status="true")
        seen["tasks"] = [[task["task_id"], task["task_name"]] for task in listed["data"]["tasks"]]
        pairs = await ask(dsm.get, TASK, "list_with_device")
        seen["pairs"] = [pair["unique_id"] for pair in pairs["data"]["tasks"]]
        try:
            await dsm.get(TASK, "list", {})
        except Exception as error:  # noqa: BLE001
            seen["newest version"] = error.args[0]["code"]
        seen["backup"] = await ask(dsm.post, TASK, "backup", task_ids="[1]", trigger_type="1")
        running = await ask(dsm.get, TASK, "list", load_result="true", load_devices="true")
        seen["running"] = running["data"]["tasks"][0]["progress"]["running_task_status"]
        results = await ask(dsm.get, LOG, "list_result", task_id=1, filter='{"job_action": 1}', limit=1)
        seen["result"] = results["data"]["results"][0]["status"]
        # A list as the library puts it into a query.
        seen["cancel"] = await ask(dsm.get, TASK, "cancel", task_ids=[1])
        try:
            await ask(dsm.post, TASK, "backup", trigger_type="1")
        except Exception as error:  # noqa: BLE001
            seen["without ids"] = [error.args[0]["code"], error.args[0]["details"]]
        packages = await dsm.get("SYNO.Core.Package", "list", {"additional": '["status"]'})
        seen["package"] = packages["data"]["packages"][0]["additional"]["status"]
        seen["logout"] = await dsm.logout()
    print(json.dumps(seen))


asyncio.run(main())
