//! What the numbers mean: one phrase for each code of DSM and of Active Backup for Business.
//!
//! The tables come from section 2 of the collected facts: DSM's login guide for the global and login codes, the string
//! table of the package's own user interface for the rest. A code that is in none of them is [`Meaning::Unnamed`] and
//! proves nothing.

/// Stands for the code of a refusal that came without one. It is in no table: nothing is known of why.
pub const NO_CODE: i64 = 0;

/// Which table a code is read from. The tables overlap: 400 at login is not 400 elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// `SYNO.API.Auth`.
    Login,
    /// Any other API of DSM.
    Common,
    /// `SYNO.ActiveBackup.*`.
    ActiveBackup,
}

/// The meaning of an error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(
    missing_docs,
    reason = "each variant is described, for users too, by `describe`"
)]
pub enum Meaning {
    // Global.
    UnknownError,
    ParameterRejected,
    ApiMissing,
    MethodMissing,
    VersionUnsupported,
    PermissionDenied,
    SessionTimeout,
    SessionReplaced,
    SessionUnknown,
    SourceAddressChanged,
    UploadRefused,
    SystemBusy,
    CompoundFailed,
    DemoSite,
    ServerTimeout,
    ApplicationDenied,
    SettingsUnavailable,
    // Login.
    WrongPassword,
    AccountDisabled,
    LoginNotPermitted,
    SecondFactorRequired,
    SecondFactorWrong,
    PortalMismatch,
    SecondFactorEnforced,
    AddressBlocked,
    PasswordExpiredForGood,
    PasswordExpired,
    PasswordMustChange,
    AccountLocked,
    // Active Backup, general.
    InternalError,
    UserInfoMissing,
    TemplateBroken,
    DirectoryUnreachable,
    UpgradeInitialising,
    UpgradeRunning,
    UpgradeFailed,
    BatchFailed,
    TaskMissing,
    TaskDenied,
    DataCorrupt,
    InputOutputFailed,
    QuotaExceeded,
    NoSpace,
    StorageReadOnly,
    DatabaseFailed,
    AclUnsupported,
    FolderMissing,
    ActivationFailed,
    StorageExists,
    ServerUnreachable,
    StorageInUse,
    StorageTooNew,
    PathTooLong,
    SyslogInvalid,
    DelegationDenied,
    // Active Backup, tasks.
    VersionLocked,
    SourceInUse,
    TaskOrDeviceMissing,
    OutsideBackupWindow,
    BackupWindowDenies,
    // Active Backup, job queue.
    JobMissing,
    JobConflict,
    ResourceLocked,
    LockedByBackup,
    LockedByRestore,
    LockedByDeletion,
    VerificationExists,
    DeletionExists,
    JobForbidden,
    StorageBroken,
    StorageEncrypted,
    VirtualMachineManagerConflict,
    // Active Backup, other.
    ImageBrowsingFailed,
    RelinkFailed,
    MountFolderExists,
    SshKeyRejected,
    StorageVerificationFailed,
    LicenceMissing,
    HypervisorFailed,
    GuestSystemFailed,
    VerificationFailed,
    ServerInUse,
    FolderInUse,
    TaskNameInUse,
    RestoreConflict,
    BackupConflict,
    RestoreExists,
    BackupExists,
    FileServerFailed,
    DeviceOffline,
    InstallerDownloadFailed,
    DeviceBeingDeleted,
    AddressInvalid,
    AgentFailed,
    DelegationRuleRejected,
    /// In no table.
    Unnamed,
}

impl Meaning {
    /// The meaning of `code` in the table of `context`, with the global table behind it.
    #[must_use]
    pub fn of(code: i64, context: Context) -> Self {
        match (code, context) {
            (100..=199, _) => Self::global(code),
            (_, Context::Login) => Self::login(code),
            (_, Context::ActiveBackup) => Self::active_backup(code),
            (_, Context::Common) => Self::Unnamed,
        }
    }

