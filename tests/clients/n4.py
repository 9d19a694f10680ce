"""synology-api against a NAS: url, user, password and DSM version come as arguments, the outcome goes out as JSON."""

import json
import sys
import time
from urllib.parse import urlsplit

from synology_api.core_active_backup import ActiveBackupBusiness
from synology_api.core_package import Package

url, user, password, generation = sys.argv[1:5]
address = urlsplit(url)
seen = {}
how = {
    "ip_address": address.hostname,
    "port": str(address.port),
    "username": user,
    "password": password,
    "secure": address.scheme == "https",
    "cert_verify": False,
    "dsm_version": int(generation),
    "debug": False,
}
nas = ActiveBackupBusiness(**how)

listed = nas.list_tasks(include_versions=True)
seen["tasks"] = [[task["task_id"], task["task_name"]] for task in listed["data"]["tasks"]]
seen["filtered"] = nas.list_tasks(task_id=1, status="backingup", backup_type="pc")["data"]["total"]
seen["backup"] = nas.backup_task_run([1, 2])
running = nas.list_tasks()["data"]["tasks"]
seen["running"] = [task["progress"]["running_task_status"] for task in running]
history = nas.list_logs(task_id=1)["data"]["logs"]
seen["log"] = history[0]["log_type"]
seen["details"] = nas.result_details(history[0]["result_id"])["data"]["count"]
seen["cancel"] = nas.backup_task_cancel([1, 2])
deadline = time.time() + 10
while time.time() < deadline:
    if not any(task.get("progress") for task in nas.list_tasks()["data"]["tasks"]):
        break
    time.sleep(0.02)
seen["after"] = [task["last_result"]["status"] for task in nas.list_tasks()["data"]["tasks"]]
try:
    seen["history"] = nas.task_history(task_id=1)["data"]["count"]
except TypeError:
    # This version passes its own method a parameter that it does not have.
    seen["history"] = "broken"
seen["settings"] = nas.get_settings()["data"]["settings"][0]
seen["set"] = nas.set_concurrent_devices(3)
seen["changed"] = nas.get_settings()["data"]["settings"][0]["value"]
seen["storage"] = len(nas.list_storage()["data"]["storages"])
transfers = nas.list_device_transfer_size(time_start=1, time_end=int(time.time()) + 60)["data"]
seen["transfers"] = [len(device["transfer_list"]) > 0 for device in transfers["device_list"]]
seen["hypervisors"] = nas.list_vm_hypervisor()["data"]
seen["versions"] = nas.backup_task_delete_versions(2, [11])
compound = [{"api": "SYNO.ActiveBackup.Task", "method": "list", "version": 1}]
seen["several"] = nas.batch_request(compound=compound)["data"]["result"][0]["data"]["total"]
seen["package"] = Package(**how).list_installed()["data"]["packages"][0]["id"]
nas.logout()
print(json.dumps(seen))
