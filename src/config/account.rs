//! An account of a NAS, which every command that asks one takes.

use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;

/// An account of a NAS. Secrets come from files or from the environment, never from arguments, which every user of a
/// machine can read.
#[derive(Args, Clone, Debug)]
pub struct AccountArgs {
    /// The NAS, such as `https://nas.example:5001`.
    #[arg(long, value_name = "URL", env = "ABB_NAS_URL")]
    pub url: Option<url::Url>,
    /// The account.
    #[arg(long, value_name = "NAME", env = "ABB_NAS_USERNAME")]
    pub username: Option<String>,
    /// File that holds the password; or set `ABB_NAS_PASSWORD`.
    #[arg(long, value_name = "FILE", env = "ABB_NAS_PASSWORD_FILE")]
    pub password_file: Option<PathBuf>,
    #[arg(
        long,
        hide = true,
        env = "ABB_NAS_PASSWORD",
        hide_env_values = true,
        conflicts_with = "password_file"
    )]
    password_from_environment: Option<SecretString>,
    /// File that holds the base32 seed of the second factor; or set `ABB_NAS_OTP_SECRET`.
    #[arg(long, value_name = "FILE", env = "ABB_NAS_OTP_SECRET_FILE")]
    pub otp_secret_file: Option<PathBuf>,
    #[arg(
        long,
        hide = true,
        env = "ABB_NAS_OTP_SECRET",
        hide_env_values = true,
        conflicts_with = "otp_secret_file"
    )]
    otp_secret_from_environment: Option<SecretString>,
}

impl AccountArgs {
    /// The password from the environment, and where else to look for it.
    #[must_use]
    pub fn password(&self) -> (Option<&SecretString>, Option<&PathBuf>) {
        (
            self.password_from_environment.as_ref(),
            self.password_file.as_ref(),
        )
    }

    /// The seed of the second factor, likewise.
    #[must_use]
    pub fn otp_secret(&self) -> (Option<&SecretString>, Option<&PathBuf>) {
        (
            self.otp_secret_from_environment.as_ref(),
            self.otp_secret_file.as_ref(),
        )
    }
}
