//! Programs with what they are run on: bundled samples, and what the command line names.

use {
    super::subject::{Family, Subject},
    crate::cli::{
        failure::Failure,
        input::{DEFAULT_BUDGET, DEFAULT_HEAP, Input, REGION_BYTES_LIMIT},
        program::{LoadOptions, Program, Version},
        samples::{self, Sample},
    },
    std::{path::Path, sync::Arc},
};

/// The samples that stand for real programs.
pub(crate) fn samples() -> impl Iterator<Item = &'static Sample> {
    samples::SAMPLES.iter()
}

/// A bundled sample.
///
/// # Errors
/// When the sample can't be loaded, which would be a defect of it.
pub(crate) fn sample(sample: &Sample, family: Family) -> Result<Subject, Failure> {
    load(sample, family, LoadOptions::default())
}

/// A bundled sample in the memory of hosts with SIMD-0460.
///
/// # Errors
/// See [`sample`].
pub(crate) fn with_account_regions(sample: &Sample) -> Result<Subject, Failure> {
    let options = LoadOptions {
        account_regions: true,
        ..LoadOptions::default()
    };
    let mut subject = load(sample, Family::AccountRegions, options)?;
    subject.name = name_with_account_regions(sample);
    Ok(subject)
}

/// What [`with_account_regions`] calls a sample.
pub(crate) fn name_with_account_regions(sample: &Sample) -> String {
    format!("{}, account regions", sample.name)
}

fn load(sample: &Sample, family: Family, options: LoadOptions) -> Result<Subject, Failure> {
    let loaded = sample.load()?;
    let program = Program::load(sample.program, &loaded.elf, options)?;
    let input = Input::call(loaded.instruction, loaded.labels);
    let mut subject = subject(sample.name.to_string(), family, program, &input);
    if let Some((_, serialized)) = input.call.filter(|_| options.account_regions) {
        subject.inputs = serialized.regions();
    }
    Ok(subject)
}

/// What a word on the command line stands for: the path of a program, or else the name of a sample.
///
/// # Errors
/// When there is neither, or the program can't be loaded.
pub(crate) fn given(
    word: &Path,
    version: Option<Version>,
    input: &Input,
) -> Result<Subject, Failure> {
    let named = samples().find(|sample| word.as_os_str() == sample.name);
    if let Some(named) = named
        && !word.exists()
    {
        return sample(named, Family::Given);
    }
    if let Some(heap) = input.heap.filter(|heap| *heap > REGION_BYTES_LIMIT) {
        let what = format!("{heap} bytes of heap are more than {REGION_BYTES_LIMIT}");
        return Err(Failure::at("--accounts", what));
    }
    let options = LoadOptions {
        version,
        ..LoadOptions::default()
    };
    let program = Program::read(word, options)?;
    let name = word.file_name().unwrap_or(word.as_os_str());
    let name = name.to_string_lossy().into_owned();
    Ok(subject(name, Family::Given, program, input))
}

/// `program` on `input`.
fn subject(name: String, family: Family, program: Program, input: &Input) -> Subject {
    Subject {
        name,
        family,
        inputs: vec![input.bytes.clone()],
        instruction_data: input.instruction_data(),
        heap: usize::try_from(input.heap.unwrap_or(DEFAULT_HEAP)).unwrap_or(usize::MAX),
        budget: input.budget.unwrap_or(DEFAULT_BUDGET),
        environment: Arc::new(input.environment(&program)),
        native: None,
        program,
    }
}
