//! Rows of which every field is kept: the typed ones as types, the rest as a tree without secrets.

use std::marker::PhantomData;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Fault, Listed, data, listed, rows::TaskRow};
use crate::nas::lenient::{Object, Row, Rows, Scalar};
use crate::nas::model::{ResultId, Task, TaskId};
use crate::nas::records::{DetailRow, DeviceRecord, Open, OpenList, Package, Part, Setting, Transfer};
use crate::nas::visible::Visible;

/// A row that says which fields it has types for.
trait Named: Row {
    const NAMES: &'static [&'static str];
}

/// The row, and everything it has no types for.
struct OpenRow<R> {
    tree: Value,
    row: PhantomData<R>,
}

impl<'de, R> Deserialize<'de> for OpenRow<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Visible::deserialize(deserializer).map(|Visible(tree)| Self {
            tree,
            row: PhantomData,
        })
    }
}

impl<R: Named> Row for OpenRow<R> {
    type Value = Open<R::Value>;

    fn convert(self) -> Option<Open<R::Value>> {
        let known = R::deserialize(&self.tree).ok()?.convert()?;
        let Value::Object(mut extra) = self.tree else {
            return None;
        };
        extra.retain(|name, _| !R::NAMES.contains(&name.as_str()));
        Some(Open { known, extra })
    }
}

/// Names the fields of a row once, for the parser and for [`Named`].
macro_rules! row {
    ($row:ident { $($field:ident),* $(,)? }) => {
        #[derive(Deserialize)]
        struct $row {
            $(#[serde(default)] $field: Scalar,)*
        }

        impl Named for $row {
            const NAMES: &'static [&'static str] = &[$(stringify!($field)),*];
        }
    };
}

row!(DevicePart {
    device_id,
    host_name,
    os_name,
    backup_type,
    platform_type,
    agent_status,
    agent_can_backup,
    task_count,
});

impl Row for DevicePart {
    type Value = DeviceRecord;

    fn convert(self) -> Option<DeviceRecord> {
        Some(DeviceRecord {
            id: self.device_id.int()?,
            host_name: self.host_name.text().unwrap_or_default(),
            os_name: self.os_name.text(),
            backup_type: self.backup_type.int(),
            platform_type: self.platform_type.int(),
            agent_status: self.agent_status.text(),
            agent_can_backup: self.agent_can_backup.flag(),
            task_count: self.task_count.int(),
        })
    }
}

row!(SettingPart { name, value });

impl Row for SettingPart {
    type Value = Setting;

    fn convert(self) -> Option<Setting> {
        Some(Setting {
            name: self.name.text()?,
            value: self.value.text(),
        })
    }
}

row!(DetailPart {
    result_detail_id,
    result_id,
    log_level,
    log_type,
    log_time,
    error_code,
});

impl Row for DetailPart {
    type Value = DetailRow;

    fn convert(self) -> Option<DetailRow> {
        Some(DetailRow {
            id: self.result_detail_id.int(),
            result_id: self.result_id.int().map(ResultId),
            log_level: self.log_level.int(),
            log_type: self.log_type.int()?,
            log_time: self.log_time.seconds(),
            error_code: self.error_code.int(),
        })
    }
}

row!(TransferPart {
    config_device_id,
    device_name,
    result_id,
    task_id,
    status,
    time_start,
    time_end,
    transfered_bytes,
    processed_bytes,
});

impl Row for TransferPart {
    type Value = Transfer;

    fn convert(self) -> Option<Transfer> {
        Some(Transfer {
            device_id: self.config_device_id.int(),
            device_name: self.device_name.text(),
            result_id: ResultId(self.result_id.int()?),
            task_id: self.task_id.int().map(TaskId),
            status: self.status.int(),
            time_start: self.time_start.seconds(),
            time_end: self.time_end.seconds(),
            transferred_bytes: self.transfered_bytes.uint(),
            processed_bytes: self.processed_bytes.uint(),
        })
    }
}

#[derive(Deserialize)]
struct PackagePart {
    #[serde(default)]
    id: Scalar,
    #[serde(default)]
    version: Scalar,
    #[serde(default)]
    status: Scalar,
    #[serde(default)]
    additional: Object<AdditionalPart>,
}

#[derive(Deserialize)]
struct AdditionalPart {
    #[serde(default)]
    status: Scalar,
}

impl Row for PackagePart {
    type Value = Package;

    fn convert(self) -> Option<Package> {
        let status = self.additional.0.and_then(|additional| additional.status.text());
        Some(Package {
            id: self.id.text()?,
            version: self.version.text(),
            status: status.or_else(|| self.status.text()),
        })
    }
}

impl Named for TaskRow {
    const NAMES: &'static [&'static str] = super::rows::TASK_FIELDS;
}

fn open_list<R: Named>(
    rows: Rows<OpenRow<R>>,
    total: &Scalar,
    missing: &'static str,
) -> Result<OpenList<R::Value>, Fault> {
    let Listed {
        values: rows,
        total,
        unreadable: unreadable_rows,
    } = listed(rows, total, missing)?;
    Ok(OpenList {
        rows,
        total,
        unreadable_rows,
    })
}

