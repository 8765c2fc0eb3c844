//! stub
use super::{report::Report, tables::Table};
use crate::cli::failure::Failure;
pub(crate) fn render(
    _r: &Report,
    _b: Option<&Report>,
    _t: &[Table],
    _p: &[Failure],
) -> Result<String, Failure> {
    Ok(String::new())
}
