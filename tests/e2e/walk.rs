//! A new user's walk through the documentation, command by command.
