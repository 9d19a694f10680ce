//! From paths to texts: files, folders with all below them, standard input. A file that is reached twice is read once.

use std::{
    collections::HashSet,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use super::{Fault, Place, STANDARD_INPUT};

/// What a folder is searched for.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];
/// Configuration of kustomize beside the manifests; it declares nothing itself.
const NO_MANIFESTS: [&str; 2] = ["kustomization.yaml", "kustomization.yml"];

/// A text with where it comes from.
pub(super) struct Text {
    pub(super) file: String,
    pub(super) content: String,
    /// Whether the file was named, rather than found in a folder.
    pub(super) is_named: bool,
}

/// Reads everything the paths name, in their order; in a folder by the names of its entries.
pub(super) fn texts(paths: &[PathBuf]) -> (Vec<Text>, Vec<Fault>) {
    let mut reader = Reader::default();
    for path in paths {
        if path.as_os_str() == STANDARD_INPUT {
            reader.standard_input();
        } else if path.is_dir() {
            let found = reader.found;
            reader.folder(path);
            if found == reader.found {
                reader.fault(path, "holds no .yaml, .yml or .json file".to_owned());
            }
        } else {
            reader.file(path, true);
        }
    }
    (reader.texts, reader.faults)
}

#[derive(Default)]
struct Reader {
    texts: Vec<Text>,
    faults: Vec<Fault>,
    seen: HashSet<PathBuf>,
    /// Manifests and faults so far, again seen ones among them.
    found: usize,
}

impl Reader {
    fn fault(&mut self, path: &Path, message: String) {
        self.found += 1;
        let place = Place {
            file: shown(path),
            line: 0,
        };
        self.faults.push(Fault {
            place,
            object: String::new(),
            field: String::new(),
            message,
        });
    }

    /// True the first time, by whatever way the file or folder is reached.
    fn is_new(&mut self, path: &Path) -> bool {
        self.seen
            .insert(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
    }

    fn standard_input(&mut self) {
        let path = Path::new(STANDARD_INPUT);
        if !self.is_new(path) {
            return;
        }
        let mut bytes = Vec::new();
        match std::io::stdin().read_to_end(&mut bytes) {
            Ok(_) => self.text(path, bytes, true),
            Err(error) => self.fault(path, format!("failed to read: {error}")),
        }
    }

    fn folder(&mut self, folder: &Path) {
        if !self.is_new(folder) {
            self.found += 1;
            return;
        }
        let mut entries = Vec::new();
        match fs::read_dir(folder) {
            Ok(found) => {
                for entry in found {
                    match entry {
                        Ok(entry) => entries.push(entry.path()),
                        Err(error) => self.fault(folder, format!("failed to read the folder: {error}")),
                    }
                }
            }
            Err(error) => self.fault(folder, format!("failed to read the folder: {error}")),
        }
        entries.sort();
        for path in entries {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            // Editors and mounted ConfigMaps keep a second copy under such names.
            if name.starts_with('.') {
                continue;
            }
            if path.is_dir() {
                self.folder(&path);
            } else if is_manifest(&path, &name) {
                self.file(&path, false);
            }
        }
    }

    fn file(&mut self, path: &Path, is_named: bool) {
        self.found += 1;
        if !self.is_new(path) {
            return;
        }
        match fs::read(path) {
            Ok(bytes) => self.text(path, bytes, is_named),
            Err(error) => self.fault(path, format!("failed to read: {error}")),
        }
    }

    fn text(&mut self, path: &Path, bytes: Vec<u8>, is_named: bool) {
        match String::from_utf8(bytes) {
            Ok(content) => self.texts.push(Text {
                file: shown(path),
                content,
                is_named,
            }),
            Err(error) => {
                let read = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = read.split(|byte| *byte == b'\n').count();
                self.fault(path, "is no UTF-8: save the file as UTF-8".to_owned());
                if let Some(fault) = self.faults.last_mut() {
                    fault.place.line = line;
                }
            }
        }
    }
}

/// The path without the steps that lead nowhere.
fn shown(path: &Path) -> String {
    let steps: PathBuf = path.components().collect();
    let short = steps.strip_prefix(".").unwrap_or(&steps);
    if short.as_os_str().is_empty() {
        ".".to_owned()
    } else {
        short.display().to_string()
    }
}

fn is_manifest(path: &Path, name: &str) -> bool {
    let extension = path
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    EXTENSIONS.contains(&extension.as_str()) && !NO_MANIFESTS.contains(&name)
}