    fn global(code: i64) -> Self {
        match code {
            100 => Self::UnknownError,
            101 | 114 | 120 => Self::ParameterRejected,
            102 => Self::ApiMissing,
            103 => Self::MethodMissing,
            104 => Self::VersionUnsupported,
            105 | 122..=124 | 126 | 127 => Self::PermissionDenied,
            106 => Self::SessionTimeout,
            107 => Self::SessionReplaced,
            108 | 115 => Self::UploadRefused,
            109..=111 | 117 | 118 => Self::SystemBusy,
            112 | 113 => Self::CompoundFailed,
            116 => Self::DemoSite,
            119 => Self::SessionUnknown,
            125 => Self::ServerTimeout,
            150 => Self::SourceAddressChanged,
            160 => Self::ApplicationDenied,
            164 | 165 => Self::SettingsUnavailable,
            _ => Self::Unnamed,
        }
    }

    fn login(code: i64) -> Self {
        match code {
            400 => Self::WrongPassword,
            401 => Self::AccountDisabled,
            402 => Self::LoginNotPermitted,
            403 => Self::SecondFactorRequired,
            404 => Self::SecondFactorWrong,
            405 => Self::PortalMismatch,
            406 => Self::SecondFactorEnforced,
            407 => Self::AddressBlocked,
            408 => Self::PasswordExpiredForGood,
            409 => Self::PasswordExpired,
            410 => Self::PasswordMustChange,
            411 => Self::AccountLocked,
            _ => Self::Unnamed,
        }
    }

    fn active_backup(code: i64) -> Self {
        match code {
            1001 => Self::InternalError,
            1002 => Self::UserInfoMissing,
            1003 | 1033 => Self::TemplateBroken,
            1004 | 1005 => Self::DirectoryUnreachable,
            1006 => Self::UpgradeInitialising,
            1007 => Self::UpgradeRunning,
            1008 | 1025 => Self::UpgradeFailed,
            1009 => Self::BatchFailed,
            1010 => Self::TaskMissing,
            1011 => Self::TaskDenied,
            1012 => Self::DataCorrupt,
            1013 => Self::InputOutputFailed,
            1014 => Self::PermissionDenied,
            1015 | 1020 => Self::QuotaExceeded,
            1016 | 1019 => Self::NoSpace,
            1017 | 1250 => Self::StorageReadOnly,
            1018 => Self::DatabaseFailed,
            1021 => Self::AclUnsupported,
            1022 | 1023 => Self::FolderMissing,
            1024 => Self::ActivationFailed,
            1026 | 1027 => Self::StorageExists,
            1028 => Self::ServerUnreachable,
            1029 | 1032 => Self::StorageInUse,
            1030 => Self::StorageTooNew,
            1031 => Self::ServerTimeout,
            1034 => Self::PathTooLong,
            1035 => Self::SyslogInvalid,
            1036 => Self::DelegationDenied,
            1101 | 1210 => Self::VersionLocked,
            1102 => Self::SourceInUse,
            1103 => Self::TaskOrDeviceMissing,
            1104 => Self::OutsideBackupWindow,
            1105 => Self::BackupWindowDenies,
            1201 => Self::JobMissing,
            1202 => Self::JobConflict,
            1203 => Self::ResourceLocked,
            1204 => Self::LockedByBackup,
            1205 => Self::LockedByRestore,
            1206 => Self::LockedByDeletion,
            1207 => Self::VerificationExists,
            1208 => Self::DeletionExists,
            1209 => Self::JobForbidden,
            1251 => Self::StorageBroken,
            1252 | 1255 => Self::StorageEncrypted,
            1253 | 1254 => Self::VirtualMachineManagerConflict,
            1301..=1307 => Self::ImageBrowsingFailed,
            1401..=1403 => Self::RelinkFailed,
            1501 => Self::MountFolderExists,
            1601 | 1602 => Self::SshKeyRejected,
            1701..=1703 => Self::StorageVerificationFailed,
            2000 | 2002 => Self::LicenceMissing,
            3001..=3052 => Self::HypervisorFailed,
            3103 => Self::ParameterRejected,
            3106 | 9999 => Self::UnknownError,
            3500 => Self::GuestSystemFailed,
            3600 | 3601 => Self::VerificationFailed,
            4001 => Self::ServerInUse,
            4002 => Self::FolderInUse,
            4003 => Self::TaskNameInUse,
            4004 => Self::RestoreConflict,
            4005 => Self::BackupConflict,
            4006 => Self::RestoreExists,
            4007 => Self::BackupExists,
            4008..=4055 => Self::FileServerFailed,
            5001 => Self::DeviceOffline,
            5002 => Self::InstallerDownloadFailed,
            5003 => Self::DeviceBeingDeleted,
            5004 => Self::AddressInvalid,
            6001..=6031 => Self::AgentFailed,
            6501 | 6502 => Self::DelegationRuleRejected,
            _ => Self::Unnamed,
        }
    }

