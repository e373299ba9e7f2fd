//! Names that stand for types.

/// Types by name; sorted.
const TYPES: &[&str] =
    &["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"];

/// Whether a name is a type's.
pub fn is_type(name: &str) -> bool {
    TYPES.contains(&name)
}

/// The type of that name.
pub fn named(name: &str) -> Option<&'static str> {
    TYPES.iter().find(|own| **own == name).copied()
}
