//! Data in the page: JSON, deflated, in base64. The browser unpacks what it is about to show.

use {
    crate::cli::failure::Failure,
    base64::{Engine as _, engine::general_purpose::STANDARD},
    flate2::{Compression, write::ZlibEncoder},
    sbpf_cranelift::dump::anatomy::CodeLine,
    serde::Serialize,
    std::io::Write as _,
};

/// A column of code: all lines as one text, and their pcs, with -1 for none.
#[derive(Serialize)]
struct Column {
    pcs: Vec<i64>,
    text: String,
}

/// Packs columns of code.
///
/// # Errors
/// When that fails, which would be a defect.
pub(super) fn code(columns: &[Vec<CodeLine>]) -> Result<String, Failure> {
    let columns = columns.iter().map(|lines| Column {
        pcs: lines
            .iter()
            .map(|line| line.pc.map_or(-1, i64::from))
            .collect(),
        text: lines
            .iter()
            .map(|line| line.text.as_str())
            .collect::<Vec<_>>()
            .join("\n"),
    });
    pack(&columns.collect::<Vec<_>>())
}

/// Packs anything.
///
/// # Errors
/// When that fails, which would be a defect.
pub(super) fn pack(data: &impl Serialize) -> Result<String, Failure> {
    let failure =
        |error: &dyn std::fmt::Display| Failure::new(format!("can't make the page: {error}"));
    let json = serde_json::to_vec(data).map_err(|error| failure(&error))?;
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&json).map_err(|error| failure(&error))?;
    let bytes = encoder.finish().map_err(|error| failure(&error))?;
    Ok(STANDARD.encode(bytes))
}