    /// A lower-case phrase for people, without the code.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::UnknownError => "unknown error",
            Self::ParameterRejected => "a parameter is missing or has the wrong type",
            Self::ApiMissing => "the API does not exist, its package is not installed or not running",
            Self::MethodMissing => {
                "the method does not exist in this version, or the session token is missing"
            }
            Self::VersionUnsupported => "the version of the API is not supported",
            Self::PermissionDenied => "the account lacks the permission",
            Self::SessionTimeout => "the session timed out",
            Self::SessionReplaced => "the session was replaced by another login",
            Self::SessionUnknown => "the session or its token is not known",
            Self::SourceAddressChanged => "the session was opened from another address",
            Self::UploadRefused => "the upload was refused",
            Self::SystemBusy => "the system is busy or its network is unstable",
            Self::CompoundFailed => "the compound request was stopped or is invalid",
            Self::DemoSite => "not allowed on a demo site",
            Self::ServerTimeout => "the NAS gave up waiting for its own service",
            Self::ApplicationDenied => "the account may not use the application",
            Self::SettingsUnavailable => "system settings could not be loaded or saved",
            Self::WrongPassword => "wrong user name or password",
            Self::AccountDisabled => "the account is disabled or a guest",
            Self::LoginNotPermitted => "the account may not log in to this service",
            Self::SecondFactorRequired => "a second factor is required",
            Self::SecondFactorWrong => "the second factor is wrong or was used before",
            Self::PortalMismatch => "the application portal does not match",
            Self::SecondFactorEnforced => "a second factor is enforced but not set up",
            Self::AddressBlocked => "the address of this client is blocked",
            Self::PasswordExpiredForGood => "the password is expired and cannot be changed by its owner",
            Self::PasswordExpired => "the password is expired",
            Self::PasswordMustChange => "the password must be changed first",
            Self::AccountLocked => "the account is locked after too many attempts",
            Self::InternalError => "internal error of the package",
            Self::UserInfoMissing => "user information is not available",
            Self::TemplateBroken => "the target or the shared folder of the template is missing",
            Self::DirectoryUnreachable => "the domain or directory service cannot be reached",
            Self::UpgradeInitialising => "the package prepares an upgrade",
            Self::UpgradeRunning => "the package is being upgraded",
            Self::UpgradeFailed => "an upgrade of the package failed",
            Self::BatchFailed => "some or all items of the request failed",
            Self::TaskMissing => "the task does not exist",
            Self::TaskDenied => "the account lacks the permission for this task",
            Self::DataCorrupt => "the data are corrupt",
            Self::InputOutputFailed => "reading or writing on the NAS failed",
            Self::QuotaExceeded => "the quota is exceeded",
            Self::NoSpace => "no space is left",
            Self::StorageReadOnly => "the storage is read-only",
            Self::DatabaseFailed => "the database of the package failed",
            Self::AclUnsupported => "the storage does not support access control lists",
            Self::FolderMissing => "a folder is missing",
            Self::ActivationFailed => "the activation of the package failed",
            Self::StorageExists => "the storage exists already, from an older version",
            Self::ServerUnreachable => "the connection to the server failed",
            Self::StorageInUse => "the storage is in use by a task or a restore",
            Self::StorageTooNew => "the storage was written by a newer version",
            Self::PathTooLong => "the path is too long",
            Self::SyslogInvalid => "the syslog configuration is invalid",
            Self::DelegationDenied => "the delegation does not give the permission",
            Self::VersionLocked => "a version is locked",
            Self::SourceInUse => "the source is used by a backup task",
            Self::TaskOrDeviceMissing => "the task, version or device does not exist",
            Self::OutsideBackupWindow => "the backup window does not allow it now",
            Self::BackupWindowDenies => "the backup window is denying it",
            Self::JobMissing => "no such job is in the queue",
            Self::JobConflict => "the job conflicts with another one",
            Self::ResourceLocked => "a resource is locked",
            Self::LockedByBackup => "locked by a backup",
            Self::LockedByRestore => "locked by a restore",
            Self::LockedByDeletion => "locked by a deletion",
            Self::VerificationExists => "a verification is going on",
            Self::DeletionExists => "a deletion is going on",
            Self::JobForbidden => "the job is forbidden, the storage is linked elsewhere",
            Self::StorageBroken => "the storage is broken",
            Self::StorageEncrypted => "the storage is encrypted or not mounted",
            Self::VirtualMachineManagerConflict => "the target is used by Virtual Machine Manager",
            Self::ImageBrowsingFailed => "browsing an image failed",
            Self::RelinkFailed => "linking backups to a task failed",
            Self::MountFolderExists => "the mount folder exists already",
            Self::SshKeyRejected => "the SSH key was rejected",
            Self::StorageVerificationFailed => "the verification of the storage failed",
            Self::LicenceMissing => "a licence is missing",
            Self::HypervisorFailed => "the hypervisor failed or refused",
            Self::GuestSystemFailed => "the guest system failed",
            Self::VerificationFailed => "the verification failed",
            Self::ServerInUse => "the server is used by a task",
            Self::FolderInUse => "the folder is used by a task",
            Self::TaskNameInUse => "the name is used by another task",
            Self::RestoreConflict => "it conflicts with a restore",
            Self::BackupConflict => "it conflicts with a backup",
            Self::RestoreExists => "another restore exists",
            Self::BackupExists => "another backup exists",
            Self::FileServerFailed => "the file server failed or refused",
            Self::DeviceOffline => "the device is offline",
            Self::InstallerDownloadFailed => "the installer could not be downloaded",
            Self::DeviceBeingDeleted => "the device is being deleted",
            Self::AddressInvalid => "the address is invalid",
            Self::AgentFailed => "the agent failed or was refused",
            Self::DelegationRuleRejected => "the delegation rule was rejected",
            Self::Unnamed => "a code without a known meaning",
        }
    }

    /// What to do about it, as an order to a person, lower case.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::WrongPassword => "correct username and password in the Secret",
            Self::AccountDisabled => "enable the account in DSM (Control Panel, User & Group)",
            Self::LoginNotPermitted => {
                "allow the account to use DSM (Control Panel, User & Group, Applications)"
            }
            Self::SecondFactorRequired => {
                "add the seed of the second factor as otp-secret, or use an account without one"
            }
            Self::SecondFactorWrong => {
                "correct otp-secret, and compare the clocks of this machine and the NAS"
            }
            Self::SecondFactorEnforced => "set up the second factor for this account in DSM, or exempt it",
            Self::PortalMismatch => "use the address of DSM itself, not that of an application portal",
            Self::AddressBlocked => {
                "remove the address from DSM's block list (Control Panel, Security, Protection), or wait until it runs out"
            }
            Self::AccountLocked => {
                "wait until the lock ends, or unlock the account in DSM (Control Panel, Security, Account)"
            }
            Self::PasswordExpired | Self::PasswordExpiredForGood | Self::PasswordMustChange => {
                "change the password of the account in DSM and in the Secret"
            }
            Self::PermissionDenied | Self::ApplicationDenied | Self::TaskDenied | Self::DelegationDenied => {
                "put the account into the group administrators, or delegate Active Backup to it, and allow it the application"
            }
            Self::SessionTimeout | Self::SessionReplaced | Self::SessionUnknown => {
                "use an account that nobody else logs in with; if this stays, check DSM's logout timer"
            }
            Self::SourceAddressChanged => {
                "let all requests come from one address, or turn off DSM's check of it (Control Panel, Security)"
            }
            Self::ApiMissing => "install Active Backup for Business, or start it in DSM's Package Center",
            Self::UpgradeInitialising | Self::UpgradeRunning => {
                "wait until the upgrade of the package is over"
            }
            Self::UpgradeFailed => "repair Active Backup for Business in DSM's Package Center",
            Self::MethodMissing | Self::VersionUnsupported => {
                "compare the version of Active Backup for Business with the ones that are known to work, and report it"
            }
            Self::ActivationFailed | Self::LicenceMissing => {
                "activate Active Backup for Business in its console"
            }
            Self::ParameterRejected => "correct the parameter",
            Self::TaskMissing | Self::TaskOrDeviceMissing => "check that the task still exists on the NAS",
            Self::OutsideBackupWindow | Self::BackupWindowDenies => {
                "wait for the backup window of the task, or widen it in the console"
            }
            Self::DeviceOffline => "turn the device on and check its agent",
            Self::DeviceBeingDeleted => "wait until the device is deleted",
            Self::VersionLocked => "unlock the versions of the task in the console first",
            Self::TaskNameInUse => "choose another name",
            Self::JobMissing
            | Self::JobConflict
            | Self::ResourceLocked
            | Self::LockedByBackup
            | Self::LockedByRestore
            | Self::LockedByDeletion
            | Self::VerificationExists
            | Self::DeletionExists
            | Self::RestoreConflict
            | Self::BackupConflict
            | Self::RestoreExists
            | Self::BackupExists
            | Self::ServerInUse
            | Self::FolderInUse
            | Self::SourceInUse
            | Self::StorageInUse => "wait until the other job is over",
            Self::NoSpace | Self::QuotaExceeded => "make room on the NAS or raise the quota",
            Self::StorageReadOnly
            | Self::StorageBroken
            | Self::StorageEncrypted
            | Self::StorageExists
            | Self::StorageTooNew
            | Self::StorageVerificationFailed
            | Self::FolderMissing
            | Self::AclUnsupported
            | Self::JobForbidden
            | Self::MountFolderExists
            | Self::RelinkFailed
            | Self::VirtualMachineManagerConflict
            | Self::DataCorrupt => "look at the storage of the task in the console",
            Self::SystemBusy | Self::ServerTimeout | Self::UnknownError | Self::InternalError => {
                "try again later; if it stays, look into the log of the package"
            }
            Self::InputOutputFailed | Self::DatabaseFailed | Self::SettingsUnavailable => {
                "check the volume and the log of the NAS"
            }
            Self::CompoundFailed | Self::BatchFailed => "send the calls one by one",
            Self::UploadRefused | Self::DemoSite => "use another NAS or account",
            Self::UserInfoMissing
            | Self::TemplateBroken
            | Self::DirectoryUnreachable
            | Self::ServerUnreachable
            | Self::PathTooLong
            | Self::SyslogInvalid
            | Self::ImageBrowsingFailed
            | Self::SshKeyRejected
            | Self::HypervisorFailed
            | Self::GuestSystemFailed
            | Self::VerificationFailed
            | Self::FileServerFailed
            | Self::InstallerDownloadFailed
            | Self::AddressInvalid
            | Self::AgentFailed
            | Self::DelegationRuleRejected => {
                "look at the task and its log in the console of Active Backup for Business"
            }
            Self::Unnamed => "look into the log of the NAS, and report the code with the call",
        }
    }

    /// Whether the session is gone or was never there: 106, 107, 119, 150. Error 105 is a question of history, see
    /// `session`.
    #[must_use]
    pub fn is_session(self) -> bool {
        matches!(
            self,
            Self::SessionTimeout | Self::SessionReplaced | Self::SessionUnknown | Self::SourceAddressChanged
        )
    }

    /// Whether it says that this account, or this machine, cannot be asked such a thing at all. Any other refusal may pass.
    #[must_use]
    pub fn is_unavailable(self) -> bool {
        matches!(
            self,
            Self::PermissionDenied
                | Self::ApplicationDenied
                | Self::ApiMissing
                | Self::MethodMissing
                | Self::VersionUnsupported
        )
    }

    /// Whether the refusal goes away by itself: 1104, 1105, 5001, 1006, 1007, and 102 while the package is stopped.
    #[must_use]
    pub fn is_passing_refusal(self) -> bool {
        matches!(
            self,
            Self::ApiMissing
                | Self::OutsideBackupWindow
                | Self::BackupWindowDenies
                | Self::DeviceOffline
                | Self::UpgradeInitialising
                | Self::UpgradeRunning
        )
    }

    /// Whether another job is in the way, possibly the one that an earlier call started: 1201-1208, 4004-4007.
    #[must_use]
    pub fn is_conflict(self) -> bool {
        matches!(
            self,
            Self::JobMissing
                | Self::JobConflict
                | Self::ResourceLocked
                | Self::LockedByBackup
                | Self::LockedByRestore
                | Self::LockedByDeletion
                | Self::VerificationExists
                | Self::DeletionExists
                | Self::RestoreConflict
                | Self::BackupConflict
                | Self::RestoreExists
                | Self::BackupExists
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(context: Context, predicate: fn(Meaning) -> bool) -> Vec<i64> {
        (0..10_000)
            .filter(|code| predicate(Meaning::of(*code, context)))
            .collect()
    }

    #[test]
    fn predicates_hold_for_exactly_these_codes() {
        assert_eq!(
            codes(Context::ActiveBackup, Meaning::is_session),
            [106, 107, 119, 150]
        );
        assert_eq!(codes(Context::Login, Meaning::is_session), [106, 107, 119, 150]);
        assert_eq!(
            codes(Context::ActiveBackup, Meaning::is_passing_refusal),
            [102, 1006, 1007, 1104, 1105, 5001]
        );
        assert_eq!(
            codes(Context::ActiveBackup, Meaning::is_conflict),
            [
                1201, 1202, 1203, 1204, 1205, 1206, 1207, 1208, 4004, 4005, 4006, 4007
            ]
        );
        assert_eq!(codes(Context::Common, Meaning::is_conflict), Vec::<i64>::new());
    }

    #[test]
    fn tables_do_not_leak_into_each_other() {
        assert_eq!(Meaning::of(400, Context::Login), Meaning::WrongPassword);
        assert_eq!(Meaning::of(400, Context::ActiveBackup), Meaning::Unnamed);
        assert_eq!(Meaning::of(1010, Context::Login), Meaning::Unnamed);
        assert_eq!(Meaning::of(1010, Context::Common), Meaning::Unnamed);
        assert_eq!(Meaning::of(102, Context::ActiveBackup), Meaning::ApiMissing);
        for code in [-1, 0, 121, 199, 412, 1000, 1037, 1211, 4056, 6032, i64::MAX] {
            assert_eq!(
                Meaning::of(code, Context::ActiveBackup),
                Meaning::Unnamed,
                "{code}"
            );
        }
    }

    #[test]
    fn every_meaning_is_one_lower_case_phrase() {
        for code in 0..10_000 {
            for context in [Context::Login, Context::Common, Context::ActiveBackup] {
                let phrase = Meaning::of(code, context).describe();
                assert!(phrase.starts_with(|first: char| first.is_lowercase()), "{phrase}");
                assert!(!phrase.ends_with('.'), "{phrase}");
            }
        }
    }
}