/// The answer of `Task.list` or `Task.list_with_device` with every field of its rows.
pub fn open_task_list(body: &[u8]) -> Result<OpenList<Task>, Fault> {
    #[derive(Deserialize)]
    struct Data {
        #[serde(default)]
        tasks: Rows<OpenRow<TaskRow>>,
        #[serde(default)]
        total: Scalar,
    }
    let Data { tasks, total } = data(body)?;
    open_list(tasks, &total, "no list of tasks")
}

/// The answer of `Device.list`.
pub fn device_list(body: &[u8]) -> Result<OpenList<DeviceRecord>, Fault> {
    #[derive(Deserialize)]
    struct Data {
        #[serde(default)]
        devices: Rows<OpenRow<DevicePart>>,
        #[serde(default)]
        total: Scalar,
    }
    let Data { devices, total } = data(body)?;
    open_list(devices, &total, "no list of devices")
}

/// The answer of `Setting.list`.
pub fn setting_list(body: &[u8]) -> Result<OpenList<Setting>, Fault> {
    #[derive(Deserialize)]
    struct Data {
        #[serde(default)]
        settings: Rows<OpenRow<SettingPart>>,
    }
    let Data { settings } = data(body)?;
    open_list(settings, &Scalar::Absent, "no list of settings")
}

/// The answer of `Log.list_result_detail`.
pub fn detail_list(body: &[u8]) -> Result<OpenList<DetailRow>, Fault> {
    #[derive(Deserialize)]
    struct Data {
        #[serde(default)]
        result_detail_list: Rows<OpenRow<DetailPart>>,
        #[serde(default)]
        count: Scalar,
    }
    let Data {
        result_detail_list,
        count,
    } = data(body)?;
    open_list(result_detail_list, &count, "no list of lines")
}

/// The answer of `Overview.list_device_transfer_size`. The facts name the fields of its rows and not the lists around
/// them: every object with a `result_id`, at whatever depth, is a row.
pub fn transfer_list(body: &[u8]) -> Result<OpenList<Transfer>, Fault> {
    let tree = super::visible(body)?.ok_or(Fault::Unexpected("success without data"))?;
    let is_list = |value: &Value| value.is_array();
    if !is_list(&tree)
        && !tree
            .as_object()
            .is_some_and(|fields| fields.values().any(is_list))
    {
        return Err(Fault::Unexpected("no list of devices"));
    }
    let mut list = OpenList {
        rows: Vec::new(),
        total: tree.get("total").and_then(Value::as_u64),
        unreadable_rows: 0,
    };
    collect_transfers(tree, &mut list);
    Ok(list)
}

fn collect_transfers(tree: Value, list: &mut OpenList<Transfer>) {
    match tree {
        Value::Object(fields) if fields.contains_key("result_id") => {
            let row = OpenRow::<TransferPart> {
                tree: Value::Object(fields),
                row: PhantomData,
            };
            match row.convert() {
                Some(row) => list.rows.push(row),
                None => list.unreadable_rows += 1,
            }
        }
        Value::Object(fields) => fields
            .into_iter()
            .for_each(|(_, value)| collect_transfers(value, list)),
        Value::Array(values) => values
            .into_iter()
            .for_each(|value| collect_transfers(value, list)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[derive(Deserialize)]
struct PackagesData {
    #[serde(default)]
    packages: Rows<PackagePart>,
    #[serde(default)]
    total: Scalar,
}

impl PackagesData {
    fn listed(self) -> Result<Vec<Package>, Fault> {
        listed(self.packages, &self.total, "no list of packages").map(|list| list.values)
    }
}

/// The answer of `SYNO.Core.Package` `list`.
pub fn package_list(body: &[u8]) -> Result<Vec<Package>, Fault> {
    data::<PackagesData>(body)?.listed()
}

/// The same from the data of a part of a compound answer.
pub fn packages(data: &Value) -> Result<Vec<Package>, Fault> {
    let data = PackagesData::deserialize(data).map_err(|_| Fault::Unexpected("no list of packages"))?;
    data.listed()
}

/// The answer of `SYNO.Entry.Request` `request` to `asked` parts, in their order.
pub fn compound(body: &[u8], asked: usize) -> Result<Vec<Part>, Fault> {
    #[derive(Deserialize)]
    struct Data {
        #[serde(default)]
        result: Vec<Visible>,
    }
    #[derive(Deserialize)]
    struct PartRow {
        #[serde(default)]
        success: Scalar,
        #[serde(default)]
        error: Object<super::ErrorPart>,
    }
    let Data { result } = data(body)?;
    if result.len() != asked {
        return Err(Fault::Unexpected("another number of answers than of calls"));
    }
    let mut parts = Vec::new();
    for Visible(mut tree) in result {
        let row = PartRow::deserialize(&tree).map_err(|_| Fault::Unexpected("a part that is no answer"))?;
        parts.push(match super::judge(&row.success, &row.error) {
            Ok(()) => Ok(tree.get_mut("data").map(Value::take)),
            Err(Fault::Code(code)) => Err(code),
            Err(fault) => return Err(fault),
        });
    }
    Ok(parts)
}
